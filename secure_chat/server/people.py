"""`secure-chat server invite` and `account`: who may come in, and who is there."""

import sys
import time

import click
import msgspec

from secure_chat.identity.invite import InviteLink
from secure_chat.server.config import Configuration
from secure_chat.server.console import PAGE, Operator, as_json_option, do, on_terminal, print_json, show, unexpected
from secure_chat.server.control import describe, operate
from secure_chat.server.core.admin import (
    AccountLines,
    CreateInviteToken,
    DeviceLines,
    InviteLines,
    ListAccounts,
    ListDevices,
    ListInvites,
    NewInvite,
    RemoveAccount,
    ResumeAccount,
    RevokeInviteToken,
    SuspendAccount,
)
from secure_chat.server.home import Home, link_host, listen_addresses
from secure_chat.server.run import show_link
from secure_chat.server.tables import day, duration

__all__ = ["account", "invite"]

MIN_ID = 4
"""Characters of an invite's id; with fewer it is soon the wrong one."""


@click.group(invoke_without_command=True)
@click.pass_context
def invite(context: click.Context) -> None:
    """Make, list and revoke invites; without more, make one.

    \b
    secure-chat server invite
    secure-chat server invite create --uses 20 --expires 2d --label "class of 2025"
    secure-chat server invite revoke 3f2a
    """
    if context.invoked_subcommand is None:
        context.invoke(create)


@invite.command()
@click.option(
    "--uses", default=1, show_default=True, type=click.IntRange(1, 100_000), help="How many may join with it."
)
@click.option("--expires", default="7d", show_default=True, metavar="TIME", help="30m, 12h, 7d, or never.")
@click.option("--label", default="", help="What it is for; only the operator sees it.")
@click.option("--qr/--no-qr", default=None, help="QR code; by default on a terminal.")
@as_json_option
@click.pass_obj
def create(operator: Operator, uses: int, expires: str, label: str, qr: bool | None, as_json: bool) -> None:
    """Make an invite link."""

    home = operator.home()
    try:
        lifetime = None if expires == "never" else duration(expires)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expires") from None
    answer = operate(home, CreateInviteToken(uses, lifetime, label))
    if not isinstance(answer, NewInvite):
        unexpected(answer)
    link = link_for(operator, home, answer.token)
    if as_json:
        print_json({"id": answer.id, "link": str(link), "expires": answer.expires, "uses": uses})
        return
    show_link(link, qr=on_terminal() if qr is None else qr)
    if on_terminal():
        until = "until revoked" if not answer.expires else f"until {day(answer.expires)}"
        people = "one account" if uses == 1 else f"{uses} accounts"
        click.echo(f"{people}, {until}; revoke with: secure-chat server invite revoke {answer.id}", err=True)


@invite.command("list")
@as_json_option
@click.pass_obj
def list_invites(operator: Operator, as_json: bool) -> None:
    """Show all invites; never their tokens."""
    answer = operate(operator.home(), ListInvites())
    if not isinstance(answer, InviteLines):
        unexpected(answer)
    now = time.time_ns() // 1_000_000
    rows = [
        (
            line.id,
            line.label,
            line.creator or "operator",
            f"{line.used}/{line.uses}",
            "revoked" if line.revoked
            else "used up" if line.used >= line.uses
            else "expired" if line.expires and line.expires <= now
            else f"until {day(line.expires)}" if line.expires
            else "valid",
        )
        for line in answer.invites
    ]  # fmt: skip
    show(answer, ("id", "label", "made by", "used", "state"), rows, as_json, "no invites")


@invite.command()
@click.argument("invite")
@as_json_option
@click.pass_obj
def revoke(operator: Operator, invite: str, as_json: bool) -> None:
    """End an invite, named by its id or the beginning of it."""
    if len(invite) < MIN_ID:
        raise click.UsageError(f"give at least {MIN_ID} characters of the id; see: secure-chat server invite list")
    do(operator, RevokeInviteToken(invite), as_json)


@click.group()
def account() -> None:
    """List, suspend, resume and remove accounts, and see their devices."""


@account.command("list")
@as_json_option
@click.pass_obj
def list_accounts(operator: Operator, as_json: bool) -> None:
    """Show all accounts."""
    home = operator.home()
    lines: list[msgspec.Struct] = []
    rows: list[tuple[str, ...]] = []
    after = ""
    while True:
        answer = operate(home, ListAccounts(after, PAGE))
        if not isinstance(answer, AccountLines):
            unexpected(answer)
        lines += answer.accounts
        rows += [
            (
                line.handle,
                str(line.devices),
                "suspended" if line.suspended else "online" if line.online else "",
                day(line.created),
                line.account[:16],
            )
            for line in answer.accounts
        ]
        if not answer.more:
            break
        after = answer.accounts[-1].handle
    show(lines, ("handle", "devices", "state", "since", "key"), rows, as_json, "no accounts yet")


@account.command()
@click.argument("handle")
@as_json_option
@click.pass_obj
def devices(operator: Operator, handle: str, as_json: bool) -> None:
    """Show an account's devices."""
    answer = operate(operator.home(), ListDevices(handle))
    if not isinstance(answer, DeviceLines):
        unexpected(answer)
    rows = [
        (line.device, str(line.serial), str(line.channels), "online" if line.online else "", day(line.expires))
        for line in answer.devices
    ]
    show(answer, ("device", "serial", "channels", "state", "certificate until"), rows, as_json, "no devices")


@account.command()
@click.argument("handle")
@as_json_option
@click.pass_obj
def suspend(operator: Operator, handle: str, as_json: bool) -> None:
    """Log an account out and refuse its logins; nothing is deleted."""
    do(operator, SuspendAccount(handle), as_json)


@account.command()
@click.argument("handle")
@as_json_option
@click.pass_obj
def resume(operator: Operator, handle: str, as_json: bool) -> None:
    """End a suspension."""
    do(operator, ResumeAccount(handle), as_json)


@account.command()
@click.argument("handle")
@click.option("--yes", is_flag=True, help="Don't ask.")
@as_json_option
@click.pass_obj
def remove(operator: Operator, handle: str, yes: bool, as_json: bool) -> None:
    """Remove an account with its devices and memberships; the handle stays reserved for its key."""
    if not yes:
        if not (on_terminal() and sys.stdin.isatty()):
            raise click.UsageError(f"this removes {handle} for good; repeat it with --yes")
        click.confirm(f"Remove {handle} for good?", abort=True, err=True)
    do(operator, RemoveAccount(handle), as_json)


def link_for(operator: Operator, home: Home, token: str) -> InviteLink:
    """The invite link for a token, with the address and pin of the relay that runs or would run."""
    running = describe(home)
    if running is not None:
        return InviteLink(running.host, running.port, running.ca_pin or None, token)
    configuration = operator.load()
    certificate = home.certificate_as_it_is(configuration)
    last = home.last_address
    if last is not None and not configuration.hosts and configuration.listen == Configuration().listen:
        return InviteLink(*last, certificate.pin, token)
    return InviteLink(link_host(configuration), listen_addresses(configuration)[0][1], certificate.pin, token)
