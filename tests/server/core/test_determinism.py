"""The same inputs give the same outputs, whatever the process; a restart changes nothing that clients rely on."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from secure_chat.server.core.effects import Output
from secure_chat.server.core.settings import Settings
from secure_chat.wire.messages import ChannelChange, ChannelKind, Entry, EntryKind
from tests.server.relay_host import Peer, RelayHost

ROOT = Path(__file__).parent.parent.parent.parent


def play(directory: Path) -> str:
    """A busy hour, as one number."""
    host = RelayHost(directory, Settings(commits_burst=1_000, cached_members=30))
    digest = hashlib.sha256()

    def note(outputs: list[Output]) -> None:
        digest.update(repr(outputs).encode())

    peers = [Peer.join(host, f"peer{number}") for number in range(12)]
    rooms = [peer.room(*(other for other in peers if other is not peer)) for peer in peers[:5]]
    rooms.append(peers[0].room(*peers[1:], kind=ChannelKind.OPEN, name="lobby"))
    for step in range(150):
        peer, room = host.random.choice(peers), host.random.choice(rooms)
        choice = host.random.randrange(8)
        if choice < 3:
            peer.append(room, head=1)
        elif choice == 3:
            peer.append(room, EntryKind.COMMIT, head=host.random.choice([1, 2, 3]))
        elif choice == 4:
            other = host.random.choice(peers)
            peer.append(room, EntryKind.MEMBERS, change=ChannelChange(remove=(other.device_id,)))
        elif choice == 5:
            peer.reconnect()
            for channel in rooms:
                peer.subscribe(channel)
        elif choice == 6:
            peer.acknowledge(room, step)
        else:
            host.tick(700)
        note(host.outputs)
    host.close()
    return digest.hexdigest()


def test_the_same_inputs_give_the_same_outputs(tmp_path: Path) -> None:
    """In processes with different hash seeds: nothing depends on the order of a set."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.server.core.test_determinism import play\n"
        "print(play(Path(sys.argv[1])))\n"
    )
    digests = set()
    for seed in ("1", "2"):
        directory = tmp_path / seed
        directory.mkdir()
        result = subprocess.run(
            [sys.executable, "-c", program, str(directory)],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(result.stdout)
    assert len(digests) == 1


def test_a_small_cache_changes_nothing(tmp_path: Path) -> None:
    """What is evicted from memory comes back as it was."""
    logs = []
    for name, members in (("small", 3), ("large", 100_000)):
        directory = tmp_path / name
        directory.mkdir()
        host = RelayHost(directory, Settings(cached_members=members, commits_burst=1_000))
        peers = [Peer.join(host, f"peer{number}") for number in range(4)]
        rooms = [peers[0].room(*peers[1:]) for _ in range(4)]
        for number in range(60):
            host.now += 10
            peer, room = peers[number % 4], rooms[number * 7 % 4]
            kind = EntryKind.COMMIT if number % 5 == 0 else EntryKind.APPLICATION
            peer.append(room, kind, b"%d" % number, head=1 + number // 30)
            peer.acknowledge(room, number // 8)
            if number % 9 == 0:
                host.tick(600)
        entries: list[Entry] = []
        for room in rooms:
            entries += peers[1].entries(room)
        logs.append((entries, [peer.reconnect().channels for peer in peers]))
        host.close()
    assert logs[0] == logs[1]
