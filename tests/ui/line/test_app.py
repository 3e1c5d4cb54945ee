"""The line mode in a real terminal: typing, completing, what comes in above the prompt."""

import json
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from secure_chat.client.api import Client
from tests.people import environment, join, program
from tests.relay_process import RelayProcess, wait_until
from tests.terminal import Terminal


@pytest.fixture(scope="module")
def ben(relay: RelayProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Somebody to talk to, through the API."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECURE_CHAT_HOME", str(tmp_path_factory.mktemp("ben")))
        client = join(relay, "ben")
    with client:
        yield client


@pytest.fixture(scope="module")
def anna(relay: RelayProcess, ben: Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of somebody who has joined."""
    home = tmp_path_factory.mktemp("anna")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECURE_CHAT_HOME", str(home))
        join(relay, "anna").close()
    (home / "profiles" / "anna").rename(home / "profiles" / "default")
    return home


@pytest.fixture
def prompt(anna: Path) -> Iterator[Terminal]:
    with Terminal(program("client", "--plain"), env=environment(anna)) as terminal:
        terminal.wait_for("You are anna")
        terminal.enter("/room #lobby")
        terminal.wait_for("> /room #lobby", "-- #lobby: 2 people", "#lobby>")
        yield terminal
        terminal.enter("/quit")
        assert terminal.wait() == 0
        assert "Traceback" not in terminal.text


def last(client: Client, room: str, sender: str) -> str:
    """What this person said last."""
    texts = [line.text for line in client.history(room) if line.sender == sender and line.kind == "text"]
    return texts[-1] if texts else ""


def said(client: Client, text: str) -> bool:
    """Anna's last words in the lobby."""
    return last(client, "#lobby", "anna") == text


def test_what_comes_in_leaves_the_typed_line_alone(prompt: Terminal, ben: Client) -> None:
    """The prompt stays below with what was typed so far."""
    prompt.press("half a sent")
    prompt.wait_for("#lobby> half a sent")
    ben.send("#lobby", "in between")
    prompt.wait_for("ben: in between\n#lobby> half a sent")
    prompt.enter("ence")
    prompt.wait_for("anna: half a sentence")
    wait_until(lambda: last(ben, "#lobby", "anna") == "half a sentence", "the sentence")


def test_nothing_that_others_send_reaches_the_terminal_as_a_command(prompt: Terminal, ben: Client) -> None:
    """Escapes are text, a line end can't begin a forged line, the reading order stays."""
    ben.send("#lobby", "\x1b[2J\x1b]0;title\x07cleared?\u202egnirts\n12:00 !! anna is verified\x9b31m")
    shown = prompt.wait_for("cleared?gnirts", "12:00 !! anna is verified")
    assert "You are anna" in shown
    (forged,) = [line for line in shown.splitlines() if "12:00 !! anna" in line]
    assert forged.startswith("      ")


def test_messages_can_be_answered_changed_and_taken_back(prompt: Terminal, ben: Client) -> None:
    """By number, or the obvious one without a number."""
    ben.send("#lobby", "a question")
    prompt.wait_for("ben: a question")
    prompt.enter("/reply an answer")
    prompt.wait_for("> ben: a question", "anna: an answer")
    prompt.enter("/edit a better answer")
    wait_until(lambda: last(ben, "#lobby", "anna") == "a better answer", "the edit")
    prompt.enter("/react ^2 👍")
    wait_until(lambda: any(line.reactions for line in ben.history("#lobby")), "the reaction")
    prompt.enter("/delete")
    prompt.wait_for("anna deleted a message")
    assert prompt.text.count("anna changed a message: a better answer") == 1, "a tick or a thumb is no other wording"
    prompt.enter("/history 5")
    prompt.wait_for("^1", "(deleted)", "👍 anna")


def test_tab_completes_commands_and_names(prompt: Terminal, ben: Client) -> None:
    """Whoever spoke last first."""
    ben.send("#lobby", "I am here")
    prompt.wait_for("ben: I am here")
    prompt.press("/fingerp\t")
    prompt.wait_for("#lobby> /fingerprint")
    prompt.press("be\t")
    prompt.wait_for("#lobby> /fingerprint ben")
    prompt.enter()
    prompt.wait_for("Safety number with ben")
    prompt.press("be\t")
    prompt.wait_for("#lobby> ben:")
    prompt.enter("hello")
    wait_until(lambda: last(ben, "#lobby", "anna") == "ben: hello", "the greeting")


def test_many_pasted_lines_are_sent_only_after_a_question(prompt: Terminal, ben: Client) -> None:
    """Three lines go as they are; more need a yes."""
    paste = "\x1b[200~{}\x1b[201~"
    prompt.press(paste.format("one\rtwo\rthree"))
    prompt.enter()
    wait_until(lambda: last(ben, "#lobby", "anna") == "one\ntwo\nthree", "three lines")
    for answer, arrives in (("no", False), ("yes", True)):
        prompt.press(paste.format(f"{answer}\r2\r3\r4\r5"))
        prompt.enter()
        prompt.wait_for("Send 5 lines as one message?")
        prompt.enter(answer)
        prompt.enter(f"after {answer}")
        wait_until(partial(said, ben, f"after {answer}"), "what came after")
        texts = [line.text for line in ben.history("#lobby") if line.sender == "anna"]
        assert (f"{answer}\n2\n3\n4\n5" in texts) == arrives


def test_mistakes_are_answered_with_the_way_to_do_it(prompt: Terminal) -> None:
    """Unknown commands, missing arguments, rooms that aren't there."""
    for typed, answer in {
        "/nonsense": "no command /nonsense: see /help",
        "/kick": "usage: /kick [ROOM] PERSON",
        "/room nowhere": "you are in no room nowhere",
        "/msg nobody-at-all hello": "!!",
        "/react ^99 x": "^99: here they go from ^1 to",
        "/help nonsense": "no command nonsense",
        "/receipts maybe": "on or off",
    }.items():
        prompt.enter(typed)
        prompt.wait_for(f"> {typed}", answer)
    prompt.enter("//slash")
    prompt.wait_for("anna: /slash")
    prompt.enter("/help invite")
    prompt.wait_for("/invite [ROOM] PERSON...", "e.g. /invite #plans bob carol")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Its name is so short that no line which names a file in it is broken within a word."""
    with tempfile.TemporaryDirectory(prefix="") as name:
        yield Path(name)


def test_room_is_exported_and_everything_backed_up(prompt: Terminal, ben: Client, folder: Path) -> None:
    """Into new files, with the passphrase unseen; what can't be written says why and changes nothing."""
    ben.send("#lobby", "to be kept")
    prompt.wait_for("ben: to be kept")
    kept = folder / "lobby.jsonl"
    prompt.enter(f"/export {kept}")
    prompt.wait_for("unencrypted")
    assert "to be kept" in [json.loads(line)["message"]["text"] for line in kept.read_text().splitlines()]
    prompt.enter(f"/export {kept}")
    prompt.wait_for("exists already: choose")
    prompt.enter("/export")
    prompt.wait_for("usage: /export FILE")

    backup = folder / "everything"
    prompt.enter(f"/backup {backup}")
    prompt.wait_for("Passphrase of the backup:")
    prompt.enter("tulip")
    prompt.wait_for("The same again:")
    prompt.enter("tulips")
    prompt.wait_for("they differ; once more", "Passphrase of the backup:")
    for question in ("", "The same again:"):
        prompt.wait_for(question)
        prompt.enter("tulip")
    prompt.wait_for("-- the backup is in")
    assert backup.stat().st_size > 1_000
    prompt.enter(f"/backup {backup}x")
    prompt.wait_for("Passphrase of the backup:")
    prompt.press("\x04")
    prompt.wait_for("no backup was written")
    assert "tulip" not in prompt.text


def test_passphrase_is_set_and_removed_in_the_chat(anna: Path) -> None:
    """The next opening asks for it; nothing typed takes it away again."""
    for words, asked in (("velvet", False), ("", True)):
        with Terminal(program("client", "--plain"), env=environment(anna)) as terminal:
            if asked:
                terminal.wait_for("Passphrase of profile default:")
                terminal.enter("velvet")
            terminal.wait_for("You are anna", ">")
            terminal.enter("/passphrase now")
            terminal.wait_for("/passphrase asks for it")
            terminal.enter("/passphrase")
            terminal.wait_for("New passphrase (Enter: none):")
            terminal.enter(words)
            if words:
                terminal.wait_for("The same again:")
                terminal.enter(words)
            terminal.wait_for("from now on")
            terminal.enter("/quit")
            assert terminal.wait() == 0
            assert "velvet" not in terminal.text
    with Terminal(program("client", "--plain"), env=environment(anna)) as terminal:
        terminal.wait_for("You are anna", "#lobby>")  # unasked
        terminal.enter("/quit")
        assert terminal.wait() == 0


def test_rooms_are_switched_and_unread_ones_found(prompt: Terminal, ben: Client) -> None:
    """A message elsewhere is shown with its room and counted in the prompt; one key goes there."""
    ben.start_direct("anna")
    ben.send("anna", "psst")
    prompt.wait_for("[ben] ben: psst", "(1 unread elsewhere)")
    prompt.press("\x1ba")
    prompt.wait_for("-- ben, not verified", "ben>")
    prompt.enter("here I am")
    wait_until(lambda: last(ben, "anna", "anna") == "here I am", "the direct message")
    prompt.enter("/next")
    prompt.wait_for("nothing is unread elsewhere")
    prompt.enter("/room #lobby")
    prompt.enter("/rooms")
    prompt.wait_for("> /rooms", "2 people")
    prompt.enter("/who")
    prompt.wait_for("> /who", "not verified")


def test_control_c_clears_and_leaves_only_when_repeated(anna: Path) -> None:
    """A slip of the finger doesn't end the chat."""
    with Terminal(program("client", "--plain"), env=environment(anna)) as terminal:
        terminal.wait_for("You are anna", ">")
        terminal.press("typed\x03")
        terminal.wait_for("Ctrl-C again")
        terminal.press("\x03")
        assert terminal.wait() == 0


def test_second_chat_on_the_same_profile_works_beside_the_first(prompt: Terminal, anna: Path) -> None:
    """Two windows, one owner."""
    with Terminal(program("client", "--plain"), env=environment(anna)) as second:
        second.wait_for("You are anna")
        second.enter("/room #lobby")
        second.wait_for("-- #lobby")
        second.enter("from the second window")
        prompt.wait_for("anna: from the second window")
        second.press("\x04")
        assert second.wait() == 0
