"""The development CA and server certificates."""

import os
import stat
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given
from hypothesis import strategies as st

from secure_chat import certificates
from secure_chat.certificates import (
    CertificateError,
    CertificateFiles,
    FilesDamagedError,
    FilesExistError,
    FilesMissingError,
    HostError,
)

NOW = 1_800_000_000
DAY = 86_400


def accepted(folder: Path, host: str, now: int) -> None:
    """Verifies the folder's leaf as a strict client would; raises VerificationError."""
    made = certificates.load(folder)
    subject: x509.GeneralName
    try:
        subject = x509.IPAddress(ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    verifier = (
        PolicyBuilder().store(Store([made.ca])).time(datetime.fromtimestamp(now, UTC)).build_server_verifier(subject)
    )
    verifier.verify(made.leaf, [])


def test_certificate_is_valid_for_its_hosts_only(tmp_path: Path) -> None:
    """Names and addresses of both families, and nothing else."""
    certificates.generate(tmp_path, ["localhost", "127.0.0.1", "::1", "chat.lan"], NOW)
    for host in ("localhost", "127.0.0.1", "::1", "chat.lan"):
        accepted(tmp_path, host, NOW)
    for host in ("other.lan", "127.0.0.2"):
        with pytest.raises(VerificationError):
            accepted(tmp_path, host, NOW)


def test_certificate_lasts_89_days(tmp_path: Path) -> None:
    """Valid from an hour ago, refused after its time."""
    made = certificates.generate(tmp_path, ["localhost"], NOW)
    assert made.expires == NOW - 3_600 + 89 * DAY
    accepted(tmp_path, "localhost", NOW - 3_599)
    with pytest.raises(VerificationError):
        accepted(tmp_path, "localhost", made.expires + 1)


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
def test_keys_are_readable_by_the_owner_only(tmp_path: Path) -> None:
    """Key files 0600 and a new folder 0700, whatever the umask."""
    before = os.umask(0)
    try:
        made = certificates.generate(tmp_path / "new", ["localhost"], NOW)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.files.all()}
    assert modes == {"ca.pem": 0o644, "ca-key.pem": 0o600, "server.pem": 0o644, "server-key.pem": 0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert len(list((tmp_path / "new").iterdir())) == 4, "no temporary file is left"


@pytest.mark.parametrize("left", ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem"])
def test_existing_files_are_not_overwritten(left: str, tmp_path: Path) -> None:
    """Any one of the four is enough to refuse; with force all are replaced."""
    (tmp_path / left).write_text("precious")
    with pytest.raises(FilesExistError, match=left):
        certificates.generate(tmp_path, ["localhost"], NOW)
    assert [path.name for path in tmp_path.iterdir()] == [left]
    certificates.generate(tmp_path, ["localhost"], NOW, force=True)
    accepted(tmp_path, "localhost", NOW)


def test_renewal_keeps_ca_and_hosts(tmp_path: Path) -> None:
    """New key, new certificate, same pin: clients notice nothing."""
    old = certificates.generate(tmp_path, ["localhost", "10.0.0.1"], NOW)
    new = certificates.renew(tmp_path, NOW + 60 * DAY)
    assert new.pin == old.pin
    assert new.hosts == old.hosts
    assert new.leaf.public_key() != old.leaf.public_key()
    assert new.leaf.serial_number != old.leaf.serial_number
    accepted(tmp_path, "10.0.0.1", NOW + 100 * DAY)


def test_renewal_can_change_hosts(tmp_path: Path) -> None:
    """The host moved: the same CA vouches for the new address."""
    certificates.generate(tmp_path, ["localhost"], NOW)
    assert certificates.renew(tmp_path, NOW, hosts=["chat.lan"]).hosts == ("chat.lan",)


def test_leaf_never_outlives_the_ca(tmp_path: Path) -> None:
    """Near the CA's end the leaf is shorter; after it there is only a new CA."""
    made = certificates.generate(tmp_path, ["localhost"], NOW)
    late = made.ca_expires - 10 * DAY
    assert certificates.renew(tmp_path, late).expires == made.ca_expires
    with pytest.raises(CertificateError, match="--force"):
        certificates.renew(tmp_path, made.ca_expires)


def test_pin_is_the_hash_of_the_public_key_info(tmp_path: Path) -> None:
    """The same as `openssl pkey -pubin -outform der | sha256` gives for this fixed certificate."""
    certificate = x509.load_pem_x509_certificate(FIXED_CERTIFICATE)
    assert certificates.format_pin(certificates.pin(certificate)) == "mGV5YPRxI2cHNpGn8nV_-VA5-SJkb9a5qCmFUCzhvMo"


def test_third_of_the_lifetime_left_asks_for_renewal(tmp_path: Path) -> None:
    """59 days in: fine; 60 days in: renew."""
    made = certificates.generate(tmp_path, ["localhost"], NOW)
    assert certificates.renewal_reason(made, ["localhost"], NOW + 59 * DAY) is None
    assert "third" in str(certificates.renewal_reason(made, ["localhost"], NOW + 60 * DAY))


def test_missing_host_asks_for_renewal(tmp_path: Path) -> None:
    """A new address counts, a vanished one does not, spelling does not."""
    made = certificates.generate(tmp_path, ["localhost", "::1"], NOW)
    assert certificates.renewal_reason(made, ["LOCALHOST", "0:0::1"], NOW) is None
    assert certificates.renewal_reason(made, ["localhost", "10.0.0.9"], NOW) == "the certificate lacks 10.0.0.9"


def test_ensure_makes_keeps_and_renews(tmp_path: Path) -> None:
    """First start makes everything, the next changes nothing, a later one renews under the same CA."""
    first, note = certificates.ensure(tmp_path, ["localhost"], NOW)
    assert "made" in str(note)
    again, note = certificates.ensure(tmp_path, ["localhost"], NOW + DAY)
    assert note is None
    assert again.leaf == first.leaf
    later, note = certificates.ensure(tmp_path, ["localhost", "10.0.0.9"], NOW + DAY)
    assert "10.0.0.9" in str(note)
    assert later.pin == first.pin


def test_ensure_replaces_what_was_made_while_the_clock_was_ahead(tmp_path: Path) -> None:
    """CA and certificate, which nobody would accept for years; under the same key, so links stay good."""
    ahead = certificates.generate(tmp_path, ["localhost"], NOW + 1_000 * DAY)
    right, done = certificates.ensure(tmp_path, ["localhost"], NOW)
    assert done is not None
    assert "the clock was ahead" in done
    assert right.pin == ahead.pin
    for certificate in (right.ca, right.leaf):
        assert certificate.not_valid_before_utc.timestamp() <= NOW < certificate.not_valid_after_utc.timestamp()
    assert certificates.ensure(tmp_path, ["localhost"], NOW)[1] is None


def test_ensure_repairs_a_pair_torn_by_a_crash(tmp_path: Path) -> None:
    """A new key beside the old certificate is what a crash in mid-renewal leaves."""
    made, _ = certificates.ensure(tmp_path, ["localhost"], NOW)
    old = made.files.server.read_bytes()
    certificates.renew(tmp_path, NOW)
    made.files.server.write_bytes(old)
    with pytest.raises(FilesDamagedError, match="is not the key of"):
        certificates.load(tmp_path)
    repaired, note = certificates.ensure(tmp_path, ["localhost"], NOW)
    assert "renewed" in str(note)
    assert repaired.pin == made.pin
    accepted(tmp_path, "localhost", NOW)


def test_ensure_starts_over_after_a_crash_in_the_first_run(tmp_path: Path) -> None:
    """A CA key without anything it has signed was never used."""
    files = CertificateFiles(tmp_path)
    files.ca_key.write_text("whatever a crash left")
    _, note = certificates.ensure(tmp_path, ["localhost"], NOW)
    assert "made" in str(note)
    accepted(tmp_path, "localhost", NOW)


def test_ensure_serves_on_where_the_ca_key_is_offline(tmp_path: Path) -> None:
    """An old but valid certificate still works; the note says what to do."""
    made, _ = certificates.ensure(tmp_path, ["localhost"], NOW)
    made.files.ca_key.unlink()
    kept, note = certificates.ensure(tmp_path, ["localhost"], NOW + 80 * DAY)
    assert kept.leaf == made.leaf
    assert "--renew" in str(note)


def test_ensure_never_makes_a_second_ca(tmp_path: Path) -> None:
    """Half of the files missing is an error to look at, not a reason to lose the pin."""
    made, _ = certificates.ensure(tmp_path, ["localhost"], NOW)
    made.files.ca.unlink()
    with pytest.raises(FilesMissingError, match=r"ca\.pem"):
        certificates.ensure(tmp_path, ["localhost"], NOW)


@pytest.mark.parametrize("name", ["ca.pem", "server.pem", "server-key.pem"])
def test_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    """Which file can't be read stands in the error."""
    certificates.generate(tmp_path, ["localhost"], NOW)
    (tmp_path / name).write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with pytest.raises(FilesDamagedError, match=name):
        certificates.load(tmp_path)


def test_leaf_of_another_ca_is_refused(tmp_path: Path) -> None:
    """Files mixed from two folders are noticed on load and on renewal."""
    one = certificates.generate(tmp_path / "one", ["localhost"], NOW)
    two = certificates.generate(tmp_path / "two", ["localhost"], NOW)
    one.files.ca.write_bytes(two.files.ca.read_bytes())
    with pytest.raises(FilesDamagedError, match="was not issued by"):
        certificates.load(tmp_path / "one")
    with pytest.raises(FilesDamagedError, match="is not the key of"):
        certificates.renew(tmp_path / "one", NOW)


def test_encrypted_or_foreign_key_is_refused(tmp_path: Path) -> None:
    """An Ed25519 key is no key of ours."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made = certificates.generate(tmp_path, ["localhost"], NOW)
    made.files.server_key.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(FilesDamagedError, match="no ECDSA key"):
        certificates.load(tmp_path)


@pytest.mark.parametrize("days", [0, -1, 398])
def test_impossible_lifetime_is_refused(days: int, tmp_path: Path) -> None:
    """Nothing is written for a lifetime that clients refuse."""
    with pytest.raises(CertificateError, match="1 to 397 days"):
        certificates.generate(tmp_path / "new", ["localhost"], NOW, days=days)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "host", ["", " ", "a b", "https://chat.lan", "chat.lan:7443", "192.168.1.256", "chät.lan", "-a", "a..b", "a" * 254]
)
def test_impossible_host_is_refused(host: str, tmp_path: Path) -> None:
    """The error repeats what was given and says what is expected."""
    with pytest.raises(HostError, match="neither a host name nor an IP address"):
        certificates.generate(tmp_path, [host], NOW)
    assert not list(tmp_path.iterdir())


def test_no_host_at_all_is_refused(tmp_path: Path) -> None:
    """A certificate for nobody is none."""
    with pytest.raises(HostError, match="at least one"):
        certificates.generate(tmp_path, [], NOW)


@given(st.text(max_size=60))
def test_any_host_is_accepted_or_refused_with_the_typed_error(host: str) -> None:
    """Whatever passes can stand in a certificate."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        try:
            made = certificates.generate(Path(folder) / "c", [host], NOW)
        except HostError:
            return
        assert len(made.hosts) == 1


def test_names_of_the_files_are_fixed(tmp_path: Path) -> None:
    """The documentation names them."""
    files = CertificateFiles(tmp_path)
    assert [path.name for path in files.all()] == ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem"]


FIXED_CERTIFICATE = b"""\
-----BEGIN CERTIFICATE-----
MIIBijCCATGgAwIBAgIUBc/Gyt94ou3bWcKdQmEKLL60XFcwCgYIKoZIzj0EAwIw
IjEgMB4GA1UEAwwXc2VjdXJlLWNoYXQgQ0EgYzQxZWY1MTIwHhcNMjYxMTIwMDM0
NTU0WhcNMzYxMTE3MDM0NTU0WjAiMSAwHgYDVQQDDBdzZWN1cmUtY2hhdCBDQSBj
NDFlZjUxMjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDvs7LeDsIoLtDy/F/pd
4QEi5Z50iIVsw0QsIQy51qWwh78tB9cPb+IQONEDzRCvGwFYy/FCOYQJ2R8jdq55
fYCjRTBDMBIGA1UdEwEB/wQIMAYBAf8CAQAwDgYDVR0PAQH/BAQDAgEGMB0GA1Ud
DgQWBBTJdCMuY57ofQjnJkxcl55EMZFqHDAKBggqhkjOPQQDAgNHADBEAiAdcE3J
JSouu6xoWn4YlUh4rrjeYPUOEAMn5o1ZnRZirgIgNkzsdYWVPzDLQ9NMqgq1hTHT
NoalYjC/ofREh7j8PH4=
-----END CERTIFICATE-----
"""
