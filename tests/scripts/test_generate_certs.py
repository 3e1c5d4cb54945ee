"""The certificate script, run as people run it."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "generate_certs.py"


def run(
    *arguments: str, cwd: Path, python: tuple[str, ...] = (sys.executable,), script: Path = SCRIPT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*python, str(script), *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def bare_checkout(folder: Path) -> Path:
    """The script in a checkout where start.py has not run."""
    script = folder / "checkout" / "scripts" / SCRIPT.name
    script.parent.mkdir(parents=True)
    script.write_bytes(SCRIPT.read_bytes())
    (folder / "checkout" / "secure_chat").symlink_to(SCRIPT.parent.parent / "secure_chat")
    return script


def test_makes_certificates_from_any_folder(tmp_path: Path) -> None:
    """Uninstalled, from elsewhere: four files, and the output says what is what."""
    result = run("--host", "chat.lan", "--host", "192.168.1.10", "--out", "made", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [
        "ca-key.pem",
        "ca.pem",
        "server-key.pem",
        "server.pem",
    ]
    for expected in ("localhost, 127.0.0.1, ::1, chat.lan, 192.168.1.10", "CA pin   ", "Expires  ", "server-key.pem"):
        assert expected in result.stdout


def test_refuses_to_overwrite_and_renews(tmp_path: Path) -> None:
    """A second run is refused in one line; --renew keeps the pin, --force changes it."""

    def pin(output: str) -> str:
        return next(line for line in output.splitlines() if line.startswith("CA pin"))

    first = run("--out", ".", cwd=tmp_path)
    again = run("--out", ".", cwd=tmp_path)
    assert again.returncode == 1
    assert again.stdout == ""
    assert len(again.stderr.splitlines()) == 1
    assert "--renew" in again.stderr
    renewed = run("--out", ".", "--renew", "--days", "30", cwd=tmp_path)
    assert (renewed.returncode, pin(renewed.stdout)) == (0, pin(first.stdout))
    forced = run("--out", ".", "--force", cwd=tmp_path)
    assert forced.returncode == 0
    assert pin(forced.stdout) != pin(first.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "https://x"), "neither a host name nor an IP address"),
        (("--days", "0"), "1 to 397 days"),
        (("--renew",), "is missing"),
        (("--out", "file"), "file"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    """What was wrong, on stderr, without a traceback."""
    (tmp_path / "file").write_text("in the way")
    out = () if "--out" in arguments else ("--out", "out")
    result = run(*arguments, *out, cwd=tmp_path)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr


def test_without_cryptography_it_names_the_way_out(tmp_path: Path) -> None:
    """A bare Python, without any installed package, gets one line."""
    checkout = bare_checkout(tmp_path)
    result = run("--out", "out", cwd=tmp_path, python=(sys.executable, "-I", "-S"), script=checkout)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "scripts/start.py" in result.stderr


def test_any_python_will_do_once_start_has_installed_the_packages(tmp_path: Path) -> None:
    """The script goes on under the environment beside it."""
    script = bare_checkout(tmp_path)
    prepared = tmp_path / "checkout" / ".venv" / "bin" / "python"
    prepared.parent.mkdir(parents=True)
    prepared.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    prepared.chmod(0o755)
    result = run("--out", "out", cwd=tmp_path, python=(sys.executable, "-I", "-S"), script=script)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "out" / "server.pem").exists()
