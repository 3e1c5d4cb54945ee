"""Keys with Alt as a terminal sends them: Escape before the key."""

from pathlib import Path

from tests.people import environment, join, program
from tests.relay_process import RelayProcess
from tests.terminal import ROWS, Terminal


def test_alt_keys_work_in_an_ordinary_terminal(relay: RelayProcess, home: Path) -> None:
    """Alt-1 to Alt-3 and Alt with arrows change rooms, Alt-Enter begins a line, Alt-I shows the invite link."""
    with join(relay, "alta") as alta:
        alta.create_room("attic")
        alta.create_room("cellar")
    with Terminal(program("client", "--profile", "alta"), env=environment(home)) as terminal:
        terminal.wait_for("#lobby", "connected", "Message", "room code")
        for keys, room in (
            ("\x1b1", "#attic"),
            ("\x1b3", "#lobby"),
            ("\x1b2", "#cellar"),
            ("\x1b[1;3A", "#attic"),
            ("\x1b[1;3B", "#cellar"),
            ("\x1b[1;3D", "#attic"),
            ("\x1b[1;3C", "#cellar"),
        ):
            terminal.press(keys)
            terminal.wait_for(f" {room}  1 person")
            shown = terminal.text.split("\n")[-ROWS]
            assert room in shown, shown
        terminal.press("one\x1b\rtwo\r")
        terminal.wait_for("  one\n", "  two")
        terminal.press("\x1bi")
        terminal.wait_for("Invite somebody")
        terminal.press("q")
        terminal.press("\x1b")
        terminal.press("\x1b")
        terminal.press("\x11")
        assert terminal.wait() == 0
