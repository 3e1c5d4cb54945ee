"""Credentials: round trips, unknown types, and the rule for certificates."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.mls.codec import Reader
from secure_chat.mls.credential.credential import (
    CREDENTIAL,
    BasicCredential,
    Credential,
    UnknownCredential,
    X509Credential,
    check_certificate_key,
)
from secure_chat.mls.crypto.suite import CipherSuite, SignaturePrivateKey
from secure_chat.mls.errors import DecodeError, ValidationError
from tests.mls.suites import ALL_SUITES, FAST

CertificateKey = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CURVES: dict[str, ec.EllipticCurve] = {"P256": ec.SECP256R1(), "P384": ec.SECP384R1(), "P521": ec.SECP521R1()}


def certificate(key: CertificateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, algorithm)
        .public_bytes(Encoding.DER)
    )


def library_key(suite: CipherSuite, key: SignaturePrivateKey) -> CertificateKey:
    kind = suite.name.rsplit("_", 1)[1]
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(key.private_bytes)
    if kind == "Ed448":
        return ed448.Ed448PrivateKey.from_private_bytes(key.private_bytes)
    return ec.derive_private_key(int.from_bytes(key.private_bytes, "big"), CURVES[kind])


def write(credential: Credential) -> bytes:
    out = bytearray()
    CREDENTIAL.write(credential, out)
    return bytes(out)


credentials = (
    st.builds(BasicCredential, st.binary(max_size=100))
    | st.builds(X509Credential, st.lists(st.binary(max_size=100), max_size=3).map(tuple))
    | st.builds(UnknownCredential, st.integers(3, 0xFFFF), st.binary(max_size=100))
)


@given(credentials)
def test_credentials_survive_a_round_trip(credential: Credential) -> None:
    """Of known and unknown types."""
    encoded = write(credential)
    assert CREDENTIAL.read(Reader(encoded)) == credential
    assert int.from_bytes(encoded[:2], "big") == credential.credential_type


def test_the_wire_form_is_the_rfcs() -> None:
    """§5.3."""
    assert write(BasicCredential(b"al")).hex() == "0001" + "02" + b"al".hex()
    assert write(X509Credential((b"c1", b"c"))).hex() == "0002" + "05" + "02" + b"c1".hex() + "01" + b"c".hex()


def test_a_truncated_credential_is_malformed() -> None:
    """An identity shorter than its header says."""
    with pytest.raises(DecodeError):
        CREDENTIAL.read(Reader(b"\0\1\5abc"))


@pytest.mark.parametrize("suite", ALL_SUITES, ids=lambda suite: suite.name)
def test_a_certificate_for_the_signature_key_is_accepted(suite: CipherSuite) -> None:
    """§5.3, in every suite's form of public keys."""
    key = SignaturePrivateKey.generate(suite)
    check_certificate_key(X509Credential((certificate(library_key(suite, key)),)), key.public)


def test_a_certificate_for_another_key_is_refused() -> None:
    """§5.3: the keys must be identical."""
    key = SignaturePrivateKey.generate(FAST)
    credential = X509Credential((certificate(ed25519.Ed25519PrivateKey.generate()),))
    with pytest.raises(ValidationError, match="not the signature key"):
        check_certificate_key(credential, key.public)


def test_only_the_first_certificate_counts() -> None:
    """§5.3: the end entity comes first; the issuer's key is not the leaf's."""
    key = SignaturePrivateKey.generate(FAST)
    own, other = certificate(library_key(FAST, key)), certificate(ed25519.Ed25519PrivateKey.generate())
    check_certificate_key(X509Credential((own, other)), key.public)
    with pytest.raises(ValidationError):
        check_certificate_key(X509Credential((other, own)), key.public)


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ((), "without a certificate"),
        ((b"",), "malformed"),
        ((b"\x30\x03\x02\x01\x01",), "malformed"),
    ],
)
def test_chains_that_are_none_are_refused(chain: tuple[bytes, ...], message: str) -> None:
    """An empty chain, and bytes that are no certificate."""
    with pytest.raises(ValidationError, match=message):
        check_certificate_key(X509Credential(chain), b"key")


def test_certificates_with_unusable_keys_are_refused() -> None:
    """No cipher suite signs with RSA."""
    credential = X509Credential((certificate(rsa.generate_private_key(65537, 2048)),))
    with pytest.raises(ValidationError, match="no cipher suite"):
        check_certificate_key(credential, b"key")


def test_other_credentials_are_the_policys_part() -> None:
    """A bare identity names no key that could be compared."""
    check_certificate_key(BasicCredential(b"alice"), b"key")
    check_certificate_key(UnknownCredential(9, b"alice"), b"key")
