"""The real program in a real pseudo-terminal, with a real relay and another real person."""

from pathlib import Path

import pytest

from tests.people import environment, invite_link, join, program
from tests.relay_process import RelayProcess, wait_until
from tests.terminal import Terminal

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07[red]not red[/red] \u202egnirts\u202c \x9b31m",
    "👨\u200d👩\u200d👧\u200d👦" * 2_000,
    "z\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308" * 500,
    "\n" * 300 + "the end",
    "x" * 20_000,
)


def test_two_people_talk_in_a_terminal(relay: RelayProcess, home: Path) -> None:
    """Typed text arrives at the other one, theirs appears; Ctrl-Q leaves with nothing left on the terminal."""
    with join(relay, "ada"), join(relay, "bob") as bob:
        pass
    with join(relay, "cy") as cy:
        command = program("client", "--profile", "ada")
        with Terminal(command, env=environment(home)) as terminal:
            terminal.wait_for("#lobby", "connected", "Message", "room code")
            terminal.press("hello from a terminal 👋")
            terminal.wait_for("hello from a terminal")
            terminal.press("\r")
            wait_until(lambda: any("from a terminal 👋" in each.text for each in cy.history("#lobby")), "arrival")
            cy.send("#lobby", "hello back")
            terminal.wait_for("hello back")
            terminal.press("\x1b[5~")  # page up
            terminal.press("\x1bOP")  # F1
            terminal.wait_for("compare safety numbers")
            terminal.press("\x1b")
            terminal.press("\x11")
            assert terminal.wait() == 0
    del bob


def test_nothing_that_a_peer_sends_breaks_the_screen(relay: RelayProcess, home: Path) -> None:
    """Control sequences, markup, overrides, piles of marks, thousands of emoji: every pane stays where it is."""
    with join(relay, "dee"):
        pass
    with join(relay, "mallory") as mallory:
        mallory.create_room("r" * 60)
        with Terminal(program("client", "--profile", "dee"), env=environment(home)) as terminal:
            terminal.wait_for("#lobby", "connected", "Message", "room code")
            for text in HOSTILE:
                mallory.send("#lobby", text)
            mallory.send("#lobby", "the last one")
            shown = terminal.wait_for("the last one", "characters in all")
            assert "[red]not red[/red]" in shown or "characters in all" in shown
            rows = shown.split("\n")[-50:]
            assert rows[0].startswith(" Rooms")
            assert rows[-2].startswith(" dee  ● connected")
            assert rows[-1].startswith(" F1 Help")
            assert rows[-3][26:].startswith(" Message")
            for row in rows[1:-2]:
                assert row[:1] in ("", " ", "▎", "▌"), row
            terminal.press("\x11")
            assert terminal.wait() == 0


def test_joining_in_a_terminal(relay: RelayProcess, home: Path) -> None:
    """A link and nothing else: name, lock, recovery code, lobby."""
    command = program("client", "--profile", "eve", invite_link(relay))
    with Terminal(command, env=environment(home)) as terminal:
        terminal.wait_for("2 of 5", "Your name")
        terminal.press("eve\r")
        terminal.wait_for("3 of 5")
        terminal.press("\x1b[F\r")
        terminal.wait_for("5 of 5", "Your recovery code")
        terminal.press("\r")
        terminal.wait_for("#lobby", "connected")
        terminal.press("\x11")
        assert terminal.wait() == 0


@pytest.mark.parametrize("variable", ["NO_COLOR", "COLORTERM"])
def test_few_colours_are_enough(relay: RelayProcess, home: Path, variable: str) -> None:
    """Without colour and with 256 colours everything is said by words and signs."""
    name = variable.replace("_", "").lower()
    with join(relay, name):
        pass
    more = {"NO_COLOR": "1"} if variable == "NO_COLOR" else {"COLORTERM": ""}
    with Terminal(program("client", "--profile", name), env=environment(home, **more)) as terminal:
        terminal.wait_for("▎", "#lobby", "● connected", "encrypted, post-quantum")
        terminal.press("/plain\r")
        terminal.wait_for("You are", "#lobby>")
        terminal.press("\x04")
        assert terminal.wait() == 0
