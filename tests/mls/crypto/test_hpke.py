"""HPKE: published exporter values, our own key schedule against the library's, refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

from secure_chat.mls.crypto.dhkem import DHKEMP256, DHKEMP521, DHKEMX25519
from secure_chat.mls.crypto.hpke import AEADS, HPKE, KDF_NUMBERS, LONG_INFO, HPKECiphertext
from secure_chat.mls.crypto.kem import KEM, HPKEPrivateKey
from secure_chat.mls.crypto.suite import CipherSuite
from secure_chat.mls.errors import CryptoError
from tests.mls.suites import ALL_SUITES

VECTORS = json.loads((Path(__file__).parent / "rfc9180.json").read_text())["vectors"]
KEMS: dict[int, KEM] = {kem.kem_id: kem for kem in (DHKEMX25519, DHKEMP256, DHKEMP521)}
HASHES = {number: name for name, number in KDF_NUMBERS.items()}
LENGTHS = {"sha256": 32, "sha384": 48, "sha512": 64}
ALGORITHMS = {aead.aead_id: aead for aead in AEADS.values()}


class ByHand:
    """A KEM that the library is not asked about: HPKE then runs its own key schedule."""

    library = None

    def __init__(self, kem: KEM) -> None:
        self._kem = kem
        self.kem_id = kem.kem_id
        self.enc_length = kem.enc_length
        self.generate = kem.generate
        self.derive_key_pair = kem.derive_key_pair
        self.private_key = kem.private_key
        self.public_key = kem.public_key
        self.check_public_key = kem.check_public_key
        self.encap = kem.encap
        self.decap = kem.decap


def by_hand(suite: CipherSuite) -> HPKE:
    return HPKE(ByHand(suite.kem), suite.hash_name, suite.hash_length, suite.hpke.aead)


@pytest.fixture(params=ALL_SUITES, ids=lambda suite: suite.name)
def suite(request: pytest.FixtureRequest) -> CipherSuite:
    found = request.param
    assert isinstance(found, CipherSuite)
    return found


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"kem{v['kem_id']}-kdf{v['kdf_id']}-aead{v['aead_id']}")
def test_exported_secrets_match_rfc_9180(vector: dict[str, Any]) -> None:
    """The receiver exports what RFC 9180's appendix lists."""
    kem = KEMS[vector["kem_id"]]
    hash_name = HASHES[vector["kdf_id"]]
    hpke = HPKE(kem, hash_name, LENGTHS[hash_name], ALGORITHMS[vector["aead_id"]])
    key = kem.private_key(bytes.fromhex(vector["skRm"]))
    for export in vector["exports"]:
        secret = hpke.setup_export_receiver(
            key,
            bytes.fromhex(vector["enc"]),
            bytes.fromhex(export["context"]),
            export["length"],
            info=bytes.fromhex(vector["info"]),
        )
        assert secret.hex() == export["value"]


def test_sealed_messages_open(suite: CipherSuite) -> None:
    """The owner of the key opens, and nothing else than what was sealed."""
    key = HPKEPrivateKey.generate(suite)
    sealed = suite.hpke.seal(key.public, b"info", b"message")
    assert suite.hpke.open(key, b"info", sealed) == b"message"


def test_our_key_schedule_is_the_librarys(suite: CipherSuite) -> None:
    """What the library seals, the key schedule of this package opens, and the reverse."""
    own, key = by_hand(suite), HPKEPrivateKey.generate(suite)
    assert own.open(key, b"info", suite.hpke.seal(key.public, b"info", b"message")) == b"message"
    assert suite.hpke.open(key, b"info", own.seal(key.public, b"info", b"message")) == b"message"


@pytest.mark.parametrize("length", [0, 1, LONG_INFO, LONG_INFO + 1, 5 * LONG_INFO])
def test_one_sealer_serves_many_receivers(suite: CipherSuite, length: int) -> None:
    """Whether the library hashes a short info each time or a long one is hashed once, every receiver can open."""
    info = bytes(length)
    sealer = suite.hpke.sealer(info)
    keys = [HPKEPrivateKey.generate(suite) for _ in range(3)]
    for number, key in enumerate(keys):
        sealed = sealer.seal(key.public, bytes([number]))
        assert suite.hpke.open(key, info, sealed) == bytes([number])
        with pytest.raises(CryptoError):
            suite.hpke.open(key, info + b"x", sealed)
        with pytest.raises(CryptoError):
            suite.hpke.open(keys[number - 1], info, sealed)


@pytest.mark.parametrize("length", [0, LONG_INFO + 1])
def test_no_sealer_takes_an_unusable_key(suite: CipherSuite, length: int) -> None:
    """Neither the library's nor our own."""
    with pytest.raises(CryptoError):
        suite.hpke.sealer(bytes(length)).seal(bytes(len(HPKEPrivateKey.generate(suite).public)), b"message")


@pytest.mark.parametrize("part", ["key", "info", "kem_output", "ciphertext", "empty"])
def test_whatever_does_not_belong_together_stays_closed(suite: CipherSuite, part: str) -> None:
    """A wrong key, info, encapsulation or ciphertext ends in CryptoError."""
    key = HPKEPrivateKey.generate(suite)
    sealed = suite.hpke.seal(key.public, b"info", b"message")
    info = b"other" if part == "info" else b"info"
    if part == "key":
        key = HPKEPrivateKey.generate(suite)
    if part == "kem_output":
        sealed = HPKECiphertext(suite.hpke.seal(key.public, b"info", b"message").kem_output, sealed.ciphertext)
    if part == "ciphertext":
        sealed = HPKECiphertext(sealed.kem_output, sealed.ciphertext[:-1] + bytes([sealed.ciphertext[-1] ^ 1]))
    if part == "empty":
        sealed = HPKECiphertext(sealed.kem_output, b"")
    for hpke in (suite.hpke, by_hand(suite)):
        with pytest.raises(CryptoError):
            hpke.open(key, info, sealed)


def test_bytes_cannot_move_between_the_two_fields(suite: CipherSuite) -> None:
    """The library takes both fields joined; a shifted border must not open."""
    key = HPKEPrivateKey.generate(suite)
    sealed = suite.hpke.seal(key.public, b"info", b"message")
    joined = sealed.kem_output + sealed.ciphertext
    for border in (0, suite.kem.enc_length - 1, suite.kem.enc_length + 1, len(joined)):
        with pytest.raises(CryptoError):
            suite.hpke.open(key, b"info", HPKECiphertext(joined[:border], joined[border:]))


def test_sealing_to_an_unusable_key_is_a_crypto_error(suite: CipherSuite) -> None:
    """All zeros is nobody's key."""
    zeros = bytes(len(HPKEPrivateKey.generate(suite).public))
    with pytest.raises(CryptoError):
        suite.hpke.seal(zeros, b"", b"message")


def test_both_sides_export_the_same_secret(suite: CipherSuite) -> None:
    """External init (§8.3): the encapsulation carries a secret that depends on the exporter context."""
    key = HPKEPrivateKey.generate(suite)
    kem_output, secret = suite.hpke.setup_export_sender(key.public, b"context", suite.hash_length)
    assert len(secret) == suite.hash_length
    assert suite.hpke.setup_export_receiver(key, kem_output, b"context", suite.hash_length) == secret
    assert suite.hpke.setup_export_receiver(key, kem_output, b"other", suite.hash_length) != secret


def test_exporting_from_a_malformed_encapsulation_is_a_crypto_error(suite: CipherSuite) -> None:
    """A stranger's kem_output must not end in another exception."""
    key = HPKEPrivateKey.generate(suite)
    with pytest.raises(CryptoError):
        suite.hpke.setup_export_receiver(key, b"short", b"", suite.hash_length)
