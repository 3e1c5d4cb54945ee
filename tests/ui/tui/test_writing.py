"""The input line: pasting, completing, dropping, and getting there from anywhere."""

from textual import events

from secure_chat.client.api import Client
from secure_chat.client.views import MessageKind
from tests.people import join
from tests.relay_process import RelayProcess
from tests.ui.tui.driving import open_chat, run


def said(client: Client) -> list[str]:
    """What was said in the lobby."""
    return [line.text for line in client.history("#lobby") if line.kind is MessageKind.TEXT]


def test_a_paste_of_many_lines_is_asked_about_and_never_sent(relay: RelayProcess) -> None:
    """Short pastes go in at once; of long ones one is told how much it is; only Enter sends."""

    async def scenario() -> None:
        with join(relay, "pat") as pat:
            async with open_chat(pat, "pat") as chat:
                chat.app.post_message(events.Paste("two\nlines"))
                await chat.until(lambda: chat.screen.composer.text == "two\nlines", "a short paste")
                await chat.press("ctrl+c")
                many = "\n".join(f"row {number} \x1b[2J" for number in range(5_000))
                chat.app.post_message(events.Paste(many))
                await chat.on("Confirm")
                await chat.shows("Insert 5000 lines", "They begin: row 0", "Nothing is sent before you press Enter")
                await chat.press("n")
                await chat.on("ChatScreen")
                assert chat.screen.composer.text == ""
                chat.app.post_message(events.Paste("a\nb\nc\nd\ne"))
                await chat.on("Confirm")
                await chat.press("y")
                await chat.until(lambda: chat.screen.composer.text == "a\nb\nc\nd\ne", "the lines")
                assert said(pat) == []
                await chat.press("enter")
                await chat.until(lambda: said(pat) == ["a\nb\nc\nd\ne"], "one message")

    run(scenario)


def test_ctrl_c_drops_what_was_written_and_ctrl_z_brings_it_back(relay: RelayProcess) -> None:
    """With nothing written it says how to leave."""

    async def scenario() -> None:
        with join(relay, "dan") as dan:
            async with open_chat(dan, "dan") as chat:
                await chat.type("on second thought")
                await chat.press("ctrl+c")
                await chat.shows("dropped; Ctrl-Z brings it back")
                assert chat.screen.composer.text == ""
                await chat.press("ctrl+z")
                await chat.until(lambda: chat.screen.composer.text == "on second thought", "the text")
                await chat.press("ctrl+c", "ctrl+c")
                await chat.shows("Ctrl-Q leaves the chat")

    run(scenario)


def test_enter_sends_and_completes_only_what_would_be_a_mistake(relay: RelayProcess) -> None:
    """A half command is completed, a whole one runs, text with an offer behind it is sent, a chosen offer is taken."""

    async def scenario() -> None:
        with join(relay, "ned2") as ned:
            async with open_chat(ned, "ned2") as chat:
                composer = chat.screen.composer
                await chat.type("/invite-l")
                await chat.until(lambda: composer.completing, "an offer")
                await chat.press("enter")
                await chat.until(lambda: composer.text == "/invite-link ", "the whole command")
                await chat.press("ctrl+c")
                await chat.type("/invite")
                await chat.until(lambda: composer.completing, "an offer")
                await chat.press("enter")
                await chat.shows("usage: /invite")
                await chat.press("ctrl+c")
                await chat.type("see :smi")
                await chat.until(lambda: composer.completing, "an offer")
                await chat.press("enter")
                await chat.until(lambda: said(ned) == ["see :smi"], "the text as it was")
                await chat.type("see :smi")
                await chat.until(lambda: composer.completing, "an offer")
                await chat.press("down", "up", "enter")
                await chat.until(lambda: composer.text.startswith("see ") and ":" not in composer.text, "the emoji")

    run(scenario)


def test_errors_are_read_to_their_end(relay: RelayProcess) -> None:
    """On 60 columns what went wrong takes two rows, and gives them back."""

    async def scenario() -> None:
        with join(relay, "eda") as eda:
            async with open_chat(eda, "eda", size=(60, 16)) as chat:
                await chat.type("/date never ever on any day", "enter")
                await chat.shows("a day: 2026-03-01, today", "ago, 2w")
                assert chat.screen.info.size.height == 2
                await chat.press("escape", "escape")
                await chat.until(lambda: chat.screen.info.size.height == 1, "one row")

    run(scenario)


def test_whoever_begins_to_type_on_a_list_writes(relay: RelayProcess) -> None:
    """After a click into the list of rooms letters go into the input; keys in the footer can be clicked from there."""

    async def scenario() -> None:
        with join(relay, "ria") as ria:
            async with open_chat(ria, "ria") as chat:
                await chat.pilot.click("#rooms", offset=(5, 12))
                await chat.until(lambda: chat.app.focused is chat.screen.rooms, "the list")
                await chat.type("hello")
                await chat.until(lambda: chat.screen.composer.text == "hello", "the letters")
                await chat.pilot.click("#rooms", offset=(5, 12))
                await chat.pilot.click("#keys", offset=(2, 0))
                await chat.on("Reader")
                await chat.press("ctrl+p")
                await chat.on("Reader")
                await chat.press("escape")
                await chat.on("ChatScreen")

    run(scenario)
