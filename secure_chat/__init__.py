"""secure-chat: a self-hosted chat with TLS and end-to-end encryption (MLS, RFC 9420)."""

__all__ = ["__version__"]

__version__ = "0.1.0"
