"""A transaction that can't be written: typed answers, nothing half-done, and the relay goes on when it can again."""

import sys
from pathlib import Path

import pytest

from secure_chat.wire.errors import ErrorCode, RelayError
from secure_chat.wire.messages import Entry, EntryKind, Error, Goodbye
from tests.relay_client import Person
from tests.relay_process import RelayProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits another process's file size, which Linux can")


def limit_file_size(relay: RelayProcess, size: int) -> None:
    """From now on the relay can't write files beyond this: the database meets a real error of the system."""
    import resource

    resource.prlimit(relay.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_failed_commit_is_answered_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """What was acknowledged before is there, what failed is not, and the same appends succeed afterwards."""
    import resource

    relay = RelayProcess(tmp_path)
    relay.start()
    alice, bob = Person("alice"), Person("bob")
    token = relay.invite()
    relay.enter(bob, token).close()
    with relay.enter(alice, token) as client:
        room = client.create_room().summary.channel
        head = client.append(room, b"founding", kind=EntryKind.FOUNDING, add=[bob.member]).head
        client.append(room, b"before", head=head)
        limit_file_size(relay, 4096)
        failed = client.append_message(room, b"x" * 60_000, head=head)
        client.send(failed)
        answer = client.wait(Error, lambda error: error.id == failed.id)
        assert answer.code in (ErrorCode.INTERNAL, ErrorCode.DISK_FULL)
        assert "nothing was written" in answer.message
        assert client.wait(Goodbye).retry_after > 0
        client.wait_for_end()
    limit_file_size(relay, resource.RLIM_INFINITY)
    with relay.enter(alice) as client:
        again = client.append(room, b"x" * 60_000, head=head, counter=failed.counter)
        assert not again.repeated
        assert client.append(room, b"x" * 60_000, head=head, counter=failed.counter).repeated
    with relay.enter(bob) as client:
        client.subscribe((room, 0))
        client.caught_up(room)
        log = [entry.payload for entry in client.inbox if isinstance(entry, Entry) and entry.channel == room]
        assert log == [b"founding", b"before", b"x" * 60_000]
    assert relay.stop() == 0
    assert [line["message"] for line in relay.log if line["level"] == "error"]


def test_a_relay_that_cannot_write_still_lets_go(tmp_path: Path) -> None:
    """A stop ends in time even when the last write fails."""
    relay = RelayProcess(tmp_path)
    relay.start()
    with relay.enter(Person("alice"), relay.invite()) as client:
        room = client.create_room().summary.channel
        client.append(room, b"founding", kind=EntryKind.FOUNDING)
        limit_file_size(relay, 4096)
        client.send(client.append_message(room, b"x" * 60_000))
        client.wait_for_end()
    assert relay.stop() in (0, 1)


def test_a_full_disk_is_told_once_in_the_log_and_so_is_its_end(tmp_path: Path) -> None:
    """Writes are refused before it is really full; room that is made counts at once."""
    options = tmp_path / "server.toml"
    options.write_text(f"[limits]\ndisk_reserve = {2**60}\n")
    relay = RelayProcess(tmp_path, "--config", str(options), settings={"metrics": "127.0.0.1:0"})
    relay.start()
    token = relay.invite()
    relay.wait_for_log("the disk is full: ")
    with relay.connect() as client:
        client.hello()
        with pytest.raises(RelayError) as refusal:
            client.register(Person("alice"), token)
        assert refusal.value.code is ErrorCode.DISK_FULL
    options.write_text("[limits]\ndisk_reserve = 0\n")
    relay.wait_for_log("there is room on the disk again: ")
    relay.enter(Person("alice"), token).close()
    assert relay.metric("disk_free_bytes") > 0
    assert relay.stop() == 0
    assert len([line for line in relay.log if line["level"] == "error"]) == 1
