"""`secure-chat client …` without a terminal: results, errors, exit codes, and that nothing ever asks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from secure_chat.client.api import Client
from secure_chat.client.profile import Profile
from secure_chat.ui.actions import ACTIONS
from secure_chat.ui.cli import client
from secure_chat.ui.cli.group import _WRITTEN
from secure_chat.ui.cli.session import EXIT_CODES
from tests.people import invite_link, join
from tests.relay_process import RelayProcess, wait_until


def run(*arguments: str, text: str | None = None) -> Result:
    """A subcommand; whatever is asked would be an error, since there is no terminal."""
    return CliRunner().invoke(client, list(arguments), input=text, prog_name="secure-chat client")


def result(*arguments: str, text: str | None = None) -> Any:
    """The JSON result of a subcommand that succeeds."""
    done = run(*arguments, "--json", text=text)
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    return json.loads(done.stdout.splitlines()[-1])["result"]


def fails(code: int, words: str, *arguments: str, text: str | None = None) -> None:
    """One line on standard error, this exit code; with --json the same as an object."""
    done = run(*arguments, text=text)
    assert done.exit_code == code, (done.output, done.exception)
    assert words in done.stderr
    assert "Traceback" not in done.output
    assert done.stderr.startswith(("secure-chat: ", "Usage: "))
    assert code in EXIT_CODES


@pytest.fixture(scope="module")
def ben(relay: RelayProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Somebody to talk to, who stays in the lobby."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECURE_CHAT_HOME", str(tmp_path_factory.mktemp("ben")))
        client = join(relay, "ben")
    with client:
        yield client


@pytest.fixture
def anna(home: Path, relay: RelayProcess, ben: Client) -> str:
    """The default profile has joined; her name."""
    name = f"anna{abs(hash(str(home))) % 100_000}"
    assert result(invite_link(relay), "--name", name, "--no-passphrase")["handle"] == name
    return name


def test_help_lists_every_command_with_examples_and_exit_codes() -> None:
    """What can be done stands on one page."""
    shown = run("--help").output
    for name in [*_WRITTEN, *ACTIONS]:
        assert f"  {name} " in shown, name
    assert "Examples" in shown
    assert all(meaning.split(";")[0] in " ".join(shown.split()) for meaning in EXIT_CODES.values())


@pytest.mark.parametrize("name", [*_WRITTEN, *ACTIONS])
def test_every_command_explains_itself(name: str) -> None:
    """With the options that all of them have."""
    done = run(name, "--help")
    assert done.exit_code == 0
    for option in ("--profile", "--json", "--passphrase-file"):
        assert option in done.output


@pytest.mark.usefixtures("home")
def test_nothing_asks_without_a_terminal(relay: RelayProcess) -> None:
    """The option that is missing is named."""
    link = invite_link(relay)
    fails(2, "--name", link)
    fails(2, "--no-passphrase", link, "--name", "x")
    fails(2, "one of", link, "--name", "x", "--no-passphrase", "--keyring")
    fails(8, "client LINK", "status")
    fails(8, "client LINK")
    assert not Profile().directory.exists()


@pytest.mark.usefixtures("home")
def test_wrong_links_and_names_are_told_apart(relay: RelayProcess) -> None:
    """One clear line each, with its own exit code."""
    link = invite_link(relay)
    fails(1, "copy all of it", link[:-4], "--name", "x", "--no-passphrase")
    fails(1, "a-z", link, "--name", "X Y", "--no-passphrase")
    fails(6, "127.0.0.1:1", link.replace(f":{relay.address[1]}/", ":1/"), "--name", "x", "--no-passphrase")
    unknown = link[: link.rindex(".")] + ".AAAAAAAAAAAAAAAAAAAAAA"
    for code, wrong in (("invalid", link[:-4]), ("refused", unknown)):
        line = json.loads(run(wrong, "--name", "x", "--no-passphrase", "--json").stdout)
        assert line["error"]["code"] == code


@pytest.mark.usefixtures("home")
def test_profile_stands_before_or_after_the_command(relay: RelayProcess) -> None:
    """Both are what people type."""
    run("--profile", "work", invite_link(relay), "--name", "worker", "--no-passphrase")
    assert result("--profile", "work", "status")["handle"] == "worker"
    assert result("status", "--profile", "work")["handle"] == "worker"
    assert result("profiles") == ["work"]
    fails(8, "profiles here: work", "status")


def test_messages_go_and_come(anna: str, ben: Client, tmp_path: Path) -> None:
    """From arguments, from a pipe, line by line, as an answer; read back, searched, exported."""
    first = result("send", "#lobby", "two", "words")
    assert first["state"] in ("sent", "delivered")
    result("send", "--room", "lobby", text="from a pipe\n")
    done = run("send", "#lobby", "-", "--lines", "--json", text="one\n\ntwo\n")
    assert len(done.stdout.splitlines()) == 2
    result("send", "#lobby", "an answer", "--reply-to", first["id"])
    texts = ["two words", "from a pipe", "one", "two", "an answer"]

    def with_ben() -> list[str]:
        return [x.text for x in ben.history("#lobby", 99) if x.sender == anna and x.kind == "text"]

    wait_until(lambda: with_ben() == texts, "everything with ben")
    lines = result("history", "#lobby")
    assert [line["text"] for line in lines if line["kind"] == "text"][-5:] == texts
    assert lines[-1]["reply_to"] == first["id"]
    assert first["id"] in run("history", "--room", "lobby", "--ids").output
    assert "*answer*" in run("search", "answ").output
    assert run("search", "answ", "--room", "lobby").output.count("\n") == 1
    output = tmp_path / "all.jsonl"
    assert result("export", "#lobby", "--output", str(output))["lines"] == len(lines)
    assert len(output.read_text().splitlines()) == len(lines)
    fails(2, "exists already", "export", "--output", str(output))
    assert len(run("export").output.splitlines()) == len(lines)


@pytest.mark.usefixtures("anna")
def test_failures_have_their_exit_codes() -> None:
    """A script can tell what to do next."""
    fails(4, "#nowhere", "history", "#nowhere")
    fails(4, "nobody-of-this-name", "send", "nobody-of-this-name", "hello")
    fails(2, "usage: kick", "kick")
    fails(2, "to whom?", "send")
    fails(2, "empty", "send", "#lobby", text="")
    fails(2, "--lines reads", "send", "#lobby", "x", "--lines")
    fails(2, "No such command", "no-such-command")
    fails(2, "on or off", "receipts", "perhaps")
    failed = run("history", "#nowhere", "--json")
    assert failed.exit_code == 4
    error = json.loads(failed.stdout)
    assert (error["v"], error["command"], error["error"]["code"]) == (1, "history", "not_found")
    assert failed.stderr == ""


def test_verification_needs_a_comparison(anna: str, ben: Client) -> None:
    """Without a terminal: the other's number, or the word of whoever runs it."""
    result("send", "ben", "hello")
    wait_until(lambda: any(room.name == anna for room in ben.rooms()), "the direct conversation")
    fails(2, "--yes", "verify", "ben")
    assert run("verify", "ben", "--number", "1" * 60).exit_code != 0
    assert result("fingerprint", "ben")["trust"] == "first_use"
    assert "verify ben" in run("fingerprint", "ben", "--qr").output
    assert result("verify", "@ben", "--number", ben.safety_number(anna).number)["trust"] == "verified"
    assert result("unverify", "ben") is None
    assert run("verify", "ben", "--yes").output == "ben is verified.\n"
    assert result("fingerprint") == result("status")["fingerprint"]


@pytest.mark.usefixtures("anna")
def test_actions_say_that_they_are_done() -> None:
    """Each in its words, with the current state read back."""
    assert "room secrets is made" in run("create", "secrets").output
    assert run("rename", "#secrets", "plans").output == "renamed to #plans\n"
    assert "#plans" in run("rooms").output
    assert run("invite", "--room", "plans", "ben").output == "ben: invited\n"
    assert run("mute", "#plans").output == "muted\n"
    assert [room["muted"] for room in result("rooms") if room["name"] == "plans"] == [True]
    assert result("invite-link").startswith("secure-chat://")
    assert len(result("devices")) == 1
    assert "lobby" in [room["name"] for room in result("open-rooms")]
    assert len(result("code", "#plans")["code"].split()) > 1


@pytest.mark.usefixtures("home")
def test_passphrase_is_read_from_a_file_and_changed(relay: RelayProcess, tmp_path: Path) -> None:
    """Wrong and missing ones exit with 7 and change nothing."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("first words\n")
    two.write_text("second words\nignored\n")
    run(invite_link(relay), "--name", "carl", "--passphrase-file", str(one))
    fails(7, "--passphrase-file", "status")
    fails(7, "wrong passphrase", "status", "--passphrase-file", str(two))
    fails(2, "cannot read", "status", "--passphrase-file", str(tmp_path / "none"))
    assert result("status", "--passphrase-file", str(one))["handle"] == "carl"
    assert result("status", "--passphrase-file", "-", text="first words\n")["handle"] == "carl"
    result("passphrase", "--passphrase-file", str(one), "--new-passphrase-file", str(two))
    fails(7, "wrong passphrase", "status", "--passphrase-file", str(one))
    fails(2, "--new-passphrase-file", "passphrase", "--passphrase-file", str(two))
    assert result("passphrase", "--remove", "--passphrase-file", str(two)) == "key_file"
    assert result("status")["handle"] == "carl"


def test_backup_restore_and_deletion(anna: str, tmp_path: Path) -> None:
    """A backup becomes a second profile; deleting asks for the name or for --yes."""
    words = tmp_path / "words"
    words.write_text("of the backup")
    fails(2, "--backup-passphrase-file", "backup", str(tmp_path / "backup"))
    result("backup", str(tmp_path / "backup"), "--backup-passphrase-file", str(words))
    fails(2, "--no-passphrase", "restore", str(tmp_path / "backup"), "--backup-passphrase-file", str(words))
    arguments = ("restore", str(tmp_path / "backup"), "--backup-passphrase-file", str(words), "--no-passphrase")
    fails(8, "choose another --profile", *arguments)
    assert result(*arguments, "--profile", "again") == "again"
    assert result("profiles") == ["again", "default"]
    assert result("status", "--profile", "again")["handle"] == anna
    fails(2, "--yes", "profiles", "--delete", "again")
    result("profiles", "--delete", "again", "--yes")
    assert result("profiles") == ["default"]


@pytest.mark.usefixtures("home")
def test_account_is_deleted_only_by_its_own_name(relay: RelayProcess) -> None:
    """Afterwards the name is free, and with --delete-profile nothing is left here."""
    run(invite_link(relay), "--name", "dora", "--no-passphrase")
    fails(2, "--confirm", "delete-account")
    assert run("delete-account", "--confirm", "somebody").exit_code != 0
    result("delete-account", "--confirm", "dora", "--delete-profile")
    assert result("profiles") == []


def test_listening_shows_events_for_people_and_programs(anna: str, ben: Client) -> None:
    """Until so many messages have come, or nothing comes any more."""
    ben.send("#lobby", f"hello {anna}")
    shown = run("listen", "--timeout", "3").output
    assert "ben: hello" in shown or f"ben: hello {anna}" in run("history", "#lobby").output
    with_json = run("listen", "--json", "--timeout", "1").output.splitlines()
    assert all(json.loads(line)["v"] == 1 for line in with_json)


@pytest.mark.usefixtures("anna")
def test_rpc_speaks_until_its_input_ends() -> None:
    """Standard input and output, a message a line."""
    calls = "".join(
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method}) + "\n"
        for number, method in enumerate(["hello", "get_status", "nonsense"])
    )
    lines = [json.loads(line) for line in run("rpc", text=calls + "\n").output.splitlines()]
    answers = {line["id"]: line for line in lines if "id" in line}
    assert answers[0]["result"].endswith("json 1")
    assert answers[1]["result"]["profile"] == "default"
    assert answers[2]["error"]["code"] == -32601
    assert lines[-1]["method"] == "closing"


@pytest.mark.usefixtures("anna")
def test_rpc_lets_go_out_what_it_was_given_before_its_input_ended() -> None:
    """A pipe is over before the relay is reached; the message is not to wait for the next command."""
    calls = [
        {"jsonrpc": "2.0", "id": 1, "method": "subscribe"},
        {"jsonrpc": "2.0", "id": 2, "method": "send", "params": {"room": "#lobby", "text": "from a pipe"}},
    ]
    text = "".join(json.dumps(call) + "\n" for call in calls)
    lines = [json.loads(line) for line in run("rpc", text=text).output.splitlines()]
    sent = next(line["result"] for line in lines if line.get("id") == 2)
    told = [line["params"]["message"] for line in lines if line.get("params", {}).get("event") == "message_changed"]
    assert [(message["id"], message["state"]) for message in told if message["state"] == "sent"] == [(sent, "sent")]
    assert lines[-1]["method"] == "closing"
