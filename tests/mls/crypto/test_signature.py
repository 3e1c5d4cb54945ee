"""Signatures of every scheme: what is signed verifies, everything else raises."""

import pytest

from secure_chat.mls.crypto.signature import (
    ECDSA_P256,
    ECDSA_P384,
    ECDSA_P521,
    ED448,
    ED25519,
    SignatureScheme,
)
from secure_chat.mls.errors import CryptoError

SCHEMES: dict[str, SignatureScheme] = {
    "Ed25519": ED25519,
    "Ed448": ED448,
    "P-256": ECDSA_P256,
    "P-384": ECDSA_P384,
    "P-521": ECDSA_P521,
}


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> SignatureScheme:
    return SCHEMES[request.param]


def test_a_signature_verifies(scheme: SignatureScheme) -> None:
    """Under the signer's public key, for exactly the signed bytes."""
    key = scheme.generate()
    scheme.public_key(key.public).verify(key.sign(b"data"), b"data")


def test_a_forged_signature_raises(scheme: SignatureScheme) -> None:
    """Other data, another key, a flipped bit, an empty or overlong signature."""
    key = scheme.generate()
    signature = key.sign(b"data")
    public = scheme.public_key(key.public)
    with pytest.raises(CryptoError):
        public.verify(signature, b"other")
    with pytest.raises(CryptoError):
        scheme.public_key(scheme.generate().public).verify(signature, b"data")
    for forged in (b"", b"\0" * len(signature), bytes([signature[0] ^ 1]) + signature[1:], signature + b"\0"):
        with pytest.raises(CryptoError):
            public.verify(forged, b"data")


def test_private_keys_survive_serialisation(scheme: SignatureScheme) -> None:
    """A key read back has the same public key."""
    key = scheme.generate()
    again = scheme.private_key(key.private_bytes)
    assert again.public == key.public
    scheme.public_key(key.public).verify(again.sign(b"data"), b"data")


def test_malformed_keys_are_refused(scheme: SignatureScheme) -> None:
    """Wrong lengths, of public and private keys."""
    key = scheme.generate()
    for data in (b"", key.public[:-1], key.public + b"\0"):
        with pytest.raises(CryptoError):
            scheme.public_key(data)
    for data in (b"", key.private_bytes + b"\0"):
        with pytest.raises(CryptoError):
            scheme.private_key(data)


@pytest.mark.parametrize("name", ["P-256", "P-384", "P-521"])
def test_only_uncompressed_points_on_the_curve_are_keys(name: str) -> None:
    """§5.1.1: the uncompressed form, and a point of the curve."""
    scheme = SCHEMES[name]
    public = scheme.generate().public
    with pytest.raises(CryptoError, match="not on its curve"):
        scheme.public_key(public[:-1] + bytes([public[-1] ^ 1]))
    with pytest.raises(CryptoError, match="malformed"):
        scheme.public_key(b"\x02" + public[1 : 1 + len(public) // 2])
    with pytest.raises(CryptoError, match="malformed"):
        scheme.private_key(bytes(len(scheme.generate().private_bytes)))


def test_a_private_key_shows_no_secret(scheme: SignatureScheme) -> None:
    """Neither repr nor str contains private bytes."""
    key = scheme.generate()
    assert key.private_bytes.hex() not in repr(key) + str(key)


def test_parsed_public_keys_are_cached(scheme: SignatureScheme) -> None:
    """The same bytes give the same object."""
    public = scheme.generate().public
    assert scheme.public_key(public) is scheme.public_key(bytes(bytearray(public)))
