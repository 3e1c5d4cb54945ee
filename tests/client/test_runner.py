"""The I/O shell: failures of disk and store, and what survives them."""

import time
from concurrent.futures import Future
from pathlib import Path
from typing import cast

import pytest

from secure_chat.client.api import Client
from secure_chat.client.commands import Send
from secure_chat.client.engine import spaces
from secure_chat.client.engine.effects import DeleteRow, PutRow
from secure_chat.client.errors import ClientClosed, CommandFailed, StoreDamagedError
from secure_chat.client.events import Event, FailureCode, MessageAdded, Result, ShuttingDown
from secure_chat.client.profile import CA_KEY, SHELL_SPACE, Profile
from secure_chat.client.queries import GetHistory, GetRoomCode, GetStatus, Search
from secure_chat.client.runner import IDLE_SECONDS, LONGEST_LOG_SECONDS, Runner
from secure_chat.client.store import Store
from secure_chat.client.views import ConnectionState, StatusView
from secure_chat.errors import SecureChatError
from tests.people import join
from tests.relay_process import RelayProcess, wait_until


def opened(name: str) -> tuple[Runner, Store, list[Event]]:
    """The runner of an existing profile, its store, and all that it tells."""
    profile = Profile(name)
    lock = profile.acquire()
    store = Store.open(profile.store_path, profile.vault.unlock())
    events: list[Event] = []
    return Runner(profile, lock, store, events.append), store, events


def status(runner: Runner) -> StatusView:
    result = runner.submit(GetStatus()).result(20)
    assert isinstance(result, StatusView)
    return result


def online(runner: Runner) -> None:
    wait_until(lambda: status(runner).connection is ConnectionState.ONLINE, "online")


@pytest.mark.usefixtures("home")
def test_a_store_that_names_no_authority_trusts_nobody(relay: RelayProcess) -> None:
    """Without the pinned CA it must not be the system's hundred public ones."""
    join(relay, "olga").close()
    profile = Profile("olga")
    with profile.acquire() as lock, Store.open(profile.store_path, profile.vault.unlock()) as store:
        store.apply([DeleteRow(SHELL_SPACE, CA_KEY)])
        store.commit()
        with pytest.raises(StoreDamagedError, match="authority"):
            Runner(profile, lock, store)


@pytest.mark.usefixtures("home")
def test_full_disk_loses_nothing_and_is_told(relay: RelayProcess) -> None:
    """What could not be written was not sent; once there is room everything goes on by itself."""
    join(relay, "anna").close()
    runner, store, events = opened("anna")
    online(runner)
    pages = store._connection.pragma("page_count")
    store._connection.pragma("max_page_count", pages)  # SQLite itself then says that the disk is full
    refused = runner.submit(Send("#lobby", "x" * 50_000))
    with pytest.raises(CommandFailed, match="disk is full"):
        refused.result(20)
    assert not [event for event in events if isinstance(event, MessageAdded)]
    store._connection.pragma("max_page_count", 1_000_000)
    online(runner)
    assert isinstance(runner.submit(Send("#lobby", "x" * 50_000)).result(20), str)
    wait_until(lambda: status(runner).queued == 0, "sent")
    assert len(store.history(None, 10, after=0)) == len({line.id for line in store.history(None, 10, after=0)})
    runner.close()


@pytest.mark.usefixtures("home")
def test_damaged_rows_are_a_typed_error(relay: RelayProcess) -> None:
    """The profile can't be opened then, and is free for another attempt."""
    join(relay, "ben").close()
    profile = Profile("ben")
    with profile.acquire(), Store.open(profile.store_path, profile.vault.unlock()) as store:
        kept = dict(store.scan(spaces.ROOMS))
        store.apply([PutRow(spaces.ROOMS, next(iter(kept)), b"\xc1 damage")])
        store.commit()
    for _ in range(2):
        with pytest.raises(SecureChatError, match="damaged"):
            Client.open("ben")
    with profile.acquire(), Store.open(profile.store_path, profile.vault.unlock()) as store:
        store.apply([PutRow(spaces.ROOMS, *item) for item in kept.items()])
        store.commit()
    Client.open("ben").close()


@pytest.mark.usefixtures("home")
def test_internal_error_starts_over_and_keeps_no_content(home: Path, relay: RelayProcess) -> None:
    """The batch is undone, the engine comes back from the store; what is recorded names places, not values."""
    join(relay, "carl").close()
    runner, _, _ = opened("carl")
    online(runner)
    secret = "\ud800 a lone surrogate can't be encoded"  # a text that no front end lets through
    with pytest.raises(SecureChatError):
        runner.submit(Send("#lobby", secret)).result(20)
    online(runner)
    assert isinstance(runner.submit(Send("#lobby", "fine")).result(20), str)
    wait_until(lambda: status(runner).queued == 0, "sent")
    runner.close()
    for log in (home / "profiles" / "carl").glob("*.log"):
        assert "surrogate can't" not in log.read_text()


@pytest.mark.usefixtures("home")
def test_numbers_beyond_all_bounds_are_answered(relay: RelayProcess) -> None:
    """As the nearest that makes sense, or as what is not there; the client goes on."""
    join(relay, "cleo").close()
    runner, _, _ = opened("cleo")
    online(runner)
    runner.submit(Send("#lobby", "one line")).result(20)
    wait_until(lambda: status(runner).queued == 0, "sent")
    everything = runner.submit(GetHistory("#lobby")).result(20)
    assert everything
    huge = 10**30
    assert runner.submit(GetHistory("#lobby", limit=huge, before=huge, after=-huge)).result(20) == everything
    assert runner.submit(GetHistory("#lobby", limit=-3)).result(20) == ()
    assert runner.submit(GetHistory("#lobby", before=-3)).result(20) == ()
    assert runner.submit(GetHistory("#lobby", after=huge)).result(20) == ()
    assert runner.submit(Search("line", limit=-1)).result(20) == ()
    for epoch in (-1, huge):
        with pytest.raises(CommandFailed, match="not known here"):
            runner.submit(GetRoomCode("#lobby", epoch)).result(20)
    assert status(runner).connection is ConnectionState.ONLINE  # it has not started over
    runner.close()


@pytest.mark.usefixtures("home")
def test_internal_error_of_a_search_ends_nothing_else(relay: RelayProcess) -> None:
    """It changes nothing, so nothing has to be undone."""
    join(relay, "cora").close()
    runner, _, _ = opened("cora")
    online(runner)
    with pytest.raises(CommandFailed) as failure:
        runner.submit(GetHistory("#lobby", limit=cast(int, "many"))).result(20)  # no front end lets it through
    assert failure.value.code is FailureCode.INTERNAL
    assert status(runner).connection is ConnectionState.ONLINE
    runner.close()


@pytest.mark.usefixtures("home")
def test_closing_answers_everything(relay: RelayProcess) -> None:
    """Whatever was asked is answered or refused; later calls are refused as safe to repeat; listeners are told."""
    join(relay, "dora").close()
    runner, _, events = opened("dora")
    futures: list[Future[Result]] = [runner.submit(Send("#lobby", str(number))) for number in range(50)]
    runner.close()
    futures += [runner.submit(GetStatus())]
    for future in futures:
        error = future.exception(20)
        assert error is None or (isinstance(error, ClientClosed) and error.safe)
    with pytest.raises(ClientClosed):
        futures[-1].result(0)
    assert isinstance(events[-1], ShuttingDown)
    runner.close()
    Profile("dora").acquire().release()


@pytest.mark.usefixtures("home")
def test_log_is_emptied_when_nothing_happens(home: Path, relay: RelayProcess) -> None:
    """Deleted content does not stay in the write-ahead log of a client that is left open."""
    with join(relay, "emil") as client:
        client.send("#lobby", "hello")
        log = home / "profiles" / "emil" / "store.db-wal"
        wait_until(lambda: not log.read_bytes().strip(b"\0"), "an empty log", timeout=IDLE_SECONDS * 6)


@pytest.mark.usefixtures("home")
def test_log_is_emptied_though_it_never_gets_quiet(home: Path, relay: RelayProcess) -> None:
    """Keys and texts that were deleted are gone from the disk after a quarter of a minute, also in a busy chat."""
    with join(relay, "finn") as client:
        log = home / "profiles" / "finn" / "store.db-wal"
        client.send("#lobby", "the first of many")
        first = log.read_bytes()[56:4152]  # the first page in it, which no other is like: each is encrypted anew
        assert first.strip(b"\0")
        began = sent = time.monotonic()
        while first in log.read_bytes():
            now = time.monotonic()
            assert now < began + LONGEST_LOG_SECONDS * 3
            if now > sent + IDLE_SECONDS / 4:
                client.send("#lobby", "and another")
                sent = now
            time.sleep(0.05)
