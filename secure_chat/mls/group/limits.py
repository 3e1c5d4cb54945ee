"""Bounds on what peers control, and on what is kept (RFC 9420 §9.2, §15.3)."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Members of a group use the same values of what decides validity: members, psks, leaf lifetime, proposals."""

    past_epochs: int = 5
    """Epochs whose application messages can still be opened; each later one deletes the oldest's secrets."""
    window: int = 1_000
    """How far a message may be ahead of its sender's ratchet, and how many skipped keys a ratchet keeps: about
    5 ms of derivation and 50 kB at worst."""
    resumption_psks: int = 32
    """Past epochs whose resumption PSK is kept (§8.6)."""
    proposals: int = 1_024
    """Proposals kept by reference in one epoch."""
    proposal_bytes: int = 4 << 20
    """All of these together: two full commits' worth of key packages."""
    members: int = 10_000
    """Leaves of a tree; at about 1 kB each a joiner's tree still fits `message_bytes`."""
    message_bytes: int = 16 << 20
    """Size of any message: a Welcome for a large group with the post-quantum suite is the largest."""
    application_bytes: int = 1 << 20
    """Application data in one message; larger things are sent in parts."""
    leaf_lifetime: int | None = None
    """Longest acceptable lifetime of a key package's leaf, in seconds (§7.2); None for any."""
    psks: int = 64
    """PSKs in one commit or Welcome."""
