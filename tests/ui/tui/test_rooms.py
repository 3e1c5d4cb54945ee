"""Rooms, invitations, panels, commands, files: what is around the conversation."""

import json
from pathlib import Path

import pytest

from secure_chat.client.views import RoomKind
from secure_chat.ui.tui.qr import CodeView
from secure_chat.ui.tui.settings import Settings
from tests.people import join
from tests.relay_process import RelayProcess, wait_until
from tests.ui.tui.driving import open_chat, run


def test_an_invitation_is_shown_and_accepted(relay: RelayProcess) -> None:
    """It stands on top of the list; choosing it says who invites and who is in; accepting goes there."""

    async def scenario() -> None:
        with join(relay, "abe") as abe, join(relay, "bea") as bea:
            async with open_chat(bea, "bea") as chat:
                abe.create_room("garden party")
                abe.invite("#garden party", "bea")
                await chat.shows("+ #garden party", "Invitations")
                await chat.press("alt+a")
                await chat.on("Choose")
                await chat.shows("Invitation to #garden party", "abe (not verified) invites you")
                await chat.press("enter")
                await chat.until(lambda: "#garden party" in chat.screen.header.words, "the room")
                await chat.hides("Invitations")
                await chat.type("thanks", "enter")
                await chat.until(lambda: any(line.text == "thanks" for line in abe.history("#garden party")), "arrival")

    run(scenario)


def test_an_invitation_is_declined(relay: RelayProcess) -> None:
    """It disappears from the list."""

    async def scenario() -> None:
        with join(relay, "cal") as cal, join(relay, "dot") as dot:
            async with open_chat(dot, "dot") as chat:
                cal.create_room("dull")
                cal.invite("#dull", "dot")
                await chat.shows("+ #dull")
                await chat.press("f6", "f6", "home", "enter")
                await chat.on("Choose")
                await chat.press("down", "enter")
                await chat.hides("#dull")
                assert not dot.invitations()

    run(scenario)


def test_rooms_are_made_joined_and_left_by_commands(relay: RelayProcess) -> None:
    """/create, /join, /msg and /leave change the list; a wrong command says what there is."""

    async def scenario() -> None:
        with join(relay, "eli") as eli, join(relay, "fay"):
            async with open_chat(eli, "eli") as chat:
                await chat.type("/join #den", "enter")
                await chat.until(lambda: "#den" in chat.screen.header.words, "the open room")
                await chat.type("/create attic", "enter")
                await chat.until(lambda: "#attic" in chat.screen.header.words, "the closed room")
                await chat.type("/msg fay good morning", "enter")
                await chat.until(lambda: chat.screen.header.words.startswith("fay"), "the conversation")
                await chat.shows("good morning")
                await chat.type("/room attic", "enter")
                await chat.until(lambda: "#attic" in chat.screen.header.words, "back in the attic")
                await chat.type("/leave", "enter")
                await chat.until(lambda: "#attic" not in chat.screen.header.words, "elsewhere")
                await chat.type("/dance", "enter")
                await chat.shows("there is no command /dance: F1 shows all")
                assert chat.screen.composer.text == "/dance"  # to be mended
                await chat.press("ctrl+u")
                await chat.type("//slash", "enter")
                await chat.shows("/slash")
                await chat.type("/kick", "enter")
                await chat.shows("usage: /kick")
                await chat.press("ctrl+u")
                await chat.type("/help mute", "enter")
                await chat.shows("No notifications and no mention marks")
                await chat.type("/people", "enter")
                await chat.on("Reader")
                await chat.shows("fay", "not verified")

    run(scenario)


def test_muting_and_calling(relay: RelayProcess) -> None:
    """Alt-M mutes the room: marked in the list and the header, no pointer any more."""

    async def scenario() -> None:
        with join(relay, "gil") as gil, join(relay, "hal") as hal:
            gil.start_direct("hal")
            async with open_chat(gil, "gil") as chat:
                await chat.type("/room hal", "enter")
                await chat.until(lambda: chat.screen.header.words.startswith("hal"), "hal")
                await chat.press("alt+m")
                await chat.until(lambda: "muted" in chat.screen.header.words, "muted")
                await chat.press("alt+1")
                await chat.until(lambda: "#lobby" in chat.screen.header.words, "the lobby")
                hal.send("gil", "can you hear me?")
                await chat.shows("1 muted")
                assert "can you hear me" not in chat.text
                assert "unread" not in chat.screen.header.words

    run(scenario)


@pytest.mark.parametrize("size", [(100, 44), (60, 16)])
def test_an_invite_link_is_shown_as_text_and_code(relay: RelayProcess, size: tuple[int, int]) -> None:
    """Alt-I: the link, its QR code where it fits, and the clipboard."""
    name = f"ivo{size[0]}"

    async def scenario() -> None:
        with join(relay, name) as ivo:
            async with open_chat(ivo, name, size=size) as chat:
                await chat.press("alt+i")
                await chat.on("InviteDialog")
                await chat.shows("Invite somebody", "valid for 7 days")
                await chat.press("c")
                await chat.shows("Copied")
                assert chat.app.clipboard.startswith(f"secure-chat://127.0.0.1:{relay.address[1]}/#v1.")
                if size[1] > 40:
                    assert chat.app.screen.query_one(CodeView).region.bottom <= size[1]
                    await chat.press("escape")
                else:
                    await chat.press("q")
                    await chat.on("CodeScreen")
                    await chat.shows("The QR code needs", "rows: make the")
                    await chat.press("escape")
                    await chat.on("InviteDialog")

    run(scenario)


def test_panels_are_called_up_over_a_narrow_screen(relay: RelayProcess) -> None:
    """At 60 × 16 rooms and people come over the messages and go when one is chosen; wide screens hide them."""

    async def scenario() -> None:
        with join(relay, "jan") as jan:
            jan.create_room("workshop")
            async with open_chat(jan, "jan", size=(60, 16)) as chat:
                await chat.hides("1 #lobby")
                await chat.press("f2")
                await chat.shows("1 #lobby", "2 #workshop")
                await chat.press("down", "up", "enter")
                await chat.hides("1 #lobby")
                await chat.press("f3")
                await chat.shows("● jan")
                await chat.press("f3")
                await chat.hides("● jan")
                await chat.pilot.resize_terminal(140, 30)
                await chat.shows("1 #lobby", "● jan")
                await chat.press("f2")
                await chat.hides("1 #lobby")
                assert not Settings.load(chat.app._directory).rooms

    run(scenario)


def test_a_member_can_be_written_to_and_removed(relay: RelayProcess) -> None:
    """Enter on a member lists what can be done; an admin can remove, after a question."""

    async def scenario() -> None:
        with join(relay, "kay") as kay, join(relay, "lou") as lou:
            kay.create_room("club")
            kay.invite("#club", "lou")
            wait_until(lambda: bool(lou.invitations()), "the invitation")
            lou.accept("#club")
            wait_until(lambda: any(room.name == "club" and room.joined for room in lou.rooms()), "in")
            async with open_chat(kay, "kay", size=(130, 30)) as chat:
                await chat.type("/room club", "enter")
                await chat.shows("2 people", "lou")
                chat.screen.members.focus()
                await chat.press("down", "enter")
                await chat.on("Choose")
                await chat.shows("Write to lou", "Compare safety numbers", "Remove from this room")
                await chat.press("end", "up", *["down"] * 5, "enter")
                await chat.on("Confirm")
                await chat.press("y")
                await chat.until(
                    lambda: all(each.handle != "lou" for each in kay.members("#club")), "lou is out of the club"
                )
                chat.screen.deeds.start("message_person", "lou")
                await chat.until(lambda: kay.rooms()[0].kind is RoomKind.DIRECT or "lou" in chat.text, "lou's room")

    run(scenario)


def test_export_and_backup_write_files(relay: RelayProcess, tmp_path: Path) -> None:
    """/export writes JSON lines, /backup asks for a passphrase; both say where."""

    async def scenario() -> None:
        with join(relay, "mia") as mia:
            mia.send("#lobby", "to be kept")
            async with open_chat(mia, "mia") as chat:
                await chat.type(f"/export {tmp_path}/x.jsonl", "enter")
                await chat.shows("lines are in")
                texts = [
                    json.loads(line)["message"]["text"] for line in (tmp_path / "x.jsonl").read_text().splitlines()
                ]
                assert "to be kept" in texts
                await chat.type(f"/backup {tmp_path}/x.backup", "enter")
                await chat.on("TextDialog")
                await chat.press("enter")
                await chat.shows("an empty passphrase protects nothing")
                await chat.type("secret words", "enter")
                await chat.shows("the backup is in")
                assert (tmp_path / "x.backup").stat().st_size > 0
                await chat.type("/export", "enter")
                await chat.shows("usage: /export FILE")

    run(scenario)


def test_looks_and_compact_lines_are_remembered(relay: RelayProcess) -> None:
    """/look and /compact change the screen at once and for the next time; /plain ends with the line mode."""

    async def scenario() -> None:
        with join(relay, "ned") as ned:
            async with open_chat(ned, "ned") as chat:
                await chat.type("/look contrast", "enter")
                await chat.until(lambda: chat.app.theme == "contrast", "the look")
                await chat.type("/look pink", "enter")
                await chat.shows("there are: night, day, contrast, auto")
                await chat.type("/compact", "enter")
                await chat.until(lambda: chat.screen.talk.view.compact, "compact")
                await chat.type("/sound", "enter")
                await chat.shows("the bell is silent")
                settings = Settings.load(chat.app._directory)
                assert (settings.look, settings.compact, settings.sound) == ("contrast", True, False)
                await chat.type("/plain", "enter")
                await chat.until(lambda: chat.app.return_value == "plain", "the end")

    run(scenario)


def test_the_palette_and_the_help_know_everything(relay: RelayProcess) -> None:
    """Ctrl-P finds commands and rooms by part of a name; F1 lists keys, signs and commands."""

    async def scenario() -> None:
        with join(relay, "oda") as oda:
            oda.create_room("library")
            async with open_chat(oda, "oda") as chat:
                await chat.press("alt+2")
                await chat.press("ctrl+p")
                await chat.on("CommandPalette")
                await chat.type("go to #libr")
                await chat.shows("Go to #library")
                await chat.press("down", "enter")
                await chat.on("ChatScreen")
                await chat.until(lambda: "#library" in chat.screen.header.words, "the library")
                await chat.press("ctrl+p")
                await chat.type("rename")
                await chat.shows("Give a closed room another name")
                await chat.press("enter")
                await chat.until(lambda: chat.screen.composer.text == "/rename ", "the command to go on with")
                await chat.press("f1")
                await chat.on("Reader")
                await chat.shows("Anywhere", "Ctrl-P", "compare safety numbers")

    run(scenario)
