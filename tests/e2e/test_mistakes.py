"""What people get wrong, and what they are told: one line that says what to do, never a traceback, never a dead end."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.people import environment, invite_link, join, program
from tests.relay_process import RelayProcess, running
from tests.terminal import Terminal


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    with running(tmp_path_factory.mktemp("relay")) as relay:
        yield relay


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SECURE_CHAT_HOME", str(tmp_path))
    return tmp_path


def run(home: Path, *arguments: str | bytes, given: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    """A command of the client, without a terminal."""
    command = [*program("client"), *arguments]
    return subprocess.run(
        command, env=environment(home, **more), input=given, capture_output=True, timeout=110, check=False
    )


def one_line(done: subprocess.CompletedProcess[bytes], code: int) -> str:
    """The one line that a failed command has said."""
    errors = done.stderr.decode()
    assert done.returncode == code, errors
    assert errors.startswith("secure-chat: "), errors
    assert errors.count("\n") == 1, errors
    return errors


def test_name_that_is_taken_is_asked_for_again(home: Path, relay: RelayProcess) -> None:
    """Nothing else has to be typed a second time."""
    join(relay, "ulla").close()
    with Terminal(program("client", "--plain", invite_link(relay)), env=environment(home)) as terminal:
        terminal.wait_for("Your name")
        terminal.enter("Ulla Maier")
        terminal.wait_for("a name has 1 to 32 characters")
        terminal.enter("ulla")
        terminal.wait_for("Passphrase for this computer")
        terminal.enter()
        terminal.wait_for("the name ulla is taken; choose another")
        terminal.enter("ulla2")
        terminal.wait_for("recovery code: ", "You are ulla2", "#lobby>")


def test_link_that_cannot_work_is_refused_before_any_question(home: Path) -> None:
    """Nobody thinks of a name and a passphrase for nothing."""
    for link in ("secure-chat://chat.lan:7443/#v1.abc", "secure-chat:chat.lan", "https://example.org/"):
        with Terminal(program("client", "--plain", link), env=environment(home)) as terminal:
            assert terminal.wait() == 1
            assert "secure-chat: invite link: " in terminal.text
            assert "Your name" not in terminal.text


def test_wrong_passphrase_is_asked_for_again_and_then_given_up(home: Path, relay: RelayProcess) -> None:
    """Three tries at a terminal, one for a script."""
    join(relay, "viola", passphrase="right words").close()
    command = program("client", "--plain", "--profile", "viola")
    with Terminal(command, env=environment(home)) as terminal:
        terminal.wait_for("Passphrase of profile viola")
        terminal.enter("wrong words")
        terminal.wait_for("wrong passphrase; nothing was changed, try again\nPassphrase of profile viola:")
        terminal.enter("right words")
        terminal.wait_for("You are viola")
    file = home / "words"
    file.write_text("wrong\n")
    done = run(home, "status", "--profile", "viola", "--passphrase-file", str(file))
    assert "wrong passphrase" in one_line(done, 7)


def test_a_question_is_answered_put_off_or_left_by_a_command(home: Path, relay: RelayProcess) -> None:
    """`/verify` says what can be typed; incoming lines stand above the question, not inside it."""
    join(relay, "wim").close()
    command = program("client", "--plain", "--profile", "wim")
    with join(relay, "xaver") as xaver, Terminal(command, env=environment(home)) as terminal:
        terminal.wait_for("#lobby>")
        terminal.enter("/verify wim")
        terminal.wait_for("!! that is you")
        terminal.enter("/verify xaver")
        terminal.wait_for("(y/n/later)")
        xaver.send("#lobby", "are you there?")
        shown = terminal.wait_for("xaver: are you there?")
        assert "later) 0" not in shown
        terminal.enter("hm")
        terminal.wait_for("-- y or same, n or different, or later")
        terminal.enter("/people")
        terminal.wait_for("-- put off; /verify xaver asks again", "not verified  #lobby")
        terminal.enter("/verify xaver")
        terminal.wait_for("(y/n/later)")
        terminal.enter("same")
        terminal.wait_for("xaver is verified, in all rooms")
        terminal.enter("/verify xaver")
        terminal.enter("different")
        terminal.wait_for("-- xaver is not verified.", "write nothing secret")


def test_wrong_commands_are_told_how_they_are_typed_here(home: Path, relay: RelayProcess) -> None:
    """With their slash, without the shell's quotes; rooms by their names."""
    join(relay, "yves").close()
    with Terminal(program("client", "--plain", "--profile", "yves"), env=environment(home)) as terminal:
        terminal.wait_for("#lobby>")
        terminal.enter("/kick")
        terminal.wait_for("usage: /kick [ROOM] PERSON   e.g. /kick #plans mallory")
        terminal.enter("/join #two words")
        terminal.wait_for("'words' is too much; usage: /join NAME")
        terminal.enter("/reply ^9 yes")
        terminal.wait_for("^9: ")
        terminal.enter("/receipts on")
        terminal.wait_for("others learn what you have read: on")
        terminal.enter("/create attic")
        shown = terminal.wait_for("-- #attic: 1 person")
        assert "[#attic] --" not in shown, "told twice"
        terminal.enter("/create attic")
        terminal.wait_for("!! you are in a room #attic already")
        terminal.enter("/leave")
        terminal.wait_for("you are no longer in attic: you left", "-- #lobby: ")
        terminal.enter("/room #attic")
        terminal.wait_for("-- #attic: you are not in this room any more")
        terminal.enter("/refresh-keys")
        terminal.wait_for("!! you are not in #attic")


def test_bytes_that_are_no_text_are_sent_as_far_as_they_can_be_read(home: Path, relay: RelayProcess) -> None:
    """From a pipe and as an argument, whatever the locale; where a name should stand they are refused."""
    join(relay, "zeno").close()
    for given in (b"\xff\xfe\x00bin", b"a\x1b[31mb"):
        for locale in ("C", "en_US.UTF-8"):
            done = run(home, "--profile", "zeno", "send", "#lobby", given=given, LC_ALL=locale)
            assert (done.returncode, done.stderr) == (0, b"")
    assert run(home, "--profile", "zeno", "send", "#lobby", b"gr\xfc\xdfe").returncode == 0
    for words in (("verify", b"\xff"), ("search", b"\xff"), ("kick", "#lobby", b"\xff"), ("create", b"\xff")):
        assert "Unicode" in one_line(run(home, "--profile", "zeno", *words), 2)
    shown = run(home, "--profile", "zeno", "history", "#lobby", PYTHONIOENCODING="ascii")
    assert shown.returncode == 0
    lines = run(home, "--profile", "zeno", "history", "#lobby", "--json", PYTHONIOENCODING="ascii").stdout
    assert any("�" in line["text"] for line in json.loads(lines)["result"])


def test_directory_that_cannot_be_written_is_named(home: Path) -> None:
    """A file stands where the profiles should be."""
    (home / "profiles").write_text("")
    link = "secure-chat://127.0.0.1:1/#v1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA"
    done = run(home, link, "--name", "anna", "--no-passphrase")
    assert str(home / "profiles") in one_line(done, 1)
    done = run(home, link, "--name", "anna", "--no-passphrase", "--json")
    assert json.loads(done.stdout)["error"]["message"].startswith(str(home / "profiles"))


def test_wrong_usage_is_json_too_where_json_is_asked_for(home: Path) -> None:
    """Beside the usage for people on standard error."""
    for words in (("nonsense",), ("send", "--timeout", "x", "a"), ("--bogus",)):
        done = run(home, "--json", *words)
        assert done.returncode == 2
        assert json.loads(done.stdout)["error"]["code"] == "invalid"


def test_a_full_disk_of_the_relay_is_named_for_every_message_that_waits(home: Path, tmp_path: Path) -> None:
    """Also for those behind the first; all go out by themselves once there is room."""
    options = tmp_path / "server.toml"
    options.write_text("[limits]\ndisk_reserve = 0\n")
    relay = RelayProcess(tmp_path, "--config", str(options))
    relay.start()
    join(relay, "wanda").close()
    options.write_text(f"[limits]\ndisk_reserve = {2**60}\n")
    relay.wait_for_log("the disk is full: ")
    for text in ("first", "second"):
        done = run(home, "--profile", "wanda", "send", "--timeout", "3", "#lobby", text)
        assert "the relay's disk is full" in one_line(done, 3)
    options.write_text("[limits]\ndisk_reserve = 0\n")
    relay.wait_for_log("there is room on the disk again: ")
    done = run(home, "--profile", "wanda", "--json", "send", "#lobby", "third")
    assert json.loads(done.stdout)["result"]["state"] == "sent"
    done = run(home, "--profile", "wanda", "--json", "history", "#lobby")
    lines = [line for line in json.loads(done.stdout)["result"] if line["kind"] == "text"]
    assert [(line["text"], line["state"], line["detail"]) for line in lines] == [
        (text, "sent", "") for text in ("first", "second", "third")
    ]
    assert relay.stop() == 0
