"""The operator's commands, on the running relay and on its database alone."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secure_chat import certificates
from secure_chat.identity.invite import InviteLink
from secure_chat.server.tables import day
from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import EntryKind, Error
from tests.relay_client import Person
from tests.relay_process import RelayProcess, running

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    with running(tmp_path) as started:
        yield started


def command(relay: RelayProcess, *arguments: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "secure_chat", "server", "--data", str(data or relay.data), *arguments]
    return subprocess.run(
        line, cwd=relay.data.parent, env={"PYTHONPATH": str(ROOT), "HOME": str(relay.data.parent)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def ask(relay: RelayProcess, *arguments: str) -> Any:
    """A command with --json that succeeds."""
    result = command(relay, *arguments, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def refused(relay: RelayProcess, *arguments: str) -> str:
    """The one line of a command that fails."""
    result = command(relay, *arguments)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    said = [line for line in result.stderr.splitlines() if not line.startswith("{")]  # besides the log
    assert len(said) == 1, result.stderr
    return said[0]


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (("account", "suspend", "nobody"), "failed", 1),
        (("invite", "revoke", "ffffffff"), "failed", 1),
        (("backup", "/nowhere/at/all"), "failed", 1),
        (("invite", "create", "--uses", "many"), "invalid", 2),
        (("account", "reward", "alice"), "invalid", 2),
    ],
)
def test_failures_are_json_for_scripts(
    relay: RelayProcess, arguments: tuple[str, ...], code: str, exit_code: int
) -> None:
    """One object that says what failed, and the exit code that the command has anyway."""
    result = command(relay, *arguments, "--json")
    assert result.returncode == exit_code
    error = json.loads(result.stdout)["error"]
    assert error["code"] == code
    assert error["message"]
    assert "\n" not in error["message"]


def test_the_first_run_prints_a_link_that_lets_one_account_in(tmp_path: Path) -> None:
    """The data directory is private, and a second start prints no link."""
    relay = RelayProcess(tmp_path)
    relay.start()
    assert relay.data.stat().st_mode & 0o077 == 0
    assert relay.home.database.stat().st_mode & 0o077 == 0
    assert relay.stop() == 0
    lines = [line for line in relay.output.splitlines() if line.startswith("secure-chat://")]
    assert len(lines) == 1
    link = InviteLink.parse(lines[0])
    assert link.port == relay.address[1]
    relay.output = ""
    relay.start()
    relay.enter(Person("alice"), link.token).close()
    with relay.connect() as second:
        second.hello()
        with pytest.raises(RelayError):
            second.register(Person("bob"), link.token)
    assert relay.stop() == 0
    assert relay.output == ""


def test_a_first_run_that_failed_costs_no_link(tmp_path: Path) -> None:
    """The port was taken: that is said with what to do, and the next start prints the link."""
    relay = RelayProcess(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "choose another port" in refused(relay, "--listen", f"127.0.0.1:{port}")
    relay.start()
    assert relay.stop() == 0
    assert relay.output.count("secure-chat://") == 1


def test_invites_of_a_stopped_relay_name_its_last_address(tmp_path: Path) -> None:
    """Though the command is not told what the relay was started with; unless it is told otherwise."""
    relay = RelayProcess(tmp_path, "--host", "chat.lan")
    relay.start()
    assert relay.stop() == 0
    link = InviteLink.parse(ask(relay, "invite", "create")["link"])
    assert (link.host, link.port) == ("chat.lan", relay.address[1])
    link = InviteLink.parse(ask(relay, "--host", "new.lan", "--listen", ":7444", "invite", "create")["link"])
    assert (link.host, link.port) == ("new.lan", 7444)


def test_invites_are_made_listed_and_revoked(relay: RelayProcess) -> None:
    """A revoked one lets nobody in."""
    made = ask(relay, "invite", "create", "--uses", "3", "--expires", "2d", "--label", "class")
    link = InviteLink.parse(made["link"])
    assert (link.host, link.port, link.inviter) == ("127.0.0.1", relay.address[1], None)
    listed = [line for line in ask(relay, "invite", "list") if line["label"] == "class"]
    assert [(line["id"], line["uses"], line["used"], line["revoked"]) for line in listed] == [(made["id"], 3, 0, False)]
    assert "token" not in json.dumps(listed)
    relay.enter(Person("alice"), link.token).close()
    assert "class" in command(relay, "invite", "list").stdout
    command(relay, "invite", "revoke", made["id"][:6])
    with relay.connect() as late:
        late.hello()
        with pytest.raises(RelayError) as refusal:
            late.register(Person("bob"), link.token)
        assert refusal.value.code is ErrorCode.TOKEN_INVALID
    assert command(relay, "invite").stdout.startswith("secure-chat://")


def test_a_qr_code_is_drawn_when_asked_for(relay: RelayProcess) -> None:
    """Without a terminal only on request."""
    drawn = command(relay, "invite", "create", "--qr").stdout.splitlines()
    assert len(drawn) > 15
    assert drawn[-1].startswith("secure-chat://")


def test_accounts_are_listed_suspended_and_removed(relay: RelayProcess) -> None:
    """A suspended account is logged out at once and can't come back until it is resumed."""
    alice = Person("alice")
    with relay.enter(alice, relay.invite()) as client:
        (line,) = ask(relay, "account", "list")
        assert (line["handle"], line["devices"], line["online"], line["suspended"]) == ("alice", 1, True, False)
        (device,) = ask(relay, "account", "devices", "alice")
        assert device["device"] == alice.device_id.hex()
        assert 0 < device["expires"] / 1000 - time.time() < 366 * 86_400
        assert day(device["expires"]) in command(relay, "account", "devices", "alice").stdout
        command(relay, "account", "suspend", "alice")
        assert client.wait(Error).code is ErrorCode.SUSPENDED
        client.wait_for_end()
    with pytest.raises(RelayError) as refusal:
        relay.enter(alice)
    assert refusal.value.code is ErrorCode.SUSPENDED
    command(relay, "account", "resume", "alice")
    relay.enter(alice).close()
    assert "--yes" in command(relay, "account", "remove", "alice").stderr
    assert ask(relay, "account", "remove", "alice", "--yes")["message"]
    assert ask(relay, "account", "list") == []
    assert "nobody" in refused(relay, "account", "suspend", "nobody")


def test_channels_and_statistics_are_counted(relay: RelayProcess) -> None:
    """Names of closed rooms stay unknown."""
    with relay.enter(Person("alice"), relay.invite()) as client:
        room = client.create_room().summary.channel
        client.append(room, b"founding", kind=EntryKind.FOUNDING)
        (line,) = ask(relay, "channel", "list")
        assert (line["channel"], line["kind"], line["name"], line["members"]) == (room.hex(), "room", "", 1)
        counted = ask(relay, "stats")
        assert (counted["accounts"], counted["devices"], counted["rooms"]) == (1, 1, 1)
        assert counted["running"]["connections"] >= 1
        assert "running for" in command(relay, "stats").stdout


def test_commands_work_on_the_database_when_the_relay_is_stopped(relay: RelayProcess) -> None:
    """And their effects are there when it starts again."""
    relay.enter(Person("alice"), relay.invite()).close()
    relay.stop()
    assert [line["handle"] for line in ask(relay, "account", "list")] == ["alice"]
    command(relay, "account", "suspend", "alice")
    token = InviteLink.parse(ask(relay, "invite", "create")["link"]).token
    assert "stopped" in command(relay, "stats").stdout
    relay.start()
    assert [line["suspended"] for line in ask(relay, "account", "list")] == [True]
    relay.enter(Person("bob"), token).close()


def test_two_relays_never_share_a_directory(relay: RelayProcess) -> None:
    """The second says who is in the way."""
    assert "another process serves" in refused(relay, "--listen", "127.0.0.1:0")


def test_a_backup_restores_as_a_new_incarnation(relay: RelayProcess, tmp_path: Path) -> None:
    """Keys, accounts and entries are back; sequence numbers jump, so nothing is skipped silently."""
    alice = Person("alice")
    with relay.enter(alice, relay.invite()) as client:
        room = client.create_room().summary.channel
        head = client.append(room, b"founding", kind=EntryKind.FOUNDING).head
        client.append(room, b"saved", head=head)
        incarnation = client.login_answer.incarnation
        file = tmp_path / "relay.backup"
        assert "relay.backup" in ask(relay, "backup", str(file))["message"]
        assert file.stat().st_mode & 0o077 == 0
        assert "exists already" in refused(relay, "backup", str(file))
        assert "/dev/fd/relay.backup.part: " in refused(relay, "backup", "/dev/fd/relay.backup")
        client.append(room, b"after the backup", head=head)
        assert "another process" in refused(relay, "restore", str(file), "--yes")
    ca = relay.ca_pem
    relay.stop()
    elsewhere = RelayProcess(tmp_path / "elsewhere")
    elsewhere.data.parent.mkdir()
    assert command(elsewhere, "restore", str(file)).returncode == 0
    elsewhere.start()
    assert elsewhere.ca_pem == ca
    with elsewhere.enter(alice) as client:
        assert client.login_answer.incarnation != incarnation
        client.subscribe((room, 0))
        assert [entry.payload for entry in client.entries(room, 2)] == [b"founding", b"saved"]
        jumps, beyond = divmod(client.append(room, b"new", head=head).seq, 2**32)
        assert jumps >= 1
        assert beyond == 2 + 1
    assert elsewhere.stop() == 0
    relay.start()


def test_certificates_beside_the_relay_stay_its_own(tmp_path: Path) -> None:
    """Links made elsewhere while it is stopped name their authority, and a backup holds it."""
    made = certificates.generate(tmp_path / "certs", ["localhost", "127.0.0.1"], int(time.time()))
    relay = RelayProcess(tmp_path)
    relay.start()
    assert relay.stop() == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def away(*arguments: str) -> str:
        line = [sys.executable, "-m", "secure_chat", "server", *arguments]
        return subprocess.run(
            line, cwd=elsewhere, env={"PYTHONPATH": str(ROOT), "HOME": str(elsewhere)},
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip

    assert InviteLink.parse(away("--data", str(relay.data), "invite").strip()).ca_pin == made.pin
    away("--data", str(relay.data), "backup", "relay.backup")
    away("--data", "restored", "restore", "relay.backup")
    assert certificates.load(elsewhere / "restored" / "certs").pin == made.pin


def test_a_damaged_backup_changes_nothing(relay: RelayProcess, tmp_path: Path) -> None:
    """Cut, foreign or altered: one line, and the database that is there stays."""
    relay.enter(Person("alice"), relay.invite()).close()
    file = tmp_path / "relay.backup"
    ask(relay, "backup", str(file))
    relay.stop()
    whole = file.read_bytes()
    middle = len(whole) // 2
    for damaged in (
        b"",
        b"something else" * 100,
        whole[: middle - 3_000],
        whole[:middle] + bytes(9_000) + whole[middle + 9_000 :],
    ):
        file.write_bytes(damaged)
        assert refused(relay, "restore", str(file), "--yes").startswith("secure-chat: ")
    assert [line["handle"] for line in ask(relay, "account", "list")] == ["alice"]
    assert not list(relay.data.glob("restore-*"))
    relay.start()


def test_doctor_finds_what_is_wrong_and_says_what_to_do(relay: RelayProcess) -> None:
    """All in order first; then a key that others may read."""
    findings = {line["name"]: line for line in ask(relay, "doctor")}
    assert {"relay", "permissions", "certificate", "disk", "clock", "open files", "TLS groups"} <= set(findings)
    assert findings["relay"]["state"] == findings["certificate"]["state"] == findings["permissions"]["state"] == "ok"
    assert "X25519" in findings["TLS groups"]["text"]
    key = relay.data / "certs" / "server-key.pem"
    key.chmod(0o644)
    result = command(relay, "doctor")
    assert result.returncode == 1
    assert f"chmod go= {key}" in result.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="reads another process's limits, which Linux can")
def test_the_usual_limit_of_open_files_is_raised(tmp_path: Path) -> None:
    """A shell's 1,024 would be the most connections, whatever is configured; what can't be had is told."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    relay = RelayProcess(tmp_path, settings={"network.connections": 2_000})
    scarce = RelayProcess(tmp_path / "scarce", settings={"network.connections": max(hard, 2_000)})
    scarce.data.parent.mkdir()
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
    try:
        relay.start()
        scarce.start(wait=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    now, _ = resource.prlimit(relay.pid, resource.RLIMIT_NOFILE)
    assert now > 3_000
    assert relay.stop() == 0
    if hard != resource.RLIM_INFINITY:
        scarce.wait_for_log(f"at most {hard} open files are allowed here")
    scarce.wait_for_log("listening on ")
    assert scarce.stop() == 0


def test_a_given_certificate_that_has_expired_is_told_by_log_and_doctor(tmp_path: Path) -> None:
    """The doctor asks the relay, since flags that it was started with are not its own; a new one is taken up."""
    given = certificates.generate(tmp_path / "given", ["127.0.0.1"], int(time.time()) - 100 * 86_400).files
    flags = ("--cert", str(given.server), "--key", str(given.server_key), "--ca", str(given.ca))
    relay = RelayProcess(tmp_path, *flags)
    relay.start()
    relay.wait_for_log(f"certificate {given.server} has expired 11 days ago")
    finding = next(
        line for line in json.loads(command(relay, "doctor", "--json").stdout) if line["name"] == "certificate"
    )
    assert (finding["state"], finding["text"]) == ("error", "has expired 11 days ago")
    certificates.renew(tmp_path / "given", int(time.time()))
    relay.wait_for_log("reloaded: certificate")
    finding = next(line for line in ask(relay, "doctor") if line["name"] == "certificate")
    assert finding["state"] == "ok"
    assert relay.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "network.connectoins=5"), "network.connectoins is no option; did you mean network.connections?"),
        (("--set", "network.connections=many"), "network.connections: "),
        (("--set", "network.login_time=-1"), "network.login_time: not below zero"),
        (("--set", "limits.retention=0"), "limits.retention: retention must be at least 1"),
        (("--listen", "127.0.0.1:x"), "listen: 127.0.0.1:x: host:port is meant"),
        (("--listen", "nowhere.invalid:1"), "can't listen on nowhere.invalid:1"),
        (("--cert", "x.pem"), "certificate and key are given together"),
        (("--metrics", "0.0.0.0:9"), "is not loopback"),
        (("--metrics", "127.0.0.1"), "host:port is meant, such as 127.0.0.1:9464"),
        (("--metrics", "127.0.0.1:99999"), "host:port is meant, such as 127.0.0.1:9464"),
        (("--config", "missing.toml"), "missing.toml: No such file"),
    ],
)
def test_wrong_configuration_is_refused_by_name(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """One line that names the key, exit code 1, nothing started."""
    relay = RelayProcess(tmp_path)
    listen = () if "--listen" in arguments else ("--listen", "127.0.0.1:0")
    assert said in refused(relay, *listen, *arguments)


def test_file_environment_and_flags_override_each_other(relay: RelayProcess, tmp_path: Path) -> None:
    """The later one wins; `options` shows the result."""
    file = tmp_path / "relay.toml"
    file.write_text("log_level = 'error'\n[network]\nconnections = 5\n[limits]\nretention = 60000\n")
    arguments = ["--config", str(file), "--set", "network.connections=7", "--log-level", "debug"]
    shown = json.loads(command(relay, *arguments, "options", "--json").stdout)
    assert (shown["network"]["connections"], shown["limits"]["retention"], shown["log_level"]) == (7, 60000, "debug")
    assert "network.connections" in command(relay, "options").stdout


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_changed_configuration_file_is_taken_up_while_connections_stay(tmp_path: Path) -> None:
    """And a broken one changes nothing."""
    file = tmp_path / "relay.toml"
    file.write_text("[limits]\nrequests_per_second = 100\n")
    with running(tmp_path, "--config", str(file)) as relay, relay.enter(Person("alice"), relay.invite()) as client:
        file.write_text("[limits]\nmembers_may_open_rooms = false\napplication_payload = 10\n")
        relay.wait_for_log("reloaded: configuration")
        room = client.create_room().summary.channel
        head = client.append(room, b"founding", kind=EntryKind.FOUNDING).head
        with pytest.raises(RelayError) as refusal:
            client.append(room, b"more than ten", head=head)
        assert refusal.value.code is ErrorCode.TOO_LARGE
        file.write_text("[limits]\nno_such_limit = 1\n")
        line = relay.wait_for_log("not reloaded")
        assert "limits.no_such_limit is no option" in line["message"]
        assert client.append(room, b"ten bytes!", head=head).seq == 2
        client.close()
        relay.stop()


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """Even while the first one's farewell waits for somebody who doesn't read."""
    relay = RelayProcess(tmp_path, settings={"network.shutdown_time": 60})
    relay.start()
    with relay.enter(Person("alice"), relay.invite()) as stalled:
        room = stalled.create_room().summary.channel
        head = stalled.append(room, b"founding", kind=EntryKind.FOUNDING).head
        stalled.subscribe((room, 0))
        for _ in range(150):
            stalled.send(stalled.append_message(room, bytes(60_000), head=head))
        relay.signal(signal.SIGTERM)
        relay.wait_for_log("stopping")
        started = time.monotonic()
        relay.signal(signal.SIGTERM)
        assert relay.wait() == 128 + signal.SIGTERM
        assert time.monotonic() - started < 20


def test_the_two_halves_never_import_each_other() -> None:
    """A relay starts without the client's code; the client's half is checked beside it."""
    code = (
        "import sys\nfrom secure_chat.server import cli, run\n"
        "loaded = [name for name in sys.modules if name.startswith(('secure_chat.client', 'secure_chat.ui', "
        "'secure_chat.mls', 'textual', 'prompt_toolkit'))]\nassert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, check=True, timeout=60)
