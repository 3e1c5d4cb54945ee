"""From the command to a prompt that takes a key, one `send` as a process, memory."""

import subprocess
import time
from statistics import median

from bench.client.figures import Figure
from bench.client.people import Place, command
from bench.client.screen import Screen

__all__ = ["measure"]

RUNS = 7


def measure(where: Place) -> list[Figure]:
    """Each the median of several runs, modules compiled and files cached."""
    where.join("starter").close()
    environment = where.environment()

    def prompt() -> tuple[float, float]:
        with Screen(command("--plain", "--profile", "starter"), environment) as screen:
            screen.wait_for("#lobby>")
            screen.press("x")
            return (screen.wait_for("x") - screen.begun) * 1000, screen.memory()

    def send() -> float:
        begun = time.perf_counter()
        subprocess.run(command("--profile", "starter", "send", "#lobby", "x"), env=environment, check=True)
        return (time.perf_counter() - begun) * 1000

    prompt(), send()  # compiles and caches
    prompts = [prompt() for _ in range(RUNS)]
    alone = [send() for _ in range(RUNS)]
    with Screen(command("--plain", "--profile", "starter"), environment) as screen:
        screen.wait_for("#lobby>")
        beside = [send() for _ in range(RUNS)]
        memory = screen.memory()
    return [
        Figure("prompt that takes a key (key file)", median(value for value, _ in prompts), "ms", 250),
        Figure("one send as a process", median(alone), "ms", 250),
        Figure("one send beside an open prompt", median(beside), "ms", 250),
        Figure("memory of the line mode", memory, "MiB", 60),
    ]
