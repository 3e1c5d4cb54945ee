"""Pictures of the terminal UI for the documents, from a real session: `python scripts/pictures.py`.

Starts a relay on loopback, lets three people join, talk and verify each other, shows it to the terminal UI and writes
`docs/pictures/*.svg`. Times, codes and colours differ from run to run, as they do in life.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from svg import tidy  # noqa: E402

from secure_chat.client.api import Client  # noqa: E402
from secure_chat.ui.tui.app import ChatApp  # noqa: E402

__all__ = ["main"]

PATIENCE = 60.0


def main() -> int:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=REPOSITORY / "docs" / "pictures", help="the folder to write into")
    folder: Path = parser.parse_args().to
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["SECURE_CHAT_HOME"] = str(Path(temporary) / "home")
        with relay(Path(temporary)) as link, contextlib.ExitStack() as stack:
            people = {
                name: stack.enter_context(Client.join(link, name, profile=name)) for name in ("anna", "ben", "carla")
            }
            for client in people.values():
                client.wait_until_entered()
            talk(people)
            asyncio.run(show(people, folder))
        asyncio.run(join(folder))
    return 0


@contextlib.contextmanager
def relay(folder: Path) -> Iterator[str]:
    """A relay on loopback; gives an invite link for ten."""
    command = [sys.executable, "-m", "secure_chat", "server", "--data", str(folder / "relay")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "listening on" in line:
                break
        made = subprocess.run(
            [*command, "invite", "create", "--uses", "10"], env=environment, capture_output=True, text=True, check=True
        )
        yield next(word for word in made.stdout.split() if word.startswith("secure-chat://"))
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def talk(people: dict[str, Client]) -> None:
    """A conversation."""
    anna, ben, carla = people["anna"], people["ben"], people["carla"]
    anna.create_room("plans")
    anna.invite("#plans", "ben", "carla")
    for client in (ben, carla):
        wait(lambda client=client: bool(client.invitations()), "the invitation")  # type: ignore[misc]
        client.accept("#plans")
    wait(lambda: all(not each.invited for each in anna.members("#plans")), "everybody in")
    anna.mark_verified("ben")
    ben.mark_verified("anna")
    for client in people.values():
        client.mark_read("#lobby")
    question = say(ben, "#plans", "Shall we meet on Thursday? The usual place: https://example.org/cafe")
    say(carla, "#plans", "Thursday works. anna, could you bring the maps?")
    answer = say(anna, "#plans", "I will: maps, compass, and something to eat.", question)
    ben.react(answer, "👍")
    carla.react(answer, "🎉")
    say(ben, "#plans", "Then it's settled.\nCarla, you have the tent?")
    say(carla, "#plans", "Yes, the small one, and the big one is drying.")
    say(anna, "#plans", "See you there 🎒")
    say(ben, "anna", "One more thing, just between us")
    say(carla, "#lobby", "Good morning everybody")
    wait(lambda: any(room.unread for room in anna.rooms() if room.name == "ben"), "the direct message")


def say(client: Client, room: str, text: str, reply_to: str | None = None) -> str:
    """Sends and waits until it is on the relay and, in the order of the talk, everywhere."""
    message, _ = client.deliver(room, text, reply_to=reply_to)
    time.sleep(0.3)  # so that everybody's store has the same order
    return message


def wait(condition: Callable[[], bool], what: str) -> None:
    """Waits for something with a deadline."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)


async def show(people: dict[str, Client], folder: Path) -> None:
    """Anna's screen in several states, looks and sizes."""
    anna = people["anna"]
    chat = ["/room plans", "enter", "wait"]
    scenes: list[tuple[str, str, tuple[int, int], list[str]]] = [
        ("chat", "night", (120, 32), chat),
        ("chat-day", "day", (120, 32), chat),
        ("chat-small", "night", (60, 16), chat),
        ("search", "night", (120, 32), [*chat, "ctrl+r", "map", "wait"]),
        ("verify", "night", (100, 28), [*chat, "/verify carla", "enter", "wait"]),
        ("invite", "night", (100, 40), [*chat, "alt+i", "wait"]),
        ("help", "day", (100, 40), ["f1", "wait"]),
    ]
    for name, look, size, keys in scenes:
        await picture(ChatApp(anna, "anna"), folder / f"{name}.svg", look, size, keys)


async def join(folder: Path) -> None:
    """The first run."""
    app = ChatApp(None, "nobody", "secure-chat://chat.lan:7443/#v1.system.AAAAAAAAAAAAAAAAAAAAAA")
    await picture(app, folder / "join.svg", "night", (90, 22), ["dora", "enter", "wait"])


async def picture(app: ChatApp, path: Path, look: str, size: tuple[int, int], keys: list[str]) -> None:
    """Runs the app, presses keys (longer words are typed), and writes what is then on the screen."""
    app.settings.look = look
    app.choose_look()
    async with app.run_test(size=size, notifications=False) as pilot:
        await pilot.pause(1.0)
        for key in keys:
            if key == "wait":
                await pilot.pause(1.0)
            elif len(key) == 1 or key in ("enter", "escape", "f1", "ctrl+r", "alt+i"):
                await pilot.press(key)
            else:
                await pilot.press(*({" ": "space", "/": "slash"}.get(letter, letter) for letter in key))
        await pilot.pause(0.5)
        path.write_text(tidy(app.export_screenshot(title="secure-chat", simplify=True)), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    sys.exit(main())
