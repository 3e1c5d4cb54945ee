"""The data directory: what lies where, whose certificate is used, and that only one process serves it."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from secure_chat import certificates
from secure_chat.certificates import DEFAULT_HOSTS, CertificateFiles
from secure_chat.identity.errors import IdentityError
from secure_chat.identity.invite import DEFAULT_PORT, format_address, parse_address
from secure_chat.identity.keys import DirectoryKey
from secure_chat.server.certificate import RelayCertificate, given_certificate, own_certificate
from secure_chat.server.config import Configuration
from secure_chat.server.errors import ConfigurationError, LockedError
from secure_chat.transport.addresses import local_hosts

__all__ = ["Home", "certificate_hosts", "link_host", "listen_addresses", "metrics_address"]

CHECKOUT_CERTIFICATES = Path("certs")
"""Where `scripts/generate_certs.py` puts its files; used when the relay is started beside it, and from then on."""
PUBLIC = "system"
"""In the place of a pin: public authorities."""


class Home:
    """The directory of one relay; private to its user."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "relay.sqlite"
        self.certificates = root / "certs"
        self.control = root / "control"
        self.directory_key_file = root / "directory-key"
        self._lock_file = root / "lock"
        self._address_file = root / "address"
        self._authority_file = root / "authority"
        self._place_file = root / "certificates-in"
        self._lock: IO[bytes] | None = None

    def prepare(self) -> None:
        """Makes the directory, readable for its owner only; ConfigurationError if that can't be."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.name == "posix" and self.root.stat().st_mode & 0o077:
                self.root.chmod(0o700)
        except OSError as error:
            raise ConfigurationError(f"data directory {self.root}: {error.strerror}") from None

    def acquire(self) -> None:
        """Keeps other processes from serving this directory until this one ends; LockedError if one does."""
        try:
            self._lock = self._lock_file.open("a+b")
        except OSError as error:
            raise ConfigurationError(f"{self._lock_file}: {error.strerror}") from None
        try:
            _lock(self._lock)
        except OSError:
            self._lock.close()
            self._lock = None
            raise LockedError(f"another process serves {self.root}: stop it first, or give another --data") from None

    def release(self) -> None:
        """Lets others."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def last_address(self) -> tuple[str, int] | None:
        """Host and port that links named when the relay ran last, for links made while it is stopped."""
        try:
            return parse_address(self._address_file.read_text(encoding="utf-8").strip())
        except (OSError, ValueError, IdentityError):
            return None

    @last_address.setter
    def last_address(self, address: tuple[str, int]) -> None:
        try:
            self._address_file.write_text(format_address(*address) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{self._address_file}: {error.strerror}") from None

    def small_files(self, folder: Path | None = None) -> dict[str, Path]:
        """Keys and certificates by their names in a backup, the latter in `folder` or this directory's own."""
        files = {path.name: path for path in CertificateFiles(folder or self.certificates).all()}
        return {f"certs/{name}": path for name, path in files.items()} | {
            path.name: path for path in (self.directory_key_file, self._authority_file)
        }

    def own_certificates(self) -> Path:
        """The folder of the relay's own certificates: `certs/` beside it, else the one used last, else this one's.

        Raises ConfigurationError where those used last are gone: another authority in their place would shut out
        everybody who has joined.
        """
        beside = CHECKOUT_CERTIFICATES.absolute()
        if beside != self.certificates.absolute() and CertificateFiles(beside).server.exists():
            return beside
        last = _first_line(self._place_file)
        if not last:
            return self.certificates
        if not CertificateFiles(Path(last)).server.exists():
            raise ConfigurationError(
                f"this relay's certificates, in {last}, are gone: bring them back; or remove {self._place_file} to go "
                "on with another authority, for which every client has to join anew"
            )
        return Path(last)

    def remember_authority(self, used: RelayCertificate) -> str | None:
        """Notes whose certificate is served and where it lies; what to tell the operator if it was another's before."""
        pin = PUBLIC if used.pin is None else certificates.format_pin(used.pin)
        place = used.certificate.parent.absolute() if used.own else self.certificates
        before = _first_line(self._authority_file)
        try:
            if before != pin:
                self._authority_file.write_text(pin + "\n", encoding="utf-8")
            if place == self.certificates.absolute() or not used.own:
                self._place_file.unlink(missing_ok=True)
            elif _first_line(self._place_file) != str(place):
                self._place_file.write_text(f"{place}\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{error.filename}: {error.strerror}") from None
        if before in ("", pin):
            return None
        return "another certificate authority than before: clients refuse it until they join anew, old links have ended"

    def forget_place(self) -> None:
        """After a restore: its certificates are in this directory."""
        self._place_file.unlink(missing_ok=True)

    def directory_key(self) -> DirectoryKey:
        """The key that vouches for handles, made on first use; clients pin it. Raises ConfigurationError."""
        path = self.directory_key_file
        try:
            if not path.exists():
                seed = DirectoryKey.generate().seed
                unfinished = path.with_name(path.name + ".part")
                unfinished.unlink(missing_ok=True)
                with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(seed)
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.replace(path)
            return DirectoryKey(path.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}") from None
        except ValueError:
            raise ConfigurationError(f"{path} is no directory key: restore it from a backup") from None

    def certificate(self, configuration: Configuration, now: int) -> tuple[RelayCertificate, str | None]:
        """The certificate to serve, made or renewed where the relay has its own, and what was done about it."""
        if configuration.certificate:
            return given_certificate(configuration), None
        folder = self.own_certificates()
        made_here = folder == self.certificates
        hosts = certificate_hosts(configuration) if made_here else certificates.load(folder).hosts
        loaded, done = certificates.ensure(folder, hosts, now)
        return own_certificate(loaded), done

    def certificate_as_it_is(self, configuration: Configuration) -> RelayCertificate:
        """The same without making or renewing anything; raises SecureChatError."""
        if configuration.certificate:
            return given_certificate(configuration)
        return own_certificate(certificates.load(self.own_certificates()))


def listen_addresses(configuration: Configuration) -> list[tuple[str, int]]:
    """(host, port) of every `listen`; an empty host means all addresses."""
    found: list[tuple[str, int]] = []
    for text in configuration.listen:
        host, separator, port = text.rpartition(":")
        if not separator or text.endswith("]") or (":" in host and not host.startswith("[")):
            host, port = text, str(DEFAULT_PORT)  # no port, or the colons are those of an IPv6 address
        if not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ConfigurationError(f"listen: {text}: host:port is meant, such as 0.0.0.0:{DEFAULT_PORT}")
        found.append((host.removeprefix("[").removesuffix("]"), int(port)))
    return found


def metrics_address(configuration: Configuration) -> tuple[str, int]:
    """(host, port) of `metrics`; raises ConfigurationError."""
    host, _, port = configuration.metrics.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(f"metrics: {configuration.metrics}: host:port is meant, such as 127.0.0.1:9464")
    return host, int(port)


def certificate_hosts(configuration: Configuration) -> list[str]:
    """Every name and address under which clients may come."""
    if configuration.hosts:
        return list(dict.fromkeys((*_bare(configuration.hosts), *DEFAULT_HOSTS)))
    hosts = [host for host, _ in listen_addresses(configuration)]
    outside = [] if all(_is_loopback(host) for host in hosts) else local_hosts()
    return list(dict.fromkeys((*outside, *DEFAULT_HOSTS)))


def link_host(configuration: Configuration) -> str:
    """The address that invite links name."""
    if configuration.hosts:
        return _bare(configuration.hosts)[0]
    first = listen_addresses(configuration)[0][0]
    if first and first not in ("0.0.0.0", "::"):  # noqa: S104
        return first
    return (local_hosts() or ["localhost"])[0]


def _bare(hosts: Sequence[str]) -> list[str]:
    return [parse_address(f"[{host}]" if ":" in host and not host.startswith("[") else host)[0] for host in hosts]


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _first_line(path: Path) -> str:
    """Of a file that this relay wrote; empty where it is not there."""
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError):
        return ""


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
