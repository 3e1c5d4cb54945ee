"""The certificate that a relay shows, given by the operator or its own."""

import time
from pathlib import Path

import pytest
import trustme

from secure_chat import certificates
from secure_chat.server.certificate import EXPIRES_SOON, given_certificate, own_certificate, validity_problem
from secure_chat.server.config import Configuration
from secure_chat.server.errors import ConfigurationError

NOW = int(time.time())
DAY = 86_400


def configuration(folder: Path, leaf: trustme.LeafCert, ca: trustme.CA | None) -> Configuration:
    """With the leaf and its chain in one file, as operators have it."""
    folder.mkdir(exist_ok=True)
    chain, key, authority = folder / "chain.pem", folder / "key.pem", folder / "ca.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(key)
    if ca is not None:
        ca.cert_pem.write_to_path(authority)
    return Configuration(certificate=str(chain), key=str(key), ca=str(authority) if ca is not None else "")


def test_files_that_are_no_certificates_are_named(tmp_path: Path) -> None:
    """The option and the file."""
    missing = Configuration(certificate=str(tmp_path / "x.pem"), key=str(tmp_path / "y.pem"))
    with pytest.raises(ConfigurationError, match=r"certificate: .*x\.pem: No such file"):
        given_certificate(missing)
    (tmp_path / "x.pem").write_text("hello")
    with pytest.raises(ConfigurationError, match=r"x\.pem is no certificate in PEM form"):
        given_certificate(missing)


def test_a_public_authority_is_not_pinned(tmp_path: Path) -> None:
    """Without a CA file clients use their system's."""
    given = given_certificate(configuration(tmp_path, trustme.CA().issue_cert("chat.example"), None))
    assert (given.ca_der, given.pin, given.own) == (b"", None, False)
    assert given.hosts == ("chat.example",)


def test_an_authority_is_pinned_if_it_issued_the_certificate(tmp_path: Path) -> None:
    """Itself, or by way of others in the file."""
    root = trustme.CA()
    assert given_certificate(configuration(tmp_path / "direct", root.issue_cert("chat.lan"), root)).pin
    leaf = root.create_child_ca().issue_cert("chat.lan")
    assert given_certificate(configuration(tmp_path / "chain", leaf, root)).pin


def test_an_authority_that_did_not_is_refused(tmp_path: Path) -> None:
    """Every client would otherwise be told that somebody may sit in between."""
    root = trustme.CA()
    with pytest.raises(ConfigurationError, match=r"chain\.pem was not issued by ca: "):
        given_certificate(configuration(tmp_path, root.issue_cert("chat.lan"), trustme.CA()))
    leaf = root.create_child_ca().issue_cert("chat.lan")
    cut = configuration(tmp_path, leaf, root)
    Path(cut.certificate).write_bytes(leaf.cert_chain_pems[0].bytes())
    with pytest.raises(ConfigurationError, match="was not issued by"):
        given_certificate(cut)


def test_its_own_is_described_alike(tmp_path: Path) -> None:
    """With the times that clients look at."""
    made = certificates.generate(tmp_path / "certs", ["chat.lan"], NOW)
    own = own_certificate(made)
    assert (own.pin, own.hosts, own.own) == (made.pin, ("chat.lan",), True)
    assert own.begins < NOW < own.expires


def test_what_clients_refuse_is_told_before() -> None:
    """And while there is time only to whom has to act."""
    begins, expires = NOW - DAY, NOW + 90 * DAY
    assert validity_problem(begins, expires, NOW, own=False) is None
    assert validity_problem(begins, expires, begins - 1, own=True) == (
        True,
        "is not valid yet: a clock is or was wrong",
    )
    assert validity_problem(begins, expires, expires, own=True) == (True, "has expired less than a day ago")
    assert validity_problem(begins, expires, expires + 2 * DAY, own=True) == (True, "has expired 2 days ago")
    soon = expires - EXPIRES_SOON + 1
    assert validity_problem(begins, expires, soon, own=False) == (False, "expires in 29 days")
    assert validity_problem(begins, expires, soon, own=True) is None
