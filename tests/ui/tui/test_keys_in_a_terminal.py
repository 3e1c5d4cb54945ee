"""Changed keys and new devices in the real terminal, with a relay whose operator cheats."""

import sqlite3
from pathlib import Path

from secure_chat.client.api import Client
from secure_chat.client.views import Trust
from tests.people import environment, invite_link, join, program
from tests.relay_process import RelayProcess, running, wait_until
from tests.terminal import ROWS, Terminal


def give_name_away(relay: RelayProcess, name: str) -> None:
    """The operator frees a name in the database: whoever comes next may have it, with any key."""
    port = relay.address[1]
    relay.stop()
    with sqlite3.connect(relay.home.database) as database:
        found = database.execute("UPDATE accounts SET handle = ? WHERE handle = ?", (f"{name}.gone", name))
        assert found.rowcount == 1
    database.close()
    relay.start(port=port)


def shown(terminal: Terminal) -> str:
    """What is on the screen now."""
    return "\n".join(terminal.text.split("\n")[-ROWS:])


def test_a_name_with_another_key_stops_everything_until_it_is_decided(tmp_path: Path, home: Path) -> None:
    """The screen comes by itself, and again at the next start; no accident closes it, nothing is sent."""
    with running(tmp_path) as relay:
        with join(relay, "anna"), join(relay, "ben") as ben:
            ben.deliver("anna", "it is me")
            old_account = ben.status().account
        with Terminal(program("client", "--profile", "anna"), env=environment(home)) as terminal:
            terminal.wait_for("#lobby", "connected", "room code")
            terminal.press("/room ben\r")
            terminal.wait_for("it is me", "not verified: F8")
            give_name_away(relay, "ben")
            with Client.join(invite_link(relay), "ben", profile="impostor") as impostor:
                assert impostor.status().account != old_account
                terminal.wait_for("ben's account key has CHANGED", "Nothing is sent to ben until you decide")
                terminal.press("\x1b")
                terminal.press("and by the way, here is the password\r y q \r")
                terminal.wait_for("This needs a decision")
                assert "account key has CHANGED" in shown(terminal)
                terminal.press("compare\r")
                number = impostor.safety_number("anna").number
                terminal.wait_for("Verify ben", *number.split())
                terminal.press("d")
                terminal.wait_for("The safety numbers differ", "Don't write anything secret to ben now.")
                terminal.press("\r")
                terminal.wait_for("KEY CHANGED")
                terminal.press("the secret\r")
                terminal.wait_for(" ! ", "ben's key has changed: compare safety numbers", "(F8 compares)")
                terminal.press("\x03\x11")
                assert terminal.wait() == 0
            with Terminal(program("client", "--profile", "anna"), env=environment(home)) as terminal:
                terminal.wait_for("ben's account key has CHANGED", "This was noticed earlier and waits for you")
                terminal.press("accept ben\r")
                terminal.wait_for("ben's new key is used from now on")
                terminal.press("\x11")
                assert terminal.wait() == 0
            with Client.open("impostor") as impostor:
                assert all("secret" not in line.text for room in impostor.rooms() for line in impostor.history(room.id))
        with Client.open("anna") as anna:
            assert anna.safety_number("ben").trust is Trust.FIRST_USE


def test_a_new_device_is_a_line_in_the_room(relay: RelayProcess, home: Path) -> None:
    """Certified by the same account key: told where everybody reads, asked of nobody."""
    with join(relay, "gwen"), join(relay, "hugo") as hugo:
        code = hugo.recovery_code()
        with Terminal(program("client", "--profile", "gwen"), env=environment(home)) as terminal:
            terminal.wait_for("#lobby", "connected", "room code")
            with Client.join(invite_link(relay), "hugo", profile="laptop", recovery_code=code) as laptop:
                assert laptop.wait_until_entered()
                terminal.wait_for("· hugo has another device")
                laptop.send("#lobby", "from my laptop")
                terminal.wait_for("from my laptop")
                assert "CHANGED" not in terminal.text
            terminal.press("\x11")
            assert terminal.wait() == 0
    with Client.open("gwen") as gwen:
        wait_until(lambda: any("another device" in line.text for line in gwen.history("#lobby")), "the line stays")
