"""Signatures outside MLS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.identity import labels
from secure_chat.identity.errors import SignatureError
from secure_chat.identity.keys import AccountKey
from secure_chat.identity.labels import Purpose

fields = st.lists(st.binary(max_size=20), max_size=4).map(tuple)
purposes = st.sampled_from(Purpose)


def test_signed_bytes_are_fixed() -> None:
    """Label, zero byte, length-prefixed fields, as the documentation says."""
    assert labels.to_be_signed(Purpose.LOGIN, b"ab", "é", 258) == (
        b"secure-chat 1 login\x00"
        b"\x00\x00\x00\x02ab"
        b"\x00\x00\x00\x02\xc3\xa9"
        b"\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x01\x02"
    )


def test_signature_is_fixed(alice: AccountKey) -> None:
    """Ed25519 is deterministic, so a change of the label or encoding shows here."""
    signature = labels.sign(alice, Purpose.REVOCATION, b"field", 1)
    labels.verify(alice.public, Purpose.REVOCATION, signature, b"field", 1)
    assert signature.hex()[:32] == "c669b1d6970a861a686c5d38e6a6c837"


def test_purposes_contain_no_separator() -> None:
    """The zero byte ends the label, so no purpose may contain one."""
    assert all("\x00" not in purpose and purpose.isascii() for purpose in Purpose)


@given(purposes, fields, purposes, fields)
def test_different_contents_never_sign_the_same(
    one: Purpose, first: tuple[bytes, ...], other: Purpose, second: tuple[bytes, ...]
) -> None:
    """The encoding is injective."""
    same = labels.to_be_signed(one, *first) == labels.to_be_signed(other, *second)
    assert same == ((one, first) == (other, second))


def test_other_purpose_is_refused(alice: AccountKey) -> None:
    """A signature for one purpose is worthless for another."""
    signature = labels.sign(alice, Purpose.LOGIN, b"x")
    with pytest.raises(SignatureError, match="registration"):
        labels.verify(alice.public, Purpose.REGISTRATION, signature, b"x")


def test_moved_field_boundary_is_refused(alice: AccountKey) -> None:
    """Bytes can't move from one field into the next."""
    signature = labels.sign(alice, Purpose.LOGIN, b"ab", b"c")
    with pytest.raises(SignatureError):
        labels.verify(alice.public, Purpose.LOGIN, signature, b"a", b"bc")


def test_other_key_is_refused(alice: AccountKey, bob: AccountKey) -> None:
    """Somebody else's signature is not Alice's."""
    signature = labels.sign(bob, Purpose.LOGIN, b"x")
    with pytest.raises(SignatureError):
        labels.verify(alice.public, Purpose.LOGIN, signature, b"x")


@pytest.mark.parametrize("public", [b"", b"\x00" * 31, b"\xff" * 32])
def test_impossible_public_key_is_a_bad_signature(public: bytes, alice: AccountKey) -> None:
    """Bytes that are no key give the typed error, not one of the library's."""
    with pytest.raises(SignatureError):
        labels.verify(public, Purpose.LOGIN, labels.sign(alice, Purpose.LOGIN), b"")
