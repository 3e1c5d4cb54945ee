"""The metrics and health port."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from secure_chat.server.errors import ConfigurationError
from secure_chat.server.metrics import MetricsServer


@pytest.fixture
def problems() -> list[str]:
    return []


@pytest.fixture
def address(problems: list[str]) -> Iterator[str]:
    server = MetricsServer(
        "127.0.0.1",
        0,
        lambda: [("secure_chat_x_total", "counter", "Things.", 3.0)],
        lambda: problems[0] if problems else None,
    )
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_in_the_format_of_prometheus(address: str) -> None:
    """Help, type, value."""
    expected = "# HELP secure_chat_x_total Things.\n# TYPE secure_chat_x_total counter\nsecure_chat_x_total 3\n"
    assert get(f"{address}/metrics") == (200, expected)


def test_large_numbers_lose_no_digit() -> None:
    """A counter that stands still for a million deliveries would be no counter."""
    server = MetricsServer(
        "127.0.0.1",
        0,
        lambda: [
            ("secure_chat_x_total", "counter", "Things.", 12_345_678.0),
            ("secure_chat_y", "gauge", "Time.", 0.25),
        ],
        lambda: None,
    )
    server.start()
    try:
        _, text = get(f"http://127.0.0.1:{server.port}/metrics")
    finally:
        server.stop()
    assert "secure_chat_x_total 12345678\n" in text
    assert "secure_chat_y 0.25\n" in text


def test_health_says_what_is_wrong(address: str, problems: list[str]) -> None:
    """503 with the reason, for whoever restarts the relay."""
    assert get(f"{address}/health") == (200, "ok\n")
    problems.append("the writer has ended")
    assert get(f"{address}/health") == (503, "the writer has ended\n")
    assert get(f"{address}/else")[0] == 404


def test_only_loopback_is_served() -> None:
    """A metrics port open to the world would tell how busy one's people are."""
    with pytest.raises(ConfigurationError, match="is not loopback"):
        MetricsServer("0.0.0.0", 0, list, lambda: None)
