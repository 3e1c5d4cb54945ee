"""Enter to the other screen, a thousand messages in a row, ten thousand that waited."""

import time
from concurrent.futures import Future

from bench.client.figures import Figure, percentile
from bench.client.people import Place, command
from bench.client.screen import Screen
from secure_chat.client.api import Client
from secure_chat.client.commands import Send
from secure_chat.client.events import Result
from secure_chat.client.views import ConnectionState, DeliveryState

__all__ = ["measure_burst", "measure_catch_up", "measure_latency"]

PAUSE = 0.05
"""Seconds between two measured messages: people don't type faster."""
TIMEOUT = 300.0


def measure_latency(where: Place, messages: int) -> list[Figure]:
    """Two line modes in pseudo-terminals: from Enter here to the text there."""
    for name in ("writer", "reader"):
        where.join(name).close()
    environment = where.environment()
    times = []
    with (
        Screen(command("--plain", "--profile", "writer"), environment) as writer,
        Screen(command("--plain", "--profile", "reader"), environment) as reader,
    ):
        for screen in (writer, reader):
            screen.wait_for("#lobby>")
        for number in range(messages + 10):
            text = f"message-{number}."
            writer.press(text)
            writer.wait_for(text)
            begun = time.perf_counter()
            writer.press("\r")
            times.append((reader.wait_for(f"writer: {text}") - begun) * 1000)
            writer.wait_for(f"writer: {text}")
            time.sleep(PAUSE)
    del times[:10]
    return [
        Figure("Enter to the other screen, p50", percentile(times, 0.50), "ms", 5),
        Figure("Enter to the other screen, p99", percentile(times, 0.99), "ms", 15),
    ]


def measure_burst(where: Place, messages: int) -> list[Figure]:
    """Sent as fast as the client takes them, until the relay has the last one on its disk."""
    with where.join("burst") as client:
        client.wait_until_entered()
        seconds = _send_all(client, messages)
    return [Figure(f"{messages:,} messages in a row", messages / seconds, "/s", 1_000, at_least=True)]


def measure_catch_up(where: Place, messages: int) -> list[Figure]:
    """What waited while a client was away: received, decrypted, checked and stored."""
    with where.join("away") as away:
        away.wait_until_entered()
    with where.join("talker") as talker:
        talker.wait_until_entered()
        _send_all(talker, messages)
        begun = time.perf_counter()
        with Client.open("away") as away:
            events = away.events()
            while away.status().connection is not ConnectionState.ONLINE:
                events.next(TIMEOUT)
            seconds = time.perf_counter() - begun
            texts = [line for line in away.history("#lobby", 10_000) if line.sender == "talker"]
            assert len(texts) >= min(messages, 9_000), f"only {len(texts)} of {messages} arrived"
    return [
        Figure(f"catch up on {messages:,} messages", seconds, "s", 5 if messages == 10_000 else None),
        Figure("catching up", messages / seconds, "/s"),
    ]


def _send_all(client: Client, messages: int) -> float:
    """Seconds until all are at the relay."""
    begun = time.perf_counter()
    futures: list[Future[Result]] = [client.submit(Send("#lobby", f"message {number}")) for number in range(messages)]
    last = futures[-1].result(TIMEOUT)
    assert isinstance(last, str)
    deadline = begun + TIMEOUT
    while client.message(last).state is DeliveryState.QUEUED:
        assert time.perf_counter() < deadline, "the messages did not go out"
        time.sleep(0.005)
    return time.perf_counter() - begun
