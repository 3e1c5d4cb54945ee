"""Long histories in the real app: paging, jumping, searching."""

from datetime import UTC, datetime

import pytest

from secure_chat.client.api import Client
from secure_chat.client.views import MessageView
from secure_chat.ui.tui.history.window import MAX_LINES, PAGE
from tests.people import join
from tests.relay_process import RelayProcess
from tests.ui.tui.driving import Chat, fill, open_chat, run
from tests.ui.tui.lines import BEN, START, line

COUNT = 3_000
"""Lines in the history: several times what is kept in memory."""
GAP = 2
"""Minutes between two lines: a little more than four days in all."""


def filled(relay: RelayProcess, name: str) -> Client:
    """Somebody whose lobby has a long history."""
    with join(relay, name) as client:
        room = client.rooms()[0].id
        first = max((each.position for each in client.history("#lobby")), default=0) + 1
    begin = -COUNT * GAP
    lines: list[MessageView] = []
    for number in range(COUNT):
        text = f"line {number}" + (" with a needle in it" if number % 1000 == 500 else "")
        reply = lines[5].id if number == COUNT - 2 else None
        lines.append(
            line(
                first + number,
                text,
                room=room,
                sender="ben",
                account=BEN,
                minutes=begin + number * GAP,
                reply_to=reply,
            )
        )
    fill(name, lines)
    return Client.open(name)


def first_line(chat: Chat) -> int:
    """The number of the first line on screen."""
    numbers = [int(row.split("line ")[1].split()[0]) for row in chat.text.split("\n") if "  line " in row]
    assert numbers
    return numbers[0]


def test_scrolling_reads_pages_and_keeps_memory_bounded(relay: RelayProcess) -> None:
    """Page up goes back through everything without a gap or a repetition; End returns to the newest."""

    async def scenario() -> None:
        with filled(relay, "pam") as pam:
            async with open_chat(pam, "pam") as chat:
                view = chat.screen.talk.view
                await chat.shows(f"line {COUNT - 1}")
                seen = first_line(chat)
                for _ in range(60):
                    await chat.press("pageup")
                    await chat.until(lambda: not view.is_waiting, "the page")
                    top = first_line(chat)
                    assert 0 < seen - top < 30
                    seen = top
                assert len(view.window) <= MAX_LINES + PAGE
                assert not view.window.at_end
                await chat.shows("↓ End")
                pam.send("#lobby", "meanwhile")
                await chat.pilot.pause(0.1)
                assert first_line(chat) == seen
                for _ in range(60):
                    await chat.press("pagedown")
                    await chat.until(lambda: not view.is_waiting, "the page")
                    top = first_line(chat)
                    assert 0 <= top - seen < 30
                    seen = top
                await chat.press("escape", "home")
                await chat.shows("line 0")
                await chat.press("end")
                await chat.shows("meanwhile")
                assert view.following

    run(scenario)


def test_search_finds_marks_and_goes_there(relay: RelayProcess) -> None:
    """Ctrl-R: hits while typing, newest first; Enter shows the message among its neighbours with the words marked."""

    async def scenario() -> None:
        with filled(relay, "ray") as ray:
            async with open_chat(ray, "ray") as chat:
                await chat.press("ctrl+r")
                await chat.on("SearchDialog")
                await chat.type("nee")
                await chat.shows("everywhere: 3 hits, newest first", "line 2500 with a needle", "line 500 with")
                await chat.press("tab")
                await chat.shows("in #lobby: 3 hits")
                await chat.press("down", "down", "enter")
                await chat.on("ChatScreen")
                await chat.shows("line 500 with a needle", "line 499", "line 501")
                assert chat.screen.chosen is not None
                assert chat.screen.chosen.text.startswith("line 500")
                assert chat.screen.talk.around.hits == ("nee",)
                await chat.until(lambda: chat.app.focused is chat.screen.talk.view, "the focus")
                await chat.press("escape")
                await chat.until(lambda: chat.app.focused is chat.screen.composer, "the input")
                await chat.press("escape")
                await chat.until(lambda: chat.screen.talk.around.hits == (), "no marks")
                await chat.type("/search xyzzy", "enter")
                await chat.shows("everywhere: nothing found")
                await chat.press("escape")

    run(scenario)


@pytest.mark.parametrize("by_key", [True, False])
def test_a_day_is_gone_to(relay: RelayProcess, by_key: bool) -> None:
    """Ctrl-G or /date: the first line of the day stands on top; nonsense is told where it was typed."""
    name = f"sid{by_key}".lower()

    async def scenario() -> None:
        with filled(relay, name) as sid:
            async with open_chat(sid, name) as chat:
                await chat.shows(f"line {COUNT - 1}")
                day = "2026-03-01"
                begin = START // 1000 - COUNT * GAP * 60
                midnight = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
                expected = -((begin - midnight) // (GAP * 60))
                if by_key:
                    await chat.press("ctrl+g")
                    await chat.on("TextDialog")
                    await chat.type("someday", "enter")
                    await chat.shows("a day: 2026-03-01, today, yesterday")
                    await chat.press("ctrl+u")
                    await chat.type(day, "enter")
                else:
                    await chat.type(f"/date {day}", "enter")
                await chat.shows("Sunday, 01 March 2026")
                assert first_line(chat) in (expected, expected + 1)
                await chat.type("/date today", "enter")
                await chat.shows("nothing was written here since")

    run(scenario)


def test_a_quote_leads_far_back(relay: RelayProcess) -> None:
    """Enter on an answer goes to what it answers, thousands of lines away; Alt-U and the mark of what is new."""

    async def scenario() -> None:
        with filled(relay, "tim") as tim:
            async with open_chat(tim, "tim") as chat:
                await chat.shows("│ ben: line 5")
                await chat.press("ctrl+up", "up", "enter")
                await chat.until(
                    lambda: chat.screen.chosen is not None and chat.screen.chosen.text == "line 5", "line 5"
                )
                await chat.shows("line 4", "line 6")
                await chat.press("escape", "alt+u")
                await chat.shows("nothing here is new since you left")

    run(scenario)


def test_what_came_while_away_stands_under_a_line(relay: RelayProcess) -> None:
    """The line counts the new messages; Alt-U goes to the first; it is gone after the next visit."""

    async def scenario() -> None:
        with join(relay, "uma") as uma, join(relay, "vic") as vic:
            uma.create_room("other")
            async with open_chat(uma, "uma") as chat:
                await chat.type("/room other", "enter")
                await chat.until(lambda: "#other" in chat.screen.header.words, "another room")
                for number in range(70):
                    vic.send("#lobby", f"news {number}")
                await chat.until(lambda: any(room.unread == 70 for room in uma.rooms()), "seventy unread")
                await chat.press("alt+a")
                await chat.shows("news 69")
                await chat.press("alt+u")
                await chat.shows("70 new since you left", "news 0")
                await chat.press("end")
                await chat.until(lambda: not any(room.unread for room in uma.rooms()), "all read")
                await chat.press("alt+2")
                await chat.until(lambda: "#other" in chat.screen.header.words, "away")
                await chat.press("alt+1")
                await chat.until(lambda: "#lobby" in chat.screen.header.words, "back")
                await chat.hides("new since you left")

    run(scenario)
