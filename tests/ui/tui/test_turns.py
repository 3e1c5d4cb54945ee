"""Keys that come all at once, as from a slow line or a script, do what they would do one by one."""

import asyncio
import time
from pathlib import Path

from textual import events

from secure_chat.client.api import Client
from secure_chat.client.views import MessageKind
from tests.people import environment, invite_link, join, program
from tests.relay_process import RelayProcess
from tests.terminal import Terminal
from tests.ui.tui.driving import Chat, open_chat, run

SOON = 30.0
"""Seconds; far more than a key takes, and no other key comes meanwhile."""


def send_all(chat: Chat, *keys: str) -> None:
    """Keys without a pause between them; letters are typed."""
    for key in keys:
        chat.app.post_message(events.Key(key, key if len(key) == 1 else None))


def texts(client: Client, room: str) -> list[str]:
    """What was said in a room."""
    return [line.text for line in client.history(room) if line.kind is MessageKind.TEXT]


def test_editing_keys_work_on_what_was_typed_before_them(relay: RelayProcess) -> None:
    """Backspace, Ctrl-U, Home and Enter between letters, with nothing lost and nothing in another order."""

    async def scenario() -> None:
        with join(relay, "quick") as quick:
            async with open_chat(quick, "quick") as chat:
                send_all(chat, *"xx", "ctrl+u", *"abx", "backspace", *"cd", "home", *"1", "end", *"2", "enter")
                send_all(chat, *"next", "backspace", "enter", *"rest")
                await chat.until(lambda: chat.screen.composer.text == "rest", "the last letters")
                await chat.until(lambda: texts(quick, "#lobby")[-2:] == ["1abcd2", "nex"], "both messages")

    run(scenario)


def test_no_key_waits_for_another_one(relay: RelayProcess) -> None:
    """Whenever a second key comes while the first is being dealt with, it is dealt with, too, and at once."""

    async def scenario() -> None:
        with join(relay, "beat") as beat:
            async with open_chat(beat, "beat") as chat:
                expected = ""
                for number in range(150):
                    send_all(chat, "a")
                    for _ in range(number):
                        await asyncio.sleep(0)
                    send_all(chat, "b")
                    expected += "ab"
                    deadline = time.monotonic() + SOON
                    while chat.screen.composer.text != expected:
                        assert time.monotonic() < deadline, f"round {number}"
                        await asyncio.sleep(0.001)

    run(scenario)


def test_nothing_holds_keys_for_long(relay: RelayProcess) -> None:
    """What takes longer than some seconds goes on beside the typing, which is late once and not at every key."""

    async def scenario() -> None:
        with join(relay, "wait") as wait:
            async with open_chat(wait, "wait") as chat:
                chat.app.turns.held = True
                send_all(chat, *"patience")
                await chat.until(lambda: chat.screen.composer.text == "patience", "all letters")
                assert not chat.app.turns.held

    run(scenario)


def test_what_follows_a_command_waits_for_it(relay: RelayProcess) -> None:
    """Text typed right behind /create and /room is said in that room, and not in the one before."""

    async def scenario() -> None:
        with join(relay, "hasty") as hasty:
            async with open_chat(hasty, "hasty") as chat:
                keys = {" ": "space", "/": "slash"}
                for line in ("/create attic", "up here", "/room lobby", "down here"):
                    for letter in line:
                        chat.app.post_message(events.Key(keys.get(letter, letter), letter))
                    send_all(chat, "enter")
                await chat.until(lambda: "down here" in texts(hasty, "#lobby"), "the last line")
                assert "up here" in texts(hasty, "#attic")
                assert "up here" not in texts(hasty, "#lobby")

    run(scenario)


def test_joining_and_talking_in_one_go(relay: RelayProcess, home: Path) -> None:
    """Name, lock and first words in the real terminal, each step's keys in one write, with Enter pressed too often."""
    command = program("client", "--profile", "rush", invite_link(relay))
    with Terminal(command, env=environment(home)) as terminal:
        terminal.wait_for("2 of 5", "Your name")
        terminal.press("rusg\x7fh\r\x1b[F\r")
        terminal.wait_for("5 of 5", "Your recovery code")
        terminal.press("\r\r\rhellp\x7fo, all\r/create den\rin the den\r")
        terminal.wait_for("in the den", "connected")
        terminal.press("\x1b2")
        terminal.wait_for("hello, all")
        terminal.press("\x11")
        assert terminal.wait() == 0
