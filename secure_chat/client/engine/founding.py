"""What a founder says of the group that begins: a signed claim in the log entry, for those whom no Welcome leads in.

Whoever is not in the new group can't look into it. The claim names its founder and who belongs to the room, so that a
device neither believes the relay that it was removed, nor asks for ever where it was.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from secure_chat.client.engine.policy import Authority
from secure_chat.errors import SecureChatError
from secure_chat.identity import labels
from secure_chat.identity.credential import MAX_CREDENTIAL, Identity
from secure_chat.identity.errors import IdentityError
from secure_chat.identity.keys import SIGNATURE_BYTES, DeviceKey
from secure_chat.identity.labels import Purpose
from secure_chat.mls.credential.credential import BasicCredential
from secure_chat.mls.errors import MLSError
from secure_chat.wire.limits import ACCOUNT_KEY_LENGTH

__all__ = ["Founding", "FoundingError", "make_claim", "read_claim"]

VERSION = 1
MAX_ACCOUNTS = 1_000
"""People in the largest room."""
MAX_GROUP_ID = 64
"""Channel, generation and some random bytes."""

_Accounts = Annotated[
    tuple[Annotated[bytes, Meta(min_length=ACCOUNT_KEY_LENGTH, max_length=ACCOUNT_KEY_LENGTH)], ...],
    Meta(max_length=MAX_ACCOUNTS),
]


class FoundingError(SecureChatError):
    """A claim that is malformed or that nobody signed."""


class _Claim(Struct, frozen=True, array_like=True):
    """The payload of an entry of kind FOUNDING."""

    version: int
    generation: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    group_id: Annotated[bytes, Meta(max_length=MAX_GROUP_ID)]
    accounts: _Accounts
    """Who belongs to the room, whether a key package of theirs could be had or not; empty for open rooms."""
    without: _Accounts
    """Whom the founder has left out on purpose."""
    credential: Annotated[bytes, Meta(max_length=MAX_CREDENTIAL)]
    """The founder's."""
    signature: Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
    """By the founder's device key."""


@dataclass(frozen=True, slots=True)
class Founding:
    """A claim whose signature holds; whether its author may found is for the room's roles to say."""

    founder: Identity
    generation: int
    group_id: bytes
    accounts: tuple[bytes, ...]
    without: tuple[bytes, ...]

    def leaves_out(self, account: bytes) -> bool:
        """Whether the founder has not taken this account along."""
        return account in self.without or (bool(self.accounts) and account not in self.accounts)


_DECODER = msgspec.msgpack.Decoder(_Claim)


def make_claim(
    key: DeviceKey,
    credential: bytes,
    channel: bytes,
    generation: int,
    group_id: bytes,
    accounts: Collection[bytes],
    without: Collection[bytes],
) -> bytes:
    """The encoded, signed claim."""
    named, left_out = tuple(sorted(accounts)[:MAX_ACCOUNTS]), tuple(sorted(without)[:MAX_ACCOUNTS])
    fields = _fields(channel, generation, group_id, named, left_out)
    signature = labels.sign(key, Purpose.ROOM_FOUNDING, *fields)
    return msgspec.msgpack.encode(_Claim(VERSION, generation, group_id, named, left_out, credential, signature))


def read_claim(payload: bytes, authority: Authority, channel: bytes) -> Founding:
    """The claim in an entry of this channel; FoundingError unless it is signed by the device that it names."""
    try:
        claim = _DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FoundingError("not a founder's claim") from None
    if claim.version != VERSION:
        raise FoundingError("a founder's claim of a version that is not known here")
    fields = _fields(channel, claim.generation, claim.group_id, claim.accounts, claim.without)
    try:
        founder = authority.identify(BasicCredential(claim.credential))
        labels.verify(founder.device_key, Purpose.ROOM_FOUNDING, claim.signature, *fields)
    except (MLSError, IdentityError) as error:
        raise FoundingError(str(error)) from None
    return Founding(founder, claim.generation, claim.group_id, claim.accounts, claim.without)


def _fields(
    channel: bytes, generation: int, group_id: bytes, accounts: tuple[bytes, ...], without: tuple[bytes, ...]
) -> tuple[bytes | int, ...]:
    return (channel, generation, group_id, len(accounts), *accounts, len(without), *without)
