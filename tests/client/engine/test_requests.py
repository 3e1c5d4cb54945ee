"""Requests to be added: what a genuine one gives, and each way in which one is not."""

from dataclasses import replace

import msgspec
import pytest

from secure_chat.client.engine.changes import Newcomer
from secure_chat.client.engine.requests import (
    MAX_AGE,
    MAX_SEEN,
    ForeignRequest,
    JoinRequest,
    RequestError,
    Seen,
    check_package,
    make_request,
    read_request,
)
from secure_chat.mls.crypto.suite import SUITES
from secure_chat.mls.errors import MLSError
from tests.client.engine.people import ALICE, AUTHORITY, BOB, SUITE

CHANNEL, NOW = bytes([3]) * 16, 1_700_000_000_000


def request(
    channel: bytes = CHANNEL, generation: int = 2, time: int = NOW, packages: tuple[bytes, ...] | None = None
) -> bytes:
    packages = (BOB.package().message(),) if packages is None else packages
    return make_request(BOB.device, channel, generation, time, packages)


def read(payload: bytes, *, sender: bytes = BOB.device_id, suite: int = 3) -> Newcomer:
    return read_request(payload, AUTHORITY, SUITES[suite], channel=CHANNEL, generation=2, sender=sender, now=NOW)


def test_a_genuine_request_says_whom_to_add() -> None:
    """By a key package of the room's suite."""
    newcomer = read(request())
    assert newcomer.identity == BOB.identity
    assert newcomer.package.leaf_node.signature_key == BOB.device.public


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "malformed"),
        (b"\xc1", "malformed"),
        (request(channel=bytes(16)), "another room"),
        (request(generation=1), "another room or group"),
        (request(time=NOW - MAX_AGE - 1), "too old"),
        (request(time=NOW + MAX_AGE + 1), "too old"),
        (request(packages=(b"package",)), "MLSMessage"),
        (request(packages=(ALICE.package().message(),)), "not valid"),
    ],
)
def test_a_request_for_something_else_is_refused(payload: bytes, why: str) -> None:
    """Each field counts."""
    with pytest.raises(RequestError, match=why):
        read(payload)


def test_a_changed_request_is_refused() -> None:
    """The signature covers everything."""
    signed = msgspec.msgpack.decode(request(), type=JoinRequest)
    for changed in (
        msgspec.structs.replace(signed, time=signed.time + 1),
        msgspec.structs.replace(signed, packages=(*signed.packages, b"")),
        msgspec.structs.replace(signed, signature=bytes(64)),
    ):
        with pytest.raises(RequestError):
            read(msgspec.msgpack.encode(changed))
    with pytest.raises(RequestError, match="another room or group"):
        read(msgspec.msgpack.encode(msgspec.structs.replace(signed, version=2)))


def test_only_the_device_itself_asks() -> None:
    """Somebody else's entry with a copied request."""
    with pytest.raises(ForeignRequest, match="it is bob"):
        read(request(), sender=ALICE.device_id)


def test_a_request_without_the_rooms_suite_is_refused() -> None:
    """It could not be answered."""
    with pytest.raises(RequestError, match="suite"):
        read(request(), suite=0xF00E)


def test_a_key_package_that_others_signed_is_refused() -> None:
    """Its credential names one device, its signature another."""
    package = BOB.package()
    with pytest.raises(MLSError):
        check_package(replace(package, signature=bytes(64), _encoded=b""), AUTHORITY, SUITE)
    assert check_package(package, AUTHORITY, SUITE).identity == BOB.identity


def test_a_request_that_comes_again_is_known_while_it_would_be_answered() -> None:
    """Afterwards it is forgotten, so that memory stays small."""
    seen = Seen()
    assert not seen.before(b"one", 0)
    assert not seen.before(b"two", 1)
    assert seen.before(b"one", MAX_AGE)
    assert seen.before(b"two", 2 * MAX_AGE + 1)
    assert not seen.before(b"one", 2 * MAX_AGE + 1)
    assert seen.before(b"one", 2 * MAX_AGE + 2)


def test_requests_remembered_are_bounded() -> None:
    """More than any relay lets through are not kept."""
    seen = Seen()
    for number in range(MAX_SEEN + 10):
        assert not seen.before(number.to_bytes(4, "big"), 0)
    assert seen.before(bytes(4), 0)
    assert not seen.before(MAX_SEEN.to_bytes(4, "big"), 0)
