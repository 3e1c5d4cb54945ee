"""Keys and the recovery code."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.identity.errors import RecoveryCodeError
from secure_chat.identity.keys import (
    AccountKey,
    DeviceKey,
    decode_recovery_code,
    encode_recovery_code,
)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def test_key_matches_rfc_8032() -> None:
    """The first test vector of RFC 8032 §7.1."""
    key = DeviceKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert key.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a")


def test_generated_keys_differ_and_sign() -> None:
    """Each generated key is new and usable."""
    first, second = AccountKey.generate(), AccountKey.generate()
    assert first.seed != second.seed
    Ed25519PublicKey.from_public_bytes(first.public).verify(first.sign(b"x"), b"x")


def test_repr_shows_no_secret() -> None:
    """What a log could print is the public half only."""
    key = AccountKey(b"\x07" * 32)
    assert key.seed.hex()[:8] not in repr(key)
    assert repr(key).startswith("<AccountKey ")


def test_recovery_code_is_fixed() -> None:
    """A code written down today is read by every later version."""
    code = encode_recovery_code(AccountKey(bytes(range(32))))
    assert code == "000G-40R4-0M30-E209-185G-R38E-1W81-24GK-2GAH-C5RR-34D1-P70X-3RFX-MWZS"
    assert decode_recovery_code(code).seed == bytes(range(32))


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["-", " ", ""]), st.booleans())
def test_recovery_code_survives_handwriting(seed: bytes, separator: str, lower: bool) -> None:
    """Case, separators and look-alike letters don't matter."""
    code = encode_recovery_code(AccountKey(seed)).replace("-", separator)
    code = code.replace("1", "l").replace("0", "O")
    assert decode_recovery_code(code.lower() if lower else code).seed == seed


@given(st.binary(min_size=32, max_size=32), st.integers(0, 55), st.sampled_from(ALPHABET))
def test_recovery_code_notices_a_wrong_character(seed: bytes, position: int, replacement: str) -> None:
    """One wrong character is an error, never another account."""
    characters = list(encode_recovery_code(AccountKey(seed)).replace("-", ""))
    if characters[position] == replacement:
        return
    characters[position] = replacement
    with pytest.raises(RecoveryCodeError, match="a character is wrong"):
        decode_recovery_code("".join(characters))


@given(st.binary(min_size=32, max_size=32), st.integers(0, 54))
def test_recovery_code_notices_swapped_neighbours(seed: bytes, position: int) -> None:
    """Two neighbours that changed places are an error."""
    characters = list(encode_recovery_code(AccountKey(seed)).replace("-", ""))
    if characters[position] == characters[position + 1]:
        return
    characters[position : position + 2] = characters[position + 1], characters[position]
    with pytest.raises(RecoveryCodeError):
        decode_recovery_code("".join(characters))


def test_recovery_code_names_the_bad_group() -> None:
    """A character outside the alphabet is found by its group, and the code is not repeated."""
    code = encode_recovery_code(AccountKey(b"\x09" * 32))
    groups = code.split("-")
    groups[2] = "U" + groups[2][1:]
    with pytest.raises(RecoveryCodeError, match="group 3") as caught:
        decode_recovery_code("-".join(groups))
    assert groups[0] not in str(caught.value)


@pytest.mark.parametrize("cut", [slice(0, 0), slice(0, -1), slice(5, None)])
def test_recovery_code_of_wrong_length_is_refused(cut: slice) -> None:
    """A code that was cut says how long it should be."""
    code = encode_recovery_code(AccountKey(b"\x09" * 32))
    with pytest.raises(RecoveryCodeError, match="instead of 56"):
        decode_recovery_code(code[cut])
