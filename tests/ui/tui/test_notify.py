"""Calling the user, as the bytes that the terminal gets."""

import re
from pathlib import Path

from tests.people import environment, join, program
from tests.relay_process import RelayProcess, wait_until
from tests.terminal import Terminal

FOCUS_OUT = "\x1b[O"
_ENDED_BY_BELL = re.compile(rb"\x1b\][^\x07\x1b]*\x07")


def rings(written: bytes | bytearray) -> bool:
    """Whether the bell rings: a BEL that is not the end of an OSC."""
    return b"\x07" in _ENDED_BY_BELL.sub(b"", written)


def test_mentions_and_direct_messages_call_and_muted_rooms_do_not(relay: RelayProcess, home: Path) -> None:
    """Title, bell and OSC 9 say who writes and where, never what; the old title comes back at the end."""
    with join(relay, "nora") as nora, join(relay, "otto") as otto:
        nora.start_direct("otto")
        wait_until(lambda: any(room.joined and room.name == "nora" for room in otto.rooms()), "the conversation")
        otto.create_room("band")
    nora_opens = program("client", "--profile", "nora")
    with join(relay, "pia") as pia, Terminal(nora_opens, env=environment(home)) as terminal:
        terminal.wait_for("#lobby", "connected", "room code")
        terminal.press("/room lobby\r")
        wait_until(lambda: b"\x1b]2;#lobby \xc2\xb7 nora\x1b\\" in terminal.written, "the title")
        assert b"\x1b[22;2t" in terminal.written
        pia.send("#lobby", "nothing special")
        terminal.wait_for("nothing special")
        assert b"\x1b]9;" not in terminal.written
        pia.send("nora", "psst, the secret word is xylophone")
        wait_until(lambda: b"\x1b]9;pia wrote to you\x1b\\" in terminal.written, "the call")
        assert rings(terminal.written)
        wait_until(lambda: b"\x1b]2;(1!) #lobby" in terminal.written, "the count in the title")
        assert b"]9;pia wrote to you in" not in terminal.written
        terminal.press("\x1ba")  # Alt-A: there
        terminal.wait_for("xylophone")
        terminal.press("\x1bm")  # muted
        terminal.wait_for("pia is muted")
        terminal.press("/room lobby\r")
        terminal.wait_for("nothing special")
        before = len(terminal.written)
        pia.send("nora", "are you there?")
        terminal.wait_for("1 muted")
        assert b"\x1b]9;" not in terminal.written[before:]
        assert not rings(terminal.written[before:])
        terminal.press(FOCUS_OUT)
        pia.send("#lobby", "nora: look here")
        wait_until(lambda: b"\x1b]9;pia wrote to you in #lobby\x1b\\" in terminal.written, "the mention")
        terminal.press("\x11")
        assert terminal.wait() == 0
        assert terminal.written.rindex(b"\x1b[23;2t") > before


def test_the_terminal_is_called_only_if_the_user_wants_it(relay: RelayProcess, home: Path) -> None:
    """After /sound there is neither bell nor notification, and the count in the title stays."""
    with join(relay, "quin"):
        pass
    quin_opens = program("client", "--profile", "quin")
    with join(relay, "rosa") as rosa, Terminal(quin_opens, env=environment(home)) as terminal:
        terminal.wait_for("#lobby", "connected", "room code")
        terminal.press("/sound\r")
        terminal.wait_for("the bell is silent")
        rosa.send("quin", "hello")
        wait_until(lambda: b"\x1b]2;(1!) #lobby" in terminal.written, "the count in the title")
        terminal.wait_for("→ rosa")
        assert b"\x1b]9;" not in terminal.written
        assert not rings(terminal.written)
        terminal.press("\x11")
        assert terminal.wait() == 0
