"""Key encapsulation: published vectors, malformed keys, agreement of both sides."""

import json
from pathlib import Path
from typing import cast

import pytest

from secure_chat.mls.crypto.dhkem import DHKEMP256, DHKEMP384, DHKEMP521, DHKEMX448, DHKEMX25519
from secure_chat.mls.crypto.kem import KEM, HPKEPrivateKey
from secure_chat.mls.crypto.xwing import XWING, shake256_seed
from secure_chat.mls.errors import CryptoError

HERE = Path(__file__).parent
KEMS: dict[str, KEM] = {
    "X25519": DHKEMX25519,
    "X448": DHKEMX448,
    "P-256": DHKEMP256,
    "P-384": DHKEMP384,
    "P-521": DHKEMP521,
    "X-Wing": XWING,
}
BY_NUMBER = {kem.kem_id: kem for kem in KEMS.values()}


def vectors(name: str) -> list[dict[str, str]]:
    return cast(list[dict[str, str]], json.loads((HERE / name).read_text())["vectors"])


@pytest.fixture(params=KEMS)
def kem(request: pytest.FixtureRequest) -> KEM:
    return KEMS[request.param]


@pytest.mark.parametrize(
    "vector", vectors("rfc9180.json"), ids=lambda v: f"kem{v['kem_id']}-kdf{v['kdf_id']}-aead{v['aead_id']}"
)
def test_key_pairs_and_secrets_match_rfc_9180(vector: dict[str, str]) -> None:
    """DeriveKeyPair and Decap give what RFC 9180's appendix gives."""
    kem = BY_NUMBER[int(vector["kem_id"])]
    derived = kem.derive_key_pair(bytes.fromhex(vector["ikmR"]))
    assert derived.private_bytes.hex() == vector["skRm"]
    assert derived.public.hex() == vector["pkRm"]
    assert kem.private_key(bytes.fromhex(vector["skRm"])).public.hex() == vector["pkRm"]
    assert kem.decap(derived, bytes.fromhex(vector["enc"])).hex() == vector["shared_secret"]


@pytest.mark.parametrize("vector", vectors("xwing.json"), ids=lambda v: v["seed"][:8])
def test_xwing_matches_its_draft(vector: dict[str, str]) -> None:
    """Key expansion, decapsulation and combiner give what the draft's appendix gives."""
    key = XWING.private_key(bytes.fromhex(vector["seed"]))
    assert key.public.hex() == vector["pk"]
    assert XWING.decap(key, bytes.fromhex(vector["ct"])).hex() == vector["ss"]


def test_xwing_key_pairs_are_derived_through_a_shake256_seed() -> None:
    """The deployed form of DeriveKeyPair: the seed is SHAKE256 of the secret."""
    key = XWING.derive_key_pair(b"some secret")
    assert key.private_bytes == shake256_seed(b"some secret")
    assert len(key.private_bytes) == 32


def test_both_sides_get_the_same_secret(kem: KEM) -> None:
    """What encap hands out, decap recovers; a second encapsulation is another secret."""
    key = kem.generate()
    shared, enc = kem.encap(key.public)
    assert len(enc) == kem.enc_length
    kem.check_public_key(key.public)
    assert kem.decap(key, enc) == shared
    assert kem.encap(key.public)[0] != shared


def test_key_pairs_are_determined_by_the_secret(kem: KEM) -> None:
    """The same secret, the same pair; another secret, another pair."""
    first, second = kem.derive_key_pair(b"a" * 64), kem.derive_key_pair(b"a" * 64)
    assert (first.private_bytes, first.public) == (second.private_bytes, second.public)
    assert kem.derive_key_pair(b"b" * 64).public != first.public


def test_private_keys_survive_serialisation(kem: KEM) -> None:
    """A key read back has the same public key and opens what the first can."""
    key = kem.generate()
    again = kem.private_key(key.private_bytes)
    assert again.public == key.public
    assert again.private_bytes == key.private_bytes
    shared, enc = kem.encap(key.public)
    assert kem.decap(again, enc) == shared


def test_a_private_key_shows_no_secret(kem: KEM) -> None:
    """Neither repr nor str contains private bytes."""
    key = kem.generate()
    assert key.private_bytes.hex() not in repr(key) + str(key)


@pytest.mark.parametrize(
    "change", [lambda k: b"", lambda k: k[:-1], lambda k: k + b"\0", lambda k: b"\xff" * (len(k) - 1)]
)
def test_malformed_public_keys_are_refused(kem: KEM, change) -> None:  # type: ignore[no-untyped-def]
    """A key of a wrong length never reaches the library's arithmetic."""
    data = change(kem.generate().public)
    with pytest.raises(CryptoError):
        kem.public_key(data)
    with pytest.raises(CryptoError):
        kem.check_public_key(data)
    with pytest.raises(CryptoError):
        kem.encap(data)


@pytest.mark.parametrize("name", ["P-256", "P-384", "P-521"])
def test_points_off_the_curve_are_refused(name: str) -> None:
    """An uncompressed form that is no point, and a compressed point, are both no public key (§5.1.1)."""
    kem = KEMS[name]
    public = kem.generate().public
    with pytest.raises(CryptoError, match="not on its curve"):
        kem.public_key(public[:-1] + bytes([public[-1] ^ 1]))
    with pytest.raises(CryptoError, match="malformed"):
        kem.public_key(b"\x02" + public[1:])
    with pytest.raises(CryptoError, match="malformed"):
        kem.public_key(b"\x02" + public[1 : 1 + len(public) // 2])


def test_xwing_keys_with_a_malformed_lattice_part_are_refused() -> None:
    """Coefficients beyond the modulus are no ML-KEM key, and nobody can encapsulate to them."""
    public = b"\xff" * 1184 + XWING.generate().public[1184:]
    with pytest.raises(CryptoError, match="X-Wing"):
        XWING.public_key(public)
    with pytest.raises(CryptoError, match="X-Wing"):
        XWING.encap(public)


X25519_P = 2**255 - 19
X448_P = 2**448 - 2**224 - 1


@pytest.mark.parametrize("u", [0, 1, X25519_P - 1, X25519_P, X25519_P + 1, 1 << 255])
def test_x25519_points_of_small_order_are_refused(u: int) -> None:
    """A key that nobody could seal to is refused when it is parsed."""
    data = u.to_bytes(32, "little")
    with pytest.raises(CryptoError, match="small order"):
        DHKEMX25519.public_key(data)
    with pytest.raises(CryptoError):
        DHKEMX25519.decap(DHKEMX25519.generate(), data)
    xwing = XWING.generate().public[:-32] + data
    with pytest.raises(CryptoError):
        XWING.public_key(xwing)


@pytest.mark.parametrize("u", [0, 1, X448_P - 1, X448_P, X448_P + 1])
def test_x448_points_of_small_order_are_refused(u: int) -> None:
    """A key that nobody could seal to is refused when it is parsed."""
    with pytest.raises(CryptoError, match="small order"):
        DHKEMX448.public_key(u.to_bytes(56, "little"))


def test_malformed_private_keys_are_refused(kem: KEM) -> None:
    """Too long, empty."""
    key = kem.generate()
    for data in (b"", key.private_bytes + b"\0"):
        with pytest.raises(CryptoError):
            kem.private_key(data)


@pytest.mark.parametrize("name", ["P-256", "P-384", "P-521"])
def test_scalars_out_of_range_are_refused(name: str) -> None:
    """Zero and everything from the group's order upwards is no private key."""
    kem = KEMS[name]
    length = len(kem.generate().private_bytes)
    for data in (bytes(length), b"\xff" * length):
        with pytest.raises(CryptoError):
            kem.private_key(data)


def test_p521_private_keys_may_lack_their_leading_zero() -> None:
    """Some implementations write 65 bytes; the key is the same."""
    key = next(key for key in iter(DHKEMP521.generate, None) if key.private_bytes[0] == 0)
    assert DHKEMP521.private_key(key.private_bytes[1:]).public == key.public


def test_malformed_encapsulations_are_refused(kem: KEM) -> None:
    """A truncated encapsulated key ends in CryptoError."""
    key = kem.generate()
    _, enc = kem.encap(key.public)
    for data in (b"", enc[:-1], enc + b"\0"):
        with pytest.raises(CryptoError):
            kem.decap(key, data)


def test_keys_of_different_kinds_do_not_mix() -> None:
    """A private key of another KEM is an error, not another library's exception."""
    stranger = DHKEMX448.generate()
    _, enc = DHKEMX25519.encap(DHKEMX25519.generate().public)
    with pytest.raises(CryptoError, match="different kinds"):
        DHKEMX25519.decap(HPKEPrivateKey(stranger.private_bytes, stranger.public, stranger.native), enc)
