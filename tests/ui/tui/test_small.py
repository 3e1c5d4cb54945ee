"""QR codes, settings, notifications, the feed of events."""

import asyncio
import threading
from pathlib import Path

from secure_chat.client.events import CaughtUp, Event
from secure_chat.client.views import Hit
from secure_chat.ui.tui import notify
from secure_chat.ui.tui.feed import Feed
from secure_chat.ui.tui.qr import code_rows
from secure_chat.ui.tui.search.screen import hit_item, marked_words
from secure_chat.ui.tui.settings import Settings
from tests.ui.tui.lines import line


def test_digits_fit_the_smallest_screen() -> None:
    """Sixty digits with their margin take fifteen rows and twenty-nine columns."""
    rows = code_rows("0123456789" * 6)
    assert (len(rows), len(rows[0])) == (15, 29)
    assert {len(row) for row in rows} == {29}
    assert rows[0].strip() == ""


def test_an_invite_code_is_twenty_three_rows_without_margin() -> None:
    """So that it fits a terminal of 24 rows alone."""
    link = f"secure-chat://192.168.100.200:7443/#v1.{'A' * 43}.{'B' * 22}.{'C' * 43}"
    assert len(code_rows(link, quiet=0)) <= 23


def test_settings_come_back_and_damage_is_forgiven(tmp_path: Path) -> None:
    """What can't be read counts as nothing chosen."""
    assert Settings.load(tmp_path) == Settings()
    Settings(look="day", compact=True).save(tmp_path)
    assert Settings.load(tmp_path) == Settings(look="day", compact=True)
    (tmp_path / "screen.json").write_text("{")
    assert Settings.load(tmp_path) == Settings()
    Settings().save(tmp_path / "missing" / "folder")


def test_titles_can_not_end_their_sequence() -> None:
    """Nothing in a room's name reaches the terminal as a control."""
    assert notify._safe("a\x07b\x1b\\c\x9c\u202e") == "ab\\c"
    assert len(notify._safe("x" * 500)) <= 80


def test_events_of_a_burst_are_handed_over_together_and_in_order() -> None:
    """A single event comes at once; a thousand more come in few batches, none lost."""
    batches: list[list[Event]] = []

    async def scenario() -> None:
        done = asyncio.Event()

        def handle(events: list[Event]) -> None:
            batches.append(events)
            if events[-1] == CaughtUp(1_000):
                done.set()

        feed = Feed(handle)

        def talk() -> None:
            for number in range(1_001):
                feed(CaughtUp(number))

        thread = threading.Thread(target=talk)
        thread.start()
        await asyncio.wait_for(done.wait(), 20)
        thread.join()

    asyncio.run(scenario())
    assert [event for batch in batches for event in batch] == [CaughtUp(number) for number in range(1_001)]
    assert len(batches) < 50


def test_events_after_the_end_are_dropped() -> None:
    """The client's thread may outlive the screen."""
    feeds: list[Feed] = []

    async def scenario() -> None:
        feeds.append(Feed(lambda events: None))

    asyncio.run(scenario())
    feeds[0](CaughtUp(1))


def test_hits_are_marked_in_their_line() -> None:
    """What stands between U+0002 and U+0003 is marked; the rest of the snippet is cleaned."""
    hit = Hit(line(1, sender="ben"), "plans", "say \x02maps\x03 or \x1b[2J\x02map\x03")
    pieces = hit_item(hit, with_room=True).left
    assert [text for text, style in pieces if style == "hit"] == ["maps", "map"]
    assert "\x1b" not in "".join(text for text, _ in pieces)
    assert "plans" in "".join(text for text, _ in pieces)
    assert marked_words('maps "exact phrase"') == ("maps", "exact", "phrase")
