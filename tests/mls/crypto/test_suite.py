"""The table of cipher suites."""

import pytest

from secure_chat.mls.crypto.suite import SUITES, CipherSuite, HPKEPrivateKey, SignaturePrivateKey, suite_of
from secure_chat.mls.errors import CryptoError, UnsupportedError
from tests.mls.suites import ALL_SUITES, XWING, XWING_TS_MLS_1


@pytest.fixture(params=ALL_SUITES, ids=lambda suite: suite.name)
def suite(request: pytest.FixtureRequest) -> CipherSuite:
    found = request.param
    assert isinstance(found, CipherSuite)
    return found


def test_all_suites_of_the_rfc_and_xwing_are_there() -> None:
    """§17.1 has seven; the hybrid one has a private-use number."""
    assert list(SUITES) == [1, 2, 3, 4, 5, 6, 7, 0xF00E]
    assert all(SUITES[number].number == number for number in SUITES)


@pytest.mark.parametrize(
    ("number", "hash_length", "key_length", "enc_length"),
    [
        (1, 32, 16, 32),
        (2, 32, 16, 65),
        (3, 32, 32, 32),
        (4, 64, 32, 56),
        (5, 64, 32, 133),
        (6, 64, 32, 56),
        (7, 48, 32, 97),
        (0xF00E, 64, 32, 1120),
    ],
)
def test_lengths_are_those_of_the_algorithms(number: int, hash_length: int, key_length: int, enc_length: int) -> None:
    """Lengths follow from the names."""
    suite = suite_of(number)
    assert (suite.hash_length, suite.key_length, suite.nonce_length) == (hash_length, key_length, 12)
    assert suite.kem.enc_length == enc_length


def test_unknown_suites_are_unsupported() -> None:
    """A number without a row is a typed error."""
    with pytest.raises(UnsupportedError, match="0x0a0a"):
        suite_of(0x0A0A)


def test_a_suite_can_be_renumbered() -> None:
    """Drafts and private use number the same algorithms differently."""
    assert XWING_TS_MLS_1.number == 0x0054
    assert XWING_TS_MLS_1.name == XWING.name
    key = HPKEPrivateKey.generate(XWING)
    assert XWING_TS_MLS_1.hpke.open(key, b"", XWING.hpke.seal(key.public, b"", b"x")) == b"x"


def test_a_mac_verifies(suite: CipherSuite) -> None:
    """And nothing else does."""
    tag = suite.mac(b"key", b"data")
    assert len(tag) == suite.hash_length
    suite.verify_mac(b"key", b"data", tag)
    for key, data, other in (
        (b"kez", b"data", tag),
        (b"key", b"datb", tag),
        (b"key", b"data", tag[:-1]),
        (b"key", b"data", b""),
    ):
        with pytest.raises(CryptoError, match="MAC"):
            suite.verify_mac(key, data, other)


def test_an_aead_opens_what_it_sealed(suite: CipherSuite) -> None:
    """Only under the same key, nonce and associated data, and unaltered."""
    nonce = bytes(suite.nonce_length)
    aead = suite.aead(bytes(suite.key_length))
    sealed = aead.encrypt(nonce, b"message", b"aad")
    assert aead.decrypt(nonce, sealed, b"aad") == b"message"
    other = suite.aead(b"\1" * suite.key_length)
    with pytest.raises(CryptoError, match="AEAD"):
        other.decrypt(nonce, sealed, b"aad")
    for wrong in (
        (b"\1" * 12, sealed, b"aad"),
        (nonce, sealed, b"bad"),
        (nonce, sealed[:-1], b"aad"),
        (nonce, b"", b"aad"),
    ):
        with pytest.raises(CryptoError, match="AEAD"):
            aead.decrypt(*wrong)


def test_keys_are_made_for_a_suite(suite: CipherSuite) -> None:
    """Key classes take the suite and use its algorithms."""
    signer = SignaturePrivateKey.generate(suite)
    assert SignaturePrivateKey.from_bytes(suite, signer.private_bytes).public == signer.public
    key = HPKEPrivateKey.generate(suite)
    assert HPKEPrivateKey.from_bytes(suite, key.private_bytes).public == key.public


def test_a_suite_names_itself(suite: CipherSuite) -> None:
    """In logs and test names."""
    assert suite.name in repr(suite)
