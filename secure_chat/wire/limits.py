"""Bounds on everything a peer controls, each with its reason.

What an operator may tune is read from the server's configuration with these as defaults; what the protocol fixes
is marked so. Sizes are bytes, times are milliseconds unless named otherwise.
"""

__all__ = [
    "ACCOUNT_KEY_LENGTH",
    "ACK_INTERVAL_MS",
    "CHANNEL_ID_LENGTH",
    "CLAIM_BATCH",
    "DEVICE_ID_LENGTH",
    "GROUP_INFOS_KEPT",
    "HEAD_RESERVATION_MS",
    "LOSSES_BEFORE_RESERVATION",
    "MAX_ADDS_PER_COMMIT",
    "MAX_APPLICATION_PAYLOAD",
    "MAX_CERTIFICATE",
    "MAX_COMMIT_PAYLOAD",
    "MAX_DEVICES_PER_ACCOUNT",
    "MAX_EPHEMERAL_PAYLOAD",
    "MAX_FRAME",
    "MAX_GROUP_INFO",
    "MAX_HANDSHAKE_FRAME",
    "MAX_KEY_PACKAGE",
    "MAX_KEY_PACKAGES_PER_DEVICE",
    "MAX_POSITIONS",
    "MAX_REQUEST_PAYLOAD",
    "MAX_ROOM_NAME",
    "MAX_WELCOME",
    "NONCE_LENGTH",
    "PROTOCOL_VERSION",
    "SIGNATURE_LENGTH",
    "STALE_AFTER_COMMITS",
    "STORE_ID_LENGTH",
]

PROTOCOL_VERSION = 1
"""Fixed: version of this wire protocol."""

ACCOUNT_KEY_LENGTH = 32
"""Fixed: an Ed25519 public key; it is the account's id."""
DEVICE_ID_LENGTH = 16
CHANNEL_ID_LENGTH = 16
STORE_ID_LENGTH = 16
"""Fixed: random ids, long enough never to collide."""
NONCE_LENGTH = 32
"""Fixed: login nonces, one from each side."""
SIGNATURE_LENGTH = 64
"""Fixed: Ed25519."""

MAX_HANDSHAKE_FRAME = 16 * 1024
"""Before login: a certificate, a binding and a token fit many times; strangers get no larger buffer."""
MAX_FRAME = 8 * 1024 * 1024
"""After login: a commit, its Welcome with the ratchet tree and the new GroupInfo in one atomic append."""
MAX_APPLICATION_PAYLOAD = 64 * 1024
"""A chat message; larger things travel in pieces."""
MAX_COMMIT_PAYLOAD = 2 * 1024 * 1024
"""An update path to 1,000 leaves after a bulk add, or 64 adds with post-quantum keys, fits."""
MAX_WELCOME = 3 * 1024 * 1024
"""64 encrypted group secrets and the ratchet tree of the largest room."""
MAX_GROUP_INFO = 2 * 1024 * 1024
"""The ratchet tree of the largest room: 256 post-quantum or 1,000 classical leaves."""
MAX_REQUEST_PAYLOAD = 16 * 1024
"""A signed join request with one key package."""
MAX_KEY_PACKAGE = 12 * 1024
"""X-Wing keys are 1.2 kB each; the rest is the device's certificate."""
MAX_EPHEMERAL_PAYLOAD = 2 * 1024
"""Typing and presence; never stored."""
MAX_CERTIFICATE = 1024
"""A device certificate or directory binding."""
MAX_ROOM_NAME = 64
"""Characters of an open room's name; it must fit a line of an 80-column terminal."""

MAX_ADDS_PER_COMMIT = 64
"""Bounds a commit's size and the fan-out of one transaction."""
MAX_DEVICES_PER_ACCOUNT = 10
"""A person's computers; more is a sign of abuse and costs every room a leaf."""
MAX_KEY_PACKAGES_PER_DEVICE = 100
"""Per suite: about 20 are kept; this leaves room for a client that publishes ahead of a busy time."""
CLAIM_BATCH = 64
"""Key packages claimed by one request: as many as one commit may add."""
MAX_POSITIONS = 4096
"""Channels named by one subscription or acknowledgement."""
ACK_INTERVAL_MS = 100
"""Fixed: a client acknowledges at most ten times a second; acknowledgements are cumulative."""

STALE_AFTER_COMMITS = 5
"""Members keep five past epochs: what was encrypted earlier they could not open."""
GROUP_INFOS_KEPT = 4
"""A joiner that fetched a GroupInfo a moment ago can still name what it built on."""
LOSSES_BEFORE_RESERVATION = 2
HEAD_RESERVATION_MS = 2_000
"""A device that lost the commit race twice gets the head to itself for this long."""
