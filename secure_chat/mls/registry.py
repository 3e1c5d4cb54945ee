"""Registered numbers of RFC 9420 §17, with the RFC's spelling.

Extensible registries (cipher suites, extensions, proposals, credentials) stay plain `int` on the wire, since
unknown values must be carried and ignored (§13); these enums name the known ones.
"""

from enum import IntEnum

__all__ = [
    "CredentialType",
    "ExtensionType",
    "ProposalType",
    "ProtocolVersion",
    "WireFormat",
    "grease_value",
    "is_grease",
]


class ProtocolVersion(IntEnum):
    """§6: versions of the protocol."""

    mls10 = 1


class WireFormat(IntEnum):
    """§17.2: kinds of MLSMessage."""

    mls_public_message = 1
    mls_private_message = 2
    mls_welcome = 3
    mls_group_info = 4
    mls_key_package = 5


class ExtensionType(IntEnum):
    """§17.3: extensions; 0xF000–0xFFFF is for private use."""

    application_id = 1
    ratchet_tree = 2
    required_capabilities = 3
    external_pub = 4
    external_senders = 5


class ProposalType(IntEnum):
    """§17.4: proposals; 0xF000–0xFFFF is for private use."""

    add = 1
    update = 2
    remove = 3
    psk = 4
    reinit = 5
    external_init = 6
    group_context_extensions = 7


class CredentialType(IntEnum):
    """§17.5: credentials; 0xF000–0xFFFF is for private use."""

    basic = 1
    x509 = 2


def is_grease(value: int) -> bool:
    """§13.5: values 0x0A0A, 0x1A1A, … 0xEAEA that exercise extensibility."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF and value != 0xFAFA


def grease_value(choice: int) -> int:
    """One of the fifteen reserved values, picked by a random number."""
    return 0x0A0A + 0x1010 * (choice % 15)
