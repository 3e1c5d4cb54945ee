"""verify, fingerprint, invite-link."""

import click

from secure_chat.client.commands import CreateInviteLink
from secure_chat.client.encoding import encode_result
from secure_chat.client.views import SafetyNumberView, Trust
from secure_chat.ui.arguments import InputError
from secure_chat.ui.cli.session import Session, common_options, pass_session
from secure_chat.ui.presenter import safety_number_lines
from secure_chat.ui.qr import qr_lines

__all__ = ["fingerprint", "invite_link", "verify"]

_DAY = 86_400_000


@click.command()
@common_options
@click.argument("person")
@click.option("--number", metavar="DIGITS", help="The other's safety number, or what scanning their QR code gave.")
@click.option("--yes", is_flag=True, help="You have compared the numbers: they are the same.")
@click.option("--qr", is_flag=True, help="Show the QR code, too.")
@pass_session
def verify(session: Session, person: str, number: str | None, yes: bool, qr: bool) -> None:
    """Make sure that PERSON is who they seem: both see the same digits, yes or no.

    Compare them by voice or side by side, not in this chat. Once is enough, for all rooms and devices.

    \b
    secure-chat client verify bob
    """
    client = session.client()
    person = person.removeprefix("@")
    if not number and not yes:
        view = client.safety_number(person)
        session.say(*safety_number_lines(view))
        if qr:
            session.say(*qr_lines(view.qr))
        if not session.interactive:
            raise InputError("compare the number, then repeat with it after --number, or with --yes")
        session.say(f"{person} runs /verify (or: client verify) with your name and sees the same digits, or not.")
        if not click.confirm("Are all digits the same?", default=False):
            session.say(
                f"{person} is not verified. If the digits differ, somebody may sit between you:",
                "don't write anything secret, and compare again over another channel.",
            )
            return
        number = view.number  # what was compared, whatever has come meanwhile
    client.mark_verified(person, number or "")
    view = client.safety_number(person)
    session.result(encode_result(view), [f"{person} is verified."])


@click.command()
@common_options
@click.argument("person", required=False)
@click.option("--qr", is_flag=True, help="Show the QR code, too.")
@pass_session
def fingerprint(session: Session, person: str | None, qr: bool) -> None:
    """Show the safety number with PERSON, or your own fingerprint."""
    client = session.client()
    if person is None:
        status = client.status()
        session.result(status.fingerprint, [f"{status.handle}: {status.fingerprint}"])
        return
    view: SafetyNumberView = client.safety_number(person.removeprefix("@"))
    lines = safety_number_lines(view)
    if view.trust is not Trust.VERIFIED:
        lines.append(f"secure-chat client verify {view.handle}   marks them after comparing")
    session.result(encode_result(view), [*lines, *(qr_lines(view.qr) if qr else [])])


@click.command("invite-link")
@common_options
@click.option("--uses", default=1, show_default=True, type=click.IntRange(1, 1_000), help="How many may join with it.")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 365), help="How long it is valid.")
@click.option("--no-qr", is_flag=True, help="Only the link.")
@pass_session
def invite_link(session: Session, uses: int, days: int, no_qr: bool) -> None:
    """Make a link with which others can join this relay; it names you, so they know your key at once."""
    link = session.client().ask(CreateInviteLink(uses, days * _DAY))
    assert isinstance(link, str)
    code = qr_lines(link) if session.interactive and not no_qr else []
    session.result(link, [*code, link])
