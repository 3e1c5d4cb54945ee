#!/usr/bin/env python3
"""Makes a development CA and a server certificate: `python3 scripts/generate_certs.py --host chat.lan`.

Runs from a checkout without installation; needs only the `cryptography` package, and finds it where start.py put it.
"""

import argparse
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

NEEDS_CRYPTOGRAPHY = 42

PREPARED = ROOT / (".venv/Scripts/python.exe" if os.name == "nt" else ".venv/bin/python")
"""The Python of the environment that start.py makes."""

try:
    import cryptography

    if int(cryptography.__version__.split(".")[0]) < NEEDS_CRYPTOGRAPHY:
        raise ModuleNotFoundError(name="cryptography")
    from secure_chat import certificates
    from secure_chat.certificates import CertificateError, FilesMissingError, ServerCertificate
except ModuleNotFoundError as error:
    if PREPARED.exists() and Path(sys.prefix) != PREPARED.parent.parent:
        sys.exit(subprocess.run([str(PREPARED), *sys.argv], check=False).returncode)
    sys.exit(f"generate_certs: the package {error.name!r} is missing or too old; python3 scripts/start.py installs it")

EXAMPLES = """examples:
  python3 scripts/generate_certs.py                                        for this machine only
  python3 scripts/generate_certs.py --host chat.lan --host 192.168.1.10    for a network
  python3 scripts/generate_certs.py --renew                                new certificate, same CA
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="generate_certs.py",
        description="Make a development CA and a server certificate for secure-chat.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME_OR_IP",
        help="a name or address of the server, beside localhost, 127.0.0.1 and ::1; may be repeated",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "certs", metavar="DIR", help="folder for the files (certs)")
    parser.add_argument(
        "--days", type=int, default=certificates.LEAF_DAYS, help="lifetime of the server certificate (%(default)s)"
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--renew", action="store_true", help="new server certificate under the existing CA")
    action.add_argument("--force", action="store_true", help="replace everything, the CA too: old invite links end")
    options = parser.parse_args(arguments)

    hosts = [*certificates.DEFAULT_HOSTS, *options.host]
    now = int(time.time())
    try:
        if options.renew:
            made = certificates.renew(options.out, now, hosts=hosts if options.host else None, days=options.days)
        else:
            made = certificates.generate(options.out, hosts, now, days=options.days, force=options.force)
    except FilesMissingError as error:
        print(f"generate_certs: {error}: --renew needs what an earlier run made", file=sys.stderr)
        return 1
    except CertificateError as error:
        print(f"generate_certs: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"generate_certs: {error.filename or options.out}: {error.strerror}", file=sys.stderr)
        return 1
    print(describe(made))
    return 0


def describe(made: ServerCertificate) -> str:
    """What was made, and which file goes where."""
    files = made.files
    purposes = {
        files.server: "server: shown to everybody",
        files.server_key: "server: secret, stays there",
        files.ca: "clients: what they trust; the invite link lets them fetch it",
        files.ca_key: "secret: needed to renew, may be kept offline",
    }
    width = max(len(str(path)) for path in purposes)
    return "\n".join(
        (
            f"Certificate for {', '.join(made.hosts)}",
            *(f"  {path!s:{width}}  {purpose}" for path, purpose in purposes.items()),
            f"CA pin   {certificates.format_pin(made.pin)}",
            f"Expires  {date(made.expires)} (server certificate), {date(made.ca_expires)} (CA)",
            "Next     secure-chat server   (uses certs/ when it is there)",
        )
    )


def date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


if __name__ == "__main__":
    sys.exit(main())
