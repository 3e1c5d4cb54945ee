"""The main screens as pictures, in two sizes and two looks."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.widgets import Input, TextArea

from secure_chat.client.api import Client
from secure_chat.client.events import KeyChanged
from secure_chat.client.profile import Profile
from secure_chat.client.store import Store
from secure_chat.client.views import DeliveryState, MessageKind, MessageView, Reaction
from secure_chat.ui.tui.chat.screen import now_ms
from secure_chat.ui.tui.looks import DAY, NIGHT
from tests.people import join
from tests.relay_process import RelayProcess, running, wait_until
from tests.ui.tui.driving import Chat, fill, open_chat, run
from tests.ui.tui.lines import line
from tests.ui.tui.pictures import compare

LARGE, SMALL = (118, 34), (60, 16)
# Accounts are random, and with them the colours of names: here everybody has the first one.
LOOKS = {look.name: replace(look, name=f"{look.name}-one", senders=look.senders[:1]) for look in (NIGHT, DAY)}
FRAME = "c5c8c6"
"""The ink of the window that the picture is framed with."""
CASES = [(LARGE, "night"), (SMALL, "day")]


async def picture(chat: Chat, name: str, folder: Path) -> None:
    """Compares what is on the screen, once it has come to rest."""
    for field in [*chat.app.screen.query(Input), *chat.app.screen.query(TextArea)]:
        field.cursor_blink = False
    shots = ["", chat.app.export_screenshot(simplify=True)]

    def at_rest() -> bool:
        shots.append(chat.app.export_screenshot(simplify=True))
        return shots[-1] == shots[-2] and len(chat.text.split("\n")) == chat.app.size.height

    await chat.until(at_rest, "rest")
    width, _ = chat.app.size
    compare(f"{name}-{width}-{chat.app.theme.removesuffix('-one')}", shots[-1], folder)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    with running(tmp_path) as relay:
        yield relay


def anna_and_ben(relay: RelayProcess) -> Client:
    """Anna, with a lobby of fixed content, in which she has met ben."""
    with join(relay, "anna") as anna:
        with join(relay, "ben"):
            wait_until(lambda: len(anna.members("#lobby")) == 2, "ben")
        anna.create_room("plans")
        wait_until(lambda: all(each.handle == "anna" or not each.online for each in anna.members("#lobby")), "ben away")
        lobby = next(room.id for room in anna.rooms() if room.name == "lobby")
        account = anna.status().account
        code = next(each.account for each in anna.people() if each.handle == "ben")
    stored = Profile("anna")
    with stored.acquire(), Store.open(stored.store_path, stored.vault.unlock()) as store:
        old = list(store.history(None, 1_000))
    first = max(each.position for each in old) + 1
    fill("anna", [*(dated(each, number) for number, each in enumerate(old)), *talk(lobby, first, account, code)])
    return Client.open("anna")


def dated(view: MessageView, minute: int) -> MessageView:
    """The line with a fixed time."""
    return msgspec.structs.replace(view, time=line(0, minutes=minute).time)


def talk(room: str, first: int, anna: str, ben: str) -> list[MessageView]:
    """A conversation in which everything occurs."""

    def said(number: int, text: str, minutes: float, *, by: str = "ben", **more: Any) -> MessageView:
        account = anna if by == "anna" else ben
        return line(first + number, text, room=room, sender=by, account=account, minutes=minutes, **more)

    question = said(0, "Shall we meet on Thursday? https://example.org/cafe", 60)
    return [
        question,
        said(1, "anna: bring the maps please", 61),
        said(
            2,
            "Yes! I'll bring the maps, the compass and something to eat: bread, cheese, apples and a thermos of tea.",
            62,
            by="anna",
            state=DeliveryState.READ,
            reply_to=question.id,
            reactions=(Reaction("👍", ("ben",)), Reaction("🎉", ("anna", "ben"))),
        ),
        said(3, "two messages of ben are missing", 70, kind=MessageKind.GAP),
        said(4, "carl joined", 71, by="carl", kind=MessageKind.NOTICE, detail="joined"),
        said(5, "dora joined", 72, by="dora", kind=MessageKind.NOTICE, detail="joined"),
        said(6, "漢字 and ünïcode, [red]no markup[/red]", 1500),
        said(7, "See you there", 1501, by="anna", state=DeliveryState.SENT, edited=True),
    ]


EXPLANATION = (
    "Either ben lost everything and began anew without the recovery code, or somebody pretends to be ben. "
    "Ask ben in another way before you go on."
)


@pytest.mark.parametrize(("size", "look"), [(LARGE, "night"), (SMALL, "day")])
def test_the_chat_and_what_opens_over_it(relay: RelayProcess, tmp_path: Path, size: tuple[int, int], look: str) -> None:
    """Messages with everything they can carry, completion, search, help, invitation, verification, changed key."""

    async def scenario() -> None:
        with anna_and_ben(relay) as client:
            async with open_chat(client, "anna", size=size, looks=[LOOKS[look]], look=f"{look}-one") as chat:
                await settled(chat)
                await picture(chat, "chat", tmp_path)
                await chat.press("escape")
                await picture(chat, "chosen", tmp_path)
                await chat.press("escape")
                await chat.type("/inv")
                await chat.until(lambda: chat.screen.composer.completing, "completion")
                await picture(chat, "completion", tmp_path)
                await chat.press("escape", "ctrl+u")
                await chat.hides("/inv")
                await chat.press("ctrl+r")
                await chat.on("SearchDialog")
                await chat.type("map")
                await chat.shows("2 hits")
                await picture(chat, "search", tmp_path)
                await chat.press("escape", "f1")
                await chat.on("Reader")
                await picture(chat, "help", tmp_path)
                await chat.press("escape", "alt+i")
                await chat.on("InviteDialog")
                await picture(chat, "invite", tmp_path)
                await chat.press("escape", "f8")
                await chat.on("Choose")
                await picture(chat, "choose", tmp_path)
                await chat.press("enter")
                await chat.on("VerifyScreen")
                await picture(chat, "verify", tmp_path)
                await chat.press("d")
                await chat.on("DifferentScreen")
                await picture(chat, "different", tmp_path)
                await chat.press("enter")
                await chat.on("ChatScreen")
                chat.screen.take([KeyChanged("ben", "aa" * 32, "bb" * 32, True, EXPLANATION)])
                await chat.on("KeyChangedScreen")
                await picture(chat, "changed", tmp_path)
                await chat.type("later", "enter")
                await chat.on("ChatScreen")

    run(scenario)


@pytest.mark.parametrize(("size", "look"), [(LARGE, "day"), (SMALL, "night")])
def test_the_chat_in_the_other_looks(relay: RelayProcess, tmp_path: Path, size: tuple[int, int], look: str) -> None:
    """The same messages, light and large, dark and small."""

    async def scenario() -> None:
        with anna_and_ben(relay) as client:
            async with open_chat(client, "anna", size=size, looks=[LOOKS[look]], look=f"{look}-one") as chat:
                await settled(chat)
                await picture(chat, "chat", tmp_path)

    run(scenario)


def test_without_colour_everything_is_still_told(
    relay: RelayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR: greys, and the same words and signs."""
    monkeypatch.setenv("NO_COLOR", "1")

    async def scenario() -> None:
        with anna_and_ben(relay) as client:
            async with open_chat(client, "anna", size=LARGE, looks=[LOOKS["night"]], look="night-one") as chat:
                await settled(chat)
                await picture(chat, "no-colour", tmp_path)
                assert not coloured(chat.app.export_screenshot())
                chat.screen.take([KeyChanged("ben", "aa" * 32, "bb" * 32, True, EXPLANATION)])
                await chat.on("KeyChangedScreen")
                await picture(chat, "no-colour-changed", tmp_path)
                await chat.type("later", "enter")
                await chat.on("ChatScreen")

    run(scenario)


def coloured(svg: str) -> set[str]:
    """Colours of text in a picture that are no greys."""
    inks = set(re.findall(r"\.terminal-[\w-]*r\d+ \{ fill: #([0-9a-f]{6})", svg))
    return {ink for ink in inks - {FRAME} if len({ink[0:2], ink[2:4], ink[4:6]}) > 1}


@pytest.mark.parametrize(("size", "look"), CASES)
def test_joining(tmp_path: Path, size: tuple[int, int], look: str) -> None:
    """The first questions."""

    async def scenario() -> None:
        async with open_chat(None, "nobody", size=size, looks=[LOOKS[look]], look=f"{look}-one") as chat:
            await chat.on("FirstRun")
            await chat.type("hello", "enter")
            await chat.shows("! invite link")
            await picture(chat, "join-link", tmp_path)
            answer = chat.app.screen.query_one("#answer", Input)
            answer.value = "secure-chat://127.0.0.1:1/#v1.system.AAAAAAAAAAAAAAAAAAAAAA"
            await chat.press("enter")
            await chat.shows("2 of 5")
            await chat.type("zoe", "enter")
            await chat.shows("3 of 5")
            await picture(chat, "join-lock", tmp_path)

    run(scenario)


async def settled(chat: Chat) -> None:
    """Everything that comes after the first picture is there."""
    await chat.type("/room lobby", "enter")
    await chat.shows("See you there", "connected", "epoch")
    await chat.until(lambda: chat.screen.code is not None and bool(chat.screen.members.items), "code and members")
    await chat.until(lambda: not chat.screen.notices.pieces(now_ms(), "", "")[0], "no notice")
