"""Long work tells how far it is: catching up, exporting, writing a backup."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from secure_chat.client.api import Client
from secure_chat.client.views import DeliveryState
from tests.people import join
from tests.relay_process import RelayProcess, running, wait_until
from tests.ui.tui.driving import Chat, fill, open_chat, run
from tests.ui.tui.lines import BEN, line

MISSED = 1_100
"""Messages: from 1,000 on the way through them is told."""
KEPT = 30_000
"""Lines of history: exporting them takes a second or two."""


@asynccontextmanager
async def all_that_was_told(chat: Chat) -> AsyncIterator[list[str]]:
    """What stood above the input, however briefly."""
    told: list[str] = []

    async def look() -> None:
        while True:
            if not told or told[-1] != chat.screen.info.words:
                told.append(chat.screen.info.words)
            await asyncio.sleep(0.002)

    looking = asyncio.create_task(look())
    try:
        yield told
    finally:
        looking.cancel()


def test_catching_up_tells_how_far_it_is(tmp_path: Path) -> None:
    """A bar with counts while what came meanwhile is taken in; then how many messages came, and no bar."""
    with running(tmp_path, settings={"limits.requests_per_second": 1000}) as relay:
        with join(relay, "late"), join(relay, "busy") as busy:
            pass
        with Client.open("busy") as busy:
            for number in range(MISSED):
                last = busy.send("#lobby", f"message {number}")
            wait_until(lambda: busy.message(last).state is not DeliveryState.QUEUED, "all are at the relay", 60)

        port = relay.address[1]
        relay.stop()

        async def scenario() -> None:
            with Client.open("late") as late:
                async with open_chat(late, "late") as chat, all_that_was_told(chat) as told:
                    await chat.shows("offline")
                    await asyncio.to_thread(relay.start, port=port)
                    await chat.until(lambda: any("messages came while you were away" in each for each in told), "end")
                    bars = [each for each in told if each.startswith("catching up ") and " of 1,10" in each]
                    assert bars, told
                    await chat.until(lambda: chat.screen.notices.progress is None, "no bar")
                    await chat.shows(f"message {MISSED - 1}")

        run(scenario)


def test_export_and_backup_tell_how_far_they_are(relay: RelayProcess, tmp_path: Path) -> None:
    """Lines and kilobytes are counted while the chat goes on."""
    with join(relay, "keep") as keep:
        room = keep.rooms()[0].id
    fill("keep", [line(10 + number, f"kept {number} " * 4, room=room, account=BEN) for number in range(KEPT)])

    async def scenario() -> None:
        with Client.open("keep") as keep:
            async with open_chat(keep, "keep") as chat, all_that_was_told(chat) as told:
                await chat.type(f"/export {tmp_path}/x.jsonl", "enter")
                await chat.shows("lines are in")
                assert any(each.startswith("exporting #lobby: ") and each.endswith(",000") for each in told), told
                await chat.type(f"/backup {tmp_path}/x.backup", "enter")
                await chat.on("TextDialog")
                await chat.type("secret words", "enter")
                await chat.shows("the backup is in")
                counted = [each for each in told if each.startswith("writing the backup, kilobytes: ")]
                assert counted, told
                assert chat.screen.notices.progress is None

    run(scenario)
