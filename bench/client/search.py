"""Full-text search in a store of a million messages; each query on a freshly opened store."""

import itertools
import os
import random
import time
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path

from bench.client.figures import Figure
from secure_chat.client.engine.effects import PutMessage
from secure_chat.client.store import Store
from secure_chat.client.views import DeliveryState, MessageKind, MessageView

__all__ = ["measure"]

TARGET_MS = 50.0
ROOMS = 50
WORDS = 50_000
BATCH = 2_000
RARE = "xylophonically"
"""A word that three of all messages contain."""


def measure(folder: Path, messages: int, seed: int = 1) -> list[Figure]:
    """Fills a store, unless the folder has one of this size, and searches it."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 10))) for _ in range(WORDS)]
    rooms = [chance.randbytes(16).hex() for _ in range(ROOMS)]
    path, key = folder / f"search-{messages}.db", bytes(32)
    figures = []
    if not path.exists():
        begun = time.perf_counter()
        partial = path.with_suffix(".partial")
        with Store.create(partial, key) as store:
            for writes in _batches(messages, words, rooms, chance):
                store.apply(writes)
                store.commit()
        os.replace(partial, path)
        figures.append(Figure("fill the store", messages / (time.perf_counter() - begun), "/s"))
    size = path.stat().st_size / 1e6
    figures.append(Figure(f"store of {messages:,} messages", size, "MB"))
    common, second, prefix = words[0], words[1], words[3]
    queries = {
        "rare word": f'"{RARE}"',
        "common word": f'"{common}"',
        "common word as a beginning": common,
        "two words": f"{common} {second}",
        "two rarer words": f"{words[200]} {words[201]}",
        "1-letter prefix": prefix[:1],
        "2-letter prefix": prefix[:2],
        "3-letter prefix": words[7][:3],
    }
    for name, text in queries.items():
        for where, room in {"everywhere": None, "largest room": rooms[0], "small room": rooms[ROOMS - 5]}.items():
            with Store.open(path, key) as store:
                figures.append(Figure(f"search: {name}, {where}", _timed(store, text, room), "ms", TARGET_MS))
    return figures


def _timed(store: Store, text: str, room: str | None) -> float:
    begun = time.perf_counter()
    store.search(text, room, 50)
    return (time.perf_counter() - begun) * 1000


def _batches(count: int, words: list[str], rooms: list[str], chance: random.Random) -> Iterator[list[PutMessage]]:
    """Messages of 3 to 20 words by Zipf's law, rooms likewise."""
    frequency = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(words))))
    share = list(itertools.accumulate(1 / (rank + 1) ** 1.5 for rank in range(len(rooms))))
    rare = {count // 10, count // 2, count - 3}
    account = "ab" * 32
    for first in range(0, count, BATCH):
        writes = []
        for number in range(first, min(first + BATCH, count)):
            text = " ".join(
                words[bisect(frequency, chance.random() * frequency[-1])] for _ in range(chance.randint(3, 20))
            )
            if number in rare:
                text += f" {RARE}"
            writes.append(
                PutMessage(
                    MessageView(
                        id=chance.randbytes(16).hex(),
                        room=rooms[bisect(share, chance.random() * share[-1])],
                        position=number + 1,
                        kind=MessageKind.TEXT,
                        sender="alice",
                        account=account,
                        time=1_700_000_000_000 + number * 1000,
                        text=text,
                        state=DeliveryState.RECEIVED,
                    )
                )
            )
        yield writes
