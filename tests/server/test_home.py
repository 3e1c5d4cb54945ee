"""The data directory, addresses and whose certificate is served."""

import time
from pathlib import Path

import pytest

from secure_chat import certificates
from secure_chat.server.config import Configuration
from secure_chat.server.errors import ConfigurationError, LockedError
from secure_chat.server.home import Home, certificate_hosts, link_host, listen_addresses

NOW = int(time.time())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":7443", ("", 7443)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("chat.lan:443", ("chat.lan", 443)),
        ("chat.lan", ("chat.lan", 7443)),
        ("[::1]:9", ("::1", 9)),
        ("[::]", ("::", 7443)),
        ("fd00::1", ("fd00::1", 7443)),
    ],
)
def test_listen_addresses_are_read_as_people_write_them(text: str, address: tuple[str, int]) -> None:
    """Without a host: everywhere; without a port: ours."""
    assert listen_addresses(Configuration(listen=(text,))) == [address]


@pytest.mark.parametrize("text", ["chat.lan:x", "chat.lan:70000", "[::1]:"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """With an example of one."""
    with pytest.raises(ConfigurationError, match="host:port is meant"):
        listen_addresses(Configuration(listen=(text,)))


def test_links_name_the_first_host_and_certificates_all_of_them() -> None:
    """Given hosts first; loopback only where nothing else is listened on."""
    given = Configuration(hosts=("chat.lan", "192.168.1.10"))
    assert link_host(given) == "chat.lan"
    assert certificate_hosts(given)[:2] == ["chat.lan", "192.168.1.10"]
    local = Configuration(listen=("127.0.0.1:1",))
    assert (link_host(local), certificate_hosts(local)) == ("127.0.0.1", ["localhost", "127.0.0.1", "::1"])
    assert link_host(Configuration()) not in ("", "0.0.0.0", "::")


def test_one_process_owns_a_directory(tmp_path: Path) -> None:
    """Until it lets go."""
    first, second = Home(tmp_path / "data"), Home(tmp_path / "data")
    first.prepare()
    assert first.root.stat().st_mode & 0o077 == 0
    first.acquire()
    with pytest.raises(LockedError, match="another process serves"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_the_directory_key_is_made_once(tmp_path: Path) -> None:
    """Private, and the same ever after; a damaged one is not replaced silently."""
    home = Home(tmp_path)
    made = home.directory_key()
    assert home.directory_key().public == made.public
    assert home.directory_key_file.stat().st_mode & 0o077 == 0
    home.directory_key_file.write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="is no directory key"):
        home.directory_key()


def test_a_certificate_is_made_kept_and_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First run, later runs, a third of the lifetime left, another address."""
    monkeypatch.chdir(tmp_path)
    home, local = Home(tmp_path / "data"), Configuration(listen=("127.0.0.1:1",))
    home.prepare()
    first, done = home.certificate(local, NOW)
    assert done is not None
    assert first.own
    assert home.certificate(local, NOW + 1) == (first, None)
    assert home.certificate_as_it_is(local) == first
    later, done = home.certificate(local, NOW + 62 * 86_400)
    assert done is not None
    assert "third" in done
    assert later.pin == first.pin
    assert later.expires > first.expires
    named, done = home.certificate(Configuration(hosts=("chat.lan",)), NOW + 62 * 86_400)
    assert done is not None
    assert "chat.lan" in done
    assert "chat.lan" in named.hosts


def test_certificates_beside_a_checkout_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What scripts/generate_certs.py made, when the relay is started there."""
    monkeypatch.chdir(tmp_path)
    made = certificates.generate(Path("certs"), ["chat.lan"], NOW)
    home = Home(tmp_path / "data")
    home.prepare()
    used, done = home.certificate(Configuration(), NOW)
    assert done is None
    assert (used.pin, used.hosts) == (made.pin, made.hosts)
    assert not home.certificates.exists()


def test_certificates_beside_a_checkout_are_used_from_elsewhere_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start or a command in another folder must not make another authority."""
    monkeypatch.chdir(tmp_path)
    made = certificates.generate(Path("certs"), ["chat.lan"], NOW)
    home = Home(tmp_path / "data")
    home.prepare()
    used, _ = home.certificate(Configuration(), NOW)
    assert home.remember_authority(used) is None
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again, done = home.certificate(Configuration(), NOW)
    assert (again.pin, done) == (made.pin, None)
    assert home.certificate_as_it_is(Configuration()).pin == made.pin
    assert home.remember_authority(again) is None
    (tmp_path / "certs").rename(tmp_path / "moved")
    with pytest.raises(ConfigurationError, match="are gone: bring them back"):
        home.certificate(Configuration(), NOW)
    assert not home.certificates.exists()


def test_a_relay_that_runs_in_its_own_directory_renews_for_new_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the systemd unit has it: the certificates beside it are its own, not those of a checkout."""
    monkeypatch.chdir(tmp_path)
    for home in (Home(tmp_path), Home(Path())):
        home.certificate(Configuration(hosts=("old.lan",)), NOW)
        used, done = home.certificate(Configuration(hosts=("new.lan",)), NOW)
        assert done is not None
        assert "new.lan" in used.hosts


def test_another_authority_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clients will refuse the relay, and the operator should know why."""
    monkeypatch.chdir(tmp_path)
    home = Home(tmp_path / "data")
    home.prepare()
    first, _ = home.certificate(Configuration(), NOW)
    assert home.remember_authority(first) is None
    certificates.generate(Path("certs"), ["chat.lan"], NOW)
    second, _ = home.certificate(Configuration(), NOW)
    warning = home.remember_authority(second)
    assert warning is not None
    assert "another certificate authority" in warning
    assert home.remember_authority(second) is None
    files = Path("certs").absolute()
    public = Configuration(certificate=str(files / "server.pem"), key=str(files / "server-key.pem"))
    assert home.remember_authority(home.certificate(public, NOW)[0]) is not None
