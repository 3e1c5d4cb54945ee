"""A device's plaintext, signed request to be added to a room, or added again.

It carries a fresh key package for each suite, since the device may not know the room's. A request from somebody who
is in the room already only replaces that very device's leaf, and only with a higher certificate serial: a replay is
refused from the tree alone.
"""

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from secure_chat.client.engine.changes import Newcomer
from secure_chat.client.engine.policy import Authority
from secure_chat.errors import SecureChatError
from secure_chat.identity import labels
from secure_chat.identity.errors import IdentityError
from secure_chat.identity.keys import DeviceKey
from secure_chat.identity.labels import Purpose
from secure_chat.mls.crypto.suite import CipherSuite
from secure_chat.mls.errors import MLSError
from secure_chat.mls.messages.key_package import KeyPackage
from secure_chat.wire.limits import CHANNEL_ID_LENGTH, MAX_KEY_PACKAGE, SIGNATURE_LENGTH

__all__ = [
    "MAX_AGE",
    "ForeignRequest",
    "JoinRequest",
    "RequestError",
    "Seen",
    "check_package",
    "make_request",
    "read_request",
]

REQUEST_VERSION = 1
MAX_AGE = 10 * 60_000
"""Milliseconds for which a request is answered; who still wants in asks again."""
MAX_SEEN = 10_000
"""Requests remembered at once: in 20 minutes no relay lets more through, and it is half a megabyte."""


class RequestError(SecureChatError):
    """A request that nobody should answer."""


class ForeignRequest(RequestError):
    """A genuine request of another device than posted it: somebody plays with what others have written."""


class Seen:
    """The requests of the last minutes: every one is made anew, so that one that comes again is a replay.

    Only in memory: what is older than `MAX_AGE` nobody answers anyway.
    """

    def __init__(self) -> None:
        self._when: dict[bytes, int] = {}

    def before(self, payload: bytes, now: int) -> bool:
        """Whether this very request has come before; from now on it has."""
        while self._when and now - next(iter(self._when.values())) > 2 * MAX_AGE:  # clocks differ by up to MAX_AGE
            del self._when[next(iter(self._when))]
        digest = hashlib.sha256(payload).digest()
        known = digest in self._when
        if not known and len(self._when) < MAX_SEEN:
            self._when[digest] = now
        return known


class JoinRequest(Struct, frozen=True, array_like=True):
    """The payload of an entry of kind REQUEST."""

    version: int
    channel: Annotated[bytes, Meta(min_length=CHANNEL_ID_LENGTH, max_length=CHANNEL_ID_LENGTH)]
    generation: int
    time: int
    """By the device's clock, milliseconds."""
    packages: Annotated[
        tuple[Annotated[bytes, Meta(max_length=MAX_KEY_PACKAGE)], ...], Meta(min_length=1, max_length=4)
    ]
    """MLSMessages with a KeyPackage, one a suite."""
    signature: Annotated[bytes, Meta(min_length=SIGNATURE_LENGTH, max_length=SIGNATURE_LENGTH)]
    """By the device key that the key packages have too."""


_DECODER = msgspec.msgpack.Decoder(JoinRequest)


def make_request(key: DeviceKey, channel: bytes, generation: int, time: int, packages: tuple[bytes, ...]) -> bytes:
    """The encoded, signed request."""
    fields: tuple[bytes | int, ...] = (channel, generation, time, *packages)
    signature = labels.sign(key, Purpose.ROOM_REQUEST, *fields)
    return msgspec.msgpack.encode(JoinRequest(REQUEST_VERSION, channel, generation, time, packages, signature))


def read_request(
    payload: bytes,
    authority: Authority,
    suite: CipherSuite,
    *,
    channel: bytes,
    generation: int,
    sender: bytes,
    now: int,
) -> Newcomer:
    """Whom to add; RequestError unless everything about the request holds for this room, group and time."""
    try:
        request = _DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError("malformed") from None
    if request.version != REQUEST_VERSION or (request.channel, request.generation) != (channel, generation):
        raise RequestError("for another room or group")
    if abs(now - request.time) > MAX_AGE:
        raise RequestError("too old")
    for data in request.packages:
        try:
            package = KeyPackage.from_message(data)
            if package.cipher_suite != suite.number:
                continue
            newcomer = check_package(package, authority, suite)
            fields: tuple[bytes | int, ...] = (request.channel, request.generation, request.time, *request.packages)
            labels.verify(newcomer.identity.device_key, Purpose.ROOM_REQUEST, request.signature, *fields)
        except (MLSError, IdentityError) as error:
            raise RequestError(str(error)) from None
        if newcomer.identity.device_id != sender:
            raise ForeignRequest(f"it is {newcomer.identity.handle}'s")
        return newcomer
    raise RequestError("no key package of the room's suite")


def check_package(package: KeyPackage, authority: Authority, suite: CipherSuite) -> Newcomer:
    """A key package and whose it is; MLSError unless it is valid and its credential holds."""
    package.validate(suite)
    authority.validate(package.leaf_node.credential, package.leaf_node.signature_key)
    return Newcomer(package, authority.identify(package.leaf_node.credential))
