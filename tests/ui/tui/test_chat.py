"""Talking: the main screen with two and three real people."""

from secure_chat.client.api import Client
from secure_chat.client.errors import CommandFailed
from secure_chat.ui.tui.status.words import title_words
from tests.people import join
from tests.relay_process import RelayProcess, wait_until
from tests.ui.tui.driving import open_chat, run


def has(client: Client, room: str, text: str) -> bool:
    """Whether a message stands in a person's history."""
    try:
        return any(line.text == text for line in client.history(room))
    except CommandFailed:
        return False


def test_messages_go_both_ways_with_their_states(relay: RelayProcess) -> None:
    """What is typed arrives, shows how far it has come, and answers appear; header and status say what holds."""

    async def scenario() -> None:
        with join(relay, "ann") as ann, join(relay, "bert") as bert:
            async with open_chat(ann, "ann") as chat:
                await chat.shows("#lobby", "connected", "room code", "post-quantum", "0 of 1 verified")
                await chat.type("hello :tada: bert", "enter")
                await chat.shows("hello 🎉 bert")
                await chat.until(lambda: has(bert, "#lobby", "hello 🎉 bert"), "arrival")
                await chat.until(lambda: "✓" in chat.text, "the state")
                bert.send("#lobby", "hello ann, how are you?")
                await chat.shows("bert", "hello ann, how are you?")
                assert chat.screen.composer.text == ""

    run(scenario)


def test_rooms_call_from_elsewhere(relay: RelayProcess) -> None:
    """A direct message elsewhere shows a pointer and a count; Alt-A goes there, Alt-Left back."""

    async def scenario() -> None:
        with join(relay, "cleo") as cleo, join(relay, "dan") as dan:
            async with open_chat(cleo, "cleo") as chat:
                dan.send("cleo", "psst, only for you")
                await chat.shows("→ dan · dan: psst, only for you", "Alt-A goes there", "1 unread, 1 for you")
                assert title_words(chat.screen.model).startswith("(1!) #lobby")
                await chat.press("alt+a")
                await chat.until(lambda: "dan" in chat.screen.header.words, "the room of dan")
                await chat.shows("psst, only for you", "not verified: F8")
                await chat.until(lambda: not cleo.rooms()[0].unread, "read")
                await chat.press("alt+left")
                await chat.until(lambda: "#lobby" in chat.screen.header.words, "back")
                await chat.press("alt+right")
                await chat.until(lambda: "dan" in chat.screen.header.words, "forward")
                await chat.press("alt+1")
                await chat.until(lambda: "#lobby" in chat.screen.header.words, "the first of the list")
                await chat.press("alt+down")
                await chat.until(lambda: "dan" in chat.screen.header.words, "the room below")

    run(scenario)


def test_typing_is_seen(relay: RelayProcess) -> None:
    """Whoever writes is named above the input."""

    async def scenario() -> None:
        with join(relay, "eve") as eve, join(relay, "finn") as finn:
            wait_until(lambda: len(eve.members("#lobby")) == len(finn.members("#lobby")), "both in the lobby")
            async with open_chat(eve, "eve") as eves, open_chat(finn, "finn") as finns:
                await finns.type("slowly")
                await eves.shows("finn is typing…")

    run(scenario)


def test_a_message_is_answered_corrected_reacted_to_and_deleted(relay: RelayProcess) -> None:
    """Everything that can be done with a message, by keys alone."""

    async def scenario() -> None:
        with join(relay, "gus") as gus, join(relay, "hana") as hana:
            async with open_chat(gus, "gus") as chat:
                hana.send("#lobby", "shall we?")
                await chat.shows("shall we?")
                await chat.press("escape")
                await chat.until(lambda: chat.screen.chosen is not None, "a choice")
                await chat.press("r")
                await chat.shows("Answering hana: shall we?")
                await chat.type("yes", "enter")
                await chat.shows("│ hana: shall we?", "yes")
                await chat.until(lambda: has(hana, "#lobby", "yes"), "the answer")
                await chat.press("up")
                await chat.shows("Correcting yes")
                await chat.type(" please", "enter")
                await chat.shows("yes please (edited)")
                await chat.press("escape", "up", "plus")
                await chat.on("Choose")
                await chat.press("enter")
                await chat.shows("👍 gus")
                await chat.until(lambda: bool(hana.history("#lobby")[-2].reactions), "the reaction")
                await chat.press("plus")
                await chat.on("Choose")
                await chat.shows("yours")
                await chat.press("enter")
                await chat.hides("👍 gus")
                await chat.press("down", "d")
                await chat.on("Confirm")
                await chat.shows("gus: yes please")
                await chat.press("n")
                await chat.on("ChatScreen")
                await chat.press("d")
                await chat.on("Confirm")
                await chat.press("y")
                await chat.shows("(deleted)")

    run(scenario)


def test_details_copy_and_quote(relay: RelayProcess) -> None:
    """A chosen message tells its details, goes to the clipboard, and leads to what it answers."""

    async def scenario() -> None:
        with join(relay, "ida") as ida, join(relay, "jon") as jon:
            first = jon.send("#lobby", "the question")
            jon.send("#lobby", "the answer", reply_to=first)
            wait_until(lambda: has(ida, "#lobby", "the answer"), "the answer")
            async with open_chat(ida, "ida") as chat:
                await chat.shows("the answer")
                await chat.press("escape", "c")
                await chat.shows("copied to the clipboard")
                assert chat.app.clipboard == "the answer"
                await chat.press("i")
                await chat.on("Reader")
                await chat.shows("from        jon", "not verified")
                await chat.press("escape", "enter")
                await chat.until(
                    lambda: chat.screen.chosen is not None and chat.screen.chosen.id == first, "the quoted"
                )
                await chat.press("enter")
                await chat.on("Reader")
                await chat.press("escape", "e")
                await chat.press("escape")
                assert chat.app.focused is chat.screen.composer

    run(scenario)


def test_drafts_wait_in_their_rooms(relay: RelayProcess) -> None:
    """What was begun in one room is there again when one comes back."""

    async def scenario() -> None:
        with join(relay, "kim") as kim:
            kim.create_room("plans")
            async with open_chat(kim, "kim") as chat:
                await chat.press("alt+1")
                await chat.until(lambda: "#lobby" in chat.screen.header.words, "the lobby")
                await chat.type("half a thou")
                await chat.press("alt+2")
                await chat.until(lambda: "#plans" in chat.screen.header.words, "plans")
                assert chat.screen.composer.text == ""
                await chat.press("alt+1")
                await chat.until(lambda: chat.screen.composer.text == "half a thou", "the draft")

    run(scenario)


def test_offline_is_told_with_a_countdown_and_messages_wait(relay: RelayProcess) -> None:
    """Without the relay the status counts down, and what is written waits with its mark."""

    async def scenario() -> None:
        with join(relay, "lena") as lena:
            async with open_chat(lena, "lena") as chat:
                await chat.shows("connected")
                port = relay.address[1]
                relay.stop()
                try:
                    await chat.until(lambda: "○ offline, again in" in chat.screen.status.words, "the countdown")
                    await chat.type("for later", "enter")
                    await chat.shows("for later", "…")
                    await chat.until(lambda: "waiting to be sent" in chat.screen.status.words, "the count")
                finally:
                    relay.start(port=port)
                await chat.type("/reconnect", "enter")
                await chat.until(lambda: "connected" in chat.screen.status.words, "connected again")
                await chat.until(lambda: "✓" in chat.text, "sent")

    run(scenario)
