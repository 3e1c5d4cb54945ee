"""Verification as a flow, and changed keys that can't be overlooked."""

import pytest

from secure_chat.client.events import KeyChanged, SecurityKind, SecurityNotice
from secure_chat.client.views import Trust
from secure_chat.ui.tui.qr import CodeView
from tests.people import join
from tests.relay_process import RelayProcess
from tests.ui.tui.driving import open_chat, run


@pytest.mark.parametrize("size", [(110, 32), (60, 16)])
def test_same_digits_verify_a_person_everywhere(relay: RelayProcess, size: tuple[int, int]) -> None:
    """The same digits on both screens and a code to scan on any size; then the badge stays. Typing verifies nobody."""
    mine, theirs = f"pia{size[0]}", f"quin{size[0]}"

    async def scenario() -> None:
        with join(relay, mine) as pia, join(relay, theirs) as quin:
            number = pia.safety_number(theirs).number
            assert number == quin.safety_number(mine).number
            quin.send("#lobby", "verify me")
            async with open_chat(pia, mine, size=size) as chat:
                await chat.shows("verify me")
                await chat.type(f"/verify {theirs}", "enter")
                await chat.on("VerifyScreen")
                await chat.shows(f"Verify {theirs}", *number.split())
                assert chat.app.screen.query_one(CodeView).region.bottom <= size[1]
                await chat.press("c")
                assert chat.app.clipboard == number
                await chat.press("f8", *"yes, as in ann", "enter")
                await chat.shows("Are all digits the same")
                assert pia.safety_number(theirs).trust is Trust.FIRST_USE
                await chat.press("s")
                await chat.shows(f"{theirs} as verified")
                await chat.press("f8")
                await chat.shows(f"{theirs} is verified")
                assert pia.safety_number(theirs).trust is Trust.VERIFIED
                await chat.shows(f"{theirs} ✓")

    run(scenario)


def test_different_digits_say_what_to_do(relay: RelayProcess) -> None:
    """After "different" a screen tells the next steps, takes a verification back, and can block."""

    async def scenario() -> None:
        with join(relay, "rosa") as rosa, join(relay, "sven") as sven:
            rosa.mark_verified("sven")
            sven.send("rosa", "hello rosa")
            async with open_chat(rosa, "rosa") as chat:
                await chat.shows("hello rosa")
                await chat.type("/room sven", "enter")
                await chat.shows("✓ verified")
                await chat.press("f8")
                await chat.on("VerifyScreen")
                await chat.shows("Now: verified.")
                await chat.press("d")
                await chat.on("DifferentScreen")
                await chat.shows("Don't write anything secret to sven now.", "Tell whoever runs the server")
                await chat.until(lambda: rosa.safety_number("sven").trust is Trust.FIRST_USE, "no longer verified")
                await chat.press("b")
                await chat.shows("sven is blocked; /unblock sven undoes it")
                await chat.press("f8")
                await chat.on("VerifyScreen")
                await chat.press("l")
                await chat.on("ChatScreen")
                assert rosa.safety_number("sven").trust is Trust.FIRST_USE

    run(scenario)


def test_digits_that_are_read_out_are_compared_here(relay: RelayProcess) -> None:
    """Typed in the dialog or behind /verify: the right ones verify, others are refused with what to suspect."""

    async def scenario() -> None:
        with join(relay, "wim") as wim, join(relay, "xia"):
            number = wim.safety_number("xia").number
            async with open_chat(wim, "wim") as chat:
                await chat.type(f"/verify xia {'12345 ' * 12}", "enter")
                await chat.shows("the safety numbers differ")
                assert wim.safety_number("xia").trust is Trust.FIRST_USE
                await chat.press("ctrl+u")
                await chat.type("/verify wim", "enter")
                await chat.shows("that is you")
                await chat.press("ctrl+u")
                await chat.type("/verify xia", "enter")
                await chat.on("VerifyScreen")
                await chat.press("t")
                await chat.on("TextDialog")
                await chat.type(number.replace(" ", ""), "enter")
                await chat.shows("xia is verified")
                assert wim.safety_number("xia").trust is Trust.VERIFIED

    run(scenario)


def test_a_person_is_chosen_from_a_list(relay: RelayProcess) -> None:
    """F8 in a room lists everybody with what is known of them; typing narrows."""

    async def scenario() -> None:
        with join(relay, "tess") as tess, join(relay, "ulf"), join(relay, "vera"):
            async with open_chat(tess, "tess") as chat:
                await chat.until(lambda: {"ulf", "vera"} <= {each.handle for each in tess.people()}, "both known")
                await chat.until(lambda: "vera" in chat.screen.model.people, "vera in the model")
                await chat.press("f8")
                await chat.on("Choose")
                await chat.shows("Verify whom?", "ulf  ", "vera  ", "not verified")
                await chat.type("ver")
                await chat.shows("▌vera")
                await chat.hides("ulf  ")
                await chat.press("enter")
                await chat.on("VerifyScreen")
                await chat.shows("Verify vera")
                await chat.press("escape")

    run(scenario)


@pytest.mark.parametrize("size", [(100, 30), (60, 16)])
def test_no_key_pressed_by_accident_closes_a_changed_key(relay: RelayProcess, size: tuple[int, int]) -> None:
    """Escape, Enter and a sentence typed on leave the screen there; only a decision spelled out ends it."""
    name = f"walt{size[0]}"

    async def scenario() -> None:
        with join(relay, name) as walt:
            async with open_chat(walt, name, size=size) as chat:
                event = KeyChanged("xeno", "aa" * 32, "bb" * 32, True, "Somebody may pretend to be [bold]xeno[/].")
                chat.screen.take([event, event])
                await chat.on("KeyChangedScreen")
                await chat.shows("xeno's account key has CHANGED", "You had verified xeno", "[bold]xeno[/].")
                await chat.press("escape", "enter", "space", "q", "y")
                await chat.type("and then we went", "enter")
                await chat.shows("This needs a decision")
                await chat.on("KeyChangedScreen")
                await chat.type("later", "enter")
                await chat.shows("This needs a decision" if size[1] > 100 else "Type one of these words")
                await chat.type("accept xeno", "enter")
                await chat.on("ChatScreen")
                await chat.shows("xeno")  # nobody of this name: the engine refuses, and that is told

    run(scenario)


def test_notices_of_keys_are_lines(relay: RelayProcess) -> None:
    """A security notice without a room is told with its label, words and not only colour."""

    async def scenario() -> None:
        with join(relay, "yara") as yara:
            async with open_chat(yara, "yara") as chat:
                chat.screen.take([SecurityNotice(SecurityKind.FOREIGN_BINDING, "", "zed", "two keys for zed")])
                await chat.shows(" ! ", "two keys for zed")

    run(scenario)
