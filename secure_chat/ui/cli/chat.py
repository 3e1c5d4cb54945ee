"""Opening the chat: full screen where the terminal allows it, in lines otherwise or when asked to."""

import gc
import os

import click

from secure_chat.client.api import Client
from secure_chat.client.profile import Profile
from secure_chat.ui.arguments import InputError
from secure_chat.ui.cli.session import Session

__all__ = ["open_chat", "run_chat", "takes_screen"]


def takes_screen(session: Session, *, plain: bool) -> bool:
    """Whether the full-screen interface is shown: on a terminal that can move its cursor, unless `plain`."""
    return session.interactive and not plain and os.environ.get("TERM", "") not in ("", "dumb")


def open_chat(session: Session, *, plain: bool) -> None:
    """The chat of an existing profile; where there is none, the full-screen interface lets one join."""
    profile = Profile(session.profile)
    if not session.interactive:
        profile.require()
        raise InputError("the chat needs a terminal: without one use the commands send, listen, history or rpc")
    screen = takes_screen(session, plain=plain)
    if not screen:
        profile.require()
    client = session.client(wait=False) if profile.exists else None
    if client is not None:
        _show_recovery_code(session, client)
    run_chat(session, client, plain=not screen)


def _show_recovery_code(session: Session, client: Client) -> None:
    """Joining was interrupted before the new account's code was shown."""
    if not client.status().recovery_due:
        return
    session.say(
        "Joining was interrupted. This is what you have not seen yet:",
        "",
        f"    recovery code: {client.recovery_code()}",
        "",
        "Write it down: with it another computer becomes yours, and without it a lost one can't be replaced.",
        "",
    )
    click.pause("Press a key once you have written it down …", err=True)
    client.recovery_code_seen()


def run_chat(session: Session, client: Client | None, *, plain: bool, link: str = "") -> None:
    """Runs until the user leaves; going over to the line mode keeps the client."""
    session.may_ask = False  # from here on the screen belongs to the chat
    if not plain:
        gc.disable()  # until the screen is there: starting makes no garbage
        from secure_chat.ui.tui.app import run_tui  # 130 ms

        client = run_tui(client, session.profile, session.adopt, link=link)
    if client is not None:
        from secure_chat.ui.line.app import run_line_mode

        run_line_mode(client)
