"""secure-chat: a self-hosted chat with TLS and end-to-end encryption (MLS, RFC 9420).

::

    from secure_chat import Client

    with Client.open() as client:
        client.send("#lobby", "hello")
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secure_chat.client.api import Client

__all__ = ["Client", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # The relay imports this package, too, and must not load the client with it.
    if name == "Client":
        from secure_chat.client.api import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
