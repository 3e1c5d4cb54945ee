"""Fifty clients race commits on one channel over TLS."""

import threading
from pathlib import Path

from secure_chat.wire.errors import ErrorCode
from secure_chat.wire.messages import Appended, Entry, EntryKind, Error
from tests.relay_client import Person, RelayClient
from tests.relay_process import running

RACERS = 50
ROUNDS = 5
LIMITS = {"limits.commits_per_minute": 100_000, "limits.commits_burst": 100_000}


def test_exactly_one_of_fifty_commits_wins_each_head(tmp_path: Path) -> None:
    """Everybody else gets `conflict` (or `reserved`, once the losers take turns) and nothing else."""
    with running(tmp_path, settings=LIMITS) as relay:
        token = relay.invite()
        people = [Person(f"racer{number}") for number in range(RACERS)]
        clients = [relay.enter(person, token) for person in people]
        room = clients[0].create_room().summary.channel
        others = [person.member for person in people[1:]]
        head = clients[0].append(room, b"founding", kind=EntryKind.FOUNDING, add=others).head
        start = threading.Barrier(RACERS)
        answers: list[list[Appended | Error]] = [[] for _ in range(RACERS)]

        def race(number: int, client: RelayClient, on: int) -> None:
            commit = client.append_message(room, b"commit %d" % number, kind=EntryKind.COMMIT, head=on)
            start.wait(30)
            client.send(commit)
            answer = client.answer_or_error(commit.id)
            assert isinstance(answer, Appended | Error)
            answers[number].append(answer)

        heads = [head]
        for _ in range(ROUNDS):
            threads = [
                threading.Thread(target=race, args=(number, client, heads[-1])) for number, client in enumerate(clients)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            latest = [row[-1] for row in answers]
            won = [answer for answer in latest if isinstance(answer, Appended)]
            lost = [answer for answer in latest if isinstance(answer, Error)]
            assert len(won) + len(lost) == RACERS
            assert len(won) <= 1
            if not won:  # the head is reserved for somebody who lost twice and will not come: its time runs out
                assert {answer.code for answer in lost} == {ErrorCode.RESERVED}
                continue
            for answer in lost:
                assert answer.code in (ErrorCode.CONFLICT, ErrorCode.RESERVED)
                assert answer.head in (heads[-1], won[0].head)
            heads.append(won[0].head)
        assert len(heads) > 1
        clients[0].subscribe((room, 0))
        clients[0].caught_up(room)
        log = [entry for entry in clients[0].inbox if isinstance(entry, Entry) and entry.channel == room]
        commits = [entry for entry in log if entry.kind is EntryKind.COMMIT]
        assert [entry.seq for entry in commits] == heads[1:]
        assert [entry.head for entry in commits] == heads[:-1]
        for client in clients:
            client.close()
