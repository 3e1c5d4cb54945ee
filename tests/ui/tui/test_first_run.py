"""Joining inside the terminal UI, with every mistake one can make on the way."""

from pathlib import Path

from secure_chat.client.profile import Profile
from secure_chat.client.vault import Lock
from secure_chat.ui.tui.first_run.screen import FirstRun
from secure_chat.ui.tui.first_run.steps import Step
from tests.people import invite_link, join
from tests.relay_process import RelayProcess
from tests.ui.tui.driving import Chat, open_chat, run


def step(chat: Chat) -> Step:
    """Where the first run is."""
    assert isinstance(chat.app.screen, FirstRun)
    return chat.app.screen.step


def test_link_name_and_lock_lead_to_the_lobby(relay: RelayProcess) -> None:
    """Each mistake is told where it was made; the recovery code is shown; then one is in the lobby and can write."""

    async def scenario() -> None:
        async with open_chat(None, "new") as chat:
            await chat.on("FirstRun")
            await chat.type("hello", "enter")
            await chat.shows("1 of 5", "! invite link: it starts with secure-chat://")
            answer = chat.app.screen.query_one("#answer")
            answer.value = f"'{invite_link(relay)}'"  # type: ignore[attr-defined]
            await chat.press("enter")
            await chat.shows("2 of 5")
            await chat.type("No Spaces", "enter")
            await chat.shows("! a name has 1 to 32 characters")
            answer.value = ""  # type: ignore[attr-defined]
            await chat.type("mona", "enter")
            await chat.shows("3 of 5", "Passphrase", "Keyring", "No passphrase")
            await chat.press("enter")
            await chat.shows("A passphrase")
            await chat.press("enter")
            await chat.shows("an empty passphrase locks nothing")
            await chat.type("correct horse", "enter")
            await chat.shows("once more")
            await chat.type("correct house", "enter")
            await chat.shows("they differ; once more")
            await chat.type("correct horse", "enter")
            await chat.until(lambda: step(chat) is Step.AGAIN, "the second time")
            await chat.type("correct horse", "enter")
            await chat.shows("5 of 5", "Your recovery code")
            assert chat.app.client is not None
            code = chat.app.client.recovery_code()
            assert code[:34] in chat.text
            await chat.press("f5")
            await chat.shows("copied")
            assert chat.app.clipboard == code
            await chat.press("enter")
            await chat.on("ChatScreen")
            await chat.shows("#lobby", "mona created the room")
            await chat.type("here I am", "enter")
            await chat.shows("here I am")
            chat.app.client.close()
        assert Profile("new").vault.lock is Lock.PASSPHRASE

    run(scenario)


def test_a_taken_name_is_told_and_another_one_works(relay: RelayProcess) -> None:
    """With a link on the command line the first question is the name; a taken one leaves nothing behind."""
    with join(relay, "nils"):

        async def scenario() -> None:
            async with open_chat(None, "second", link=invite_link(relay)) as chat:
                await chat.shows("2 of 5")
                await chat.type("nils", "enter")
                await chat.press("end", "enter")
                await chat.shows("2 of 5", "the name nils is taken")
                assert not Profile("second").exists
                await chat.press("backspace", "backspace", "backspace", "backspace")
                await chat.type("nele", "enter")
                await chat.press("end", "enter")
                await chat.shows("Your recovery code")
                assert chat.app.client is not None
                chat.app.client.close()
            assert Profile("second").vault.lock is Lock.KEY_FILE

        run(scenario)


def test_another_computer_joins_by_the_recovery_code(relay: RelayProcess) -> None:
    """F4 asks for the code; the new installation is the same account."""
    with join(relay, "olga") as olga:
        code, account = olga.recovery_code(), olga.status().account

    async def scenario() -> None:
        async with open_chat(None, "laptop", link=invite_link(relay)) as chat:
            await chat.shows("2 of 5")
            await chat.type("olga")
            await chat.press("f4")
            await chat.shows("It was shown when you joined")
            await chat.type(code, "enter")
            await chat.shows("Your name")
            await chat.press("enter", "end", "enter")
            await chat.shows("5 of 5")
            assert chat.app.client is not None
            assert chat.app.client.status().account == account
            chat.app.client.close()

    run(scenario)


def test_back_and_line_mode(tmp_path: Path) -> None:
    """Escape goes a step back; F1 leaves for the line mode."""

    async def scenario() -> None:
        link = "secure-chat://127.0.0.1:1/#v1.system.AAAAAAAAAAAAAAAAAAAAAA"
        async with open_chat(None, "nobody", link=link, size=(60, 16)) as chat:
            await chat.shows("2 of 5")
            await chat.press("escape")
            await chat.shows("1 of 5")
            await chat.press("f1")
            await chat.until(lambda: chat.app.return_value == "plain", "the end")

    run(scenario)
