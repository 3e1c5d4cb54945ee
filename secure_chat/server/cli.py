"""`secure-chat server` and the operator's commands."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from secure_chat.identity.invite import InviteLink
from secure_chat.server.config import Configuration, data_directory, keys, load
from secure_chat.server.control import Backup, describe, operate
from secure_chat.server.core.admin import (
    AccountLines,
    AdminCommand,
    AdminResult,
    ChannelLines,
    CreateInviteToken,
    DeviceLines,
    Done,
    InviteLines,
    ListAccounts,
    ListChannels,
    ListDevices,
    ListInvites,
    NewInvite,
    RemoveAccount,
    ResumeAccount,
    RevokeInviteToken,
    ShowStatistics,
    Statistics,
    SuspendAccount,
)
from secure_chat.server.errors import AdministrationError
from secure_chat.server.home import Home, link_host, listen_addresses
from secure_chat.server.tables import age, day, duration, size, table

__all__ = ["server"]

_PAGE = 1000


class _Operator:
    """What every command starts from."""

    def __init__(self, file: Path | None, assignments: Sequence[str], flags: dict[str, object]) -> None:
        self.file = file
        self._assignments = assignments
        self._flags = flags

    def load(self) -> Configuration:
        return load(self.file, os.environ, self._assignments, self._flags)

    def home(self) -> Home:
        return Home(data_directory(self.load()))


@click.group(invoke_without_command=True, context_settings={"auto_envvar_prefix": None})
@click.option("--data", metavar="DIR", help="Where database and certificates are.")
@click.option("--config", "file", type=click.Path(path_type=Path), envvar="SECURE_CHAT_SERVER_CONFIG", metavar="FILE",
              help="Configuration in TOML.")  # fmt: skip
@click.option(
    "--listen", multiple=True, metavar="HOST:PORT", help="Listen here; without HOST on all addresses. [:7443]"
)
@click.option("--host", "hosts", multiple=True, metavar="NAME",
              help="Name or address that clients use; the first stands in links. Found out if not given.")  # fmt: skip
@click.option("--cert", "certificate", metavar="FILE", help="Own certificate with its chain (PEM).")
@click.option("--key", metavar="FILE", help="Its key (PEM).")
@click.option("--ca", metavar="FILE", help="Its CA (PEM) where it is no public one; clients pin it.")
@click.option("--metrics", metavar="127.0.0.1:PORT", help="Prometheus metrics and a health check on loopback.")
@click.option("--log-format", type=click.Choice(["auto", "human", "json"]), help="auto: for people on a terminal.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE",
              help="Any option by its name in the configuration; `secure-chat server options` lists them.")  # fmt: skip
@click.pass_context
def server(
    context: click.Context,
    /,
    file: Path | None,
    assignments: tuple[str, ...],
    listen: tuple[str, ...],
    hosts: tuple[str, ...],
    **flags: object,
) -> None:
    """Run a relay, and look after it.

    \b
    secure-chat server                           start; the first run prints an invite link
    secure-chat server --listen 0.0.0.0:7443 --host chat.lan
    secure-chat server invite                    another link
    secure-chat server doctor                    is everything in order?

    Every option also stands in the configuration file or in the environment as SECURE_CHAT_SERVER_<NAME>.
    """
    given: dict[str, object] = {name: value for name, value in flags.items() if value is not None}
    if listen:
        given["listen"] = list(listen)
    if hosts:
        given["hosts"] = list(hosts)
    operator = _Operator(file, assignments, given)
    context.obj = operator
    if context.invoked_subcommand is None:
        from secure_chat.server.run import run

        run(operator.load, operator.home(), file)


@server.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def options(operator: _Operator, as_json: bool) -> None:
    """Every option and its value now."""
    tree = msgspec.to_builtins(operator.load())
    rows: list[tuple[str, str]] = []
    for key in keys():
        section, _, name = key.rpartition(".")
        value = tree[section][name] if section else tree[name]
        rows.append((key, json.dumps(value)))
    if as_json:
        click.echo(json.dumps(tree))
    else:
        click.echo(table(("option", "value"), rows))


# Invites.


@server.group(invoke_without_command=True)
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
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def create(operator: _Operator, uses: int, expires: str, label: str, qr: bool | None, as_json: bool) -> None:
    """Make an invite link."""
    from secure_chat.server.run import show_link

    home = operator.home()
    try:
        lifetime = None if expires == "never" else duration(expires)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expires") from None
    answer = operate(home, CreateInviteToken(uses, lifetime, label))
    if not isinstance(answer, NewInvite):
        _unexpected(answer)
    link = _link(operator, home, answer.token)
    if as_json:
        _print_json({"id": answer.id, "link": str(link), "expires": answer.expires, "uses": uses})
        return
    show_link(link, qr=_terminal() if qr is None else qr)
    if _terminal():
        until = "until revoked" if not answer.expires else f"until {day(answer.expires)}"
        people = "one account" if uses == 1 else f"{uses} accounts"
        click.echo(f"{people}, {until}; revoke with: secure-chat server invite revoke {answer.id}", err=True)


@invite.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def list_invites(operator: _Operator, as_json: bool) -> None:
    """Show all invites; never their tokens."""
    answer = operate(operator.home(), ListInvites())
    if not isinstance(answer, InviteLines):
        _unexpected(answer)
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
    _show(answer, ("id", "label", "made by", "used", "state"), rows, as_json, "no invites")


@invite.command()
@click.argument("invite")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def revoke(operator: _Operator, invite: str, as_json: bool) -> None:
    """End an invite, named by its id or the beginning of it."""
    _do(operator, RevokeInviteToken(invite), as_json)


# Accounts.


@server.group()
def account() -> None:
    """List, suspend, resume and remove accounts, and see their devices."""


@account.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def list_accounts(operator: _Operator, as_json: bool) -> None:
    """Show all accounts."""
    home = operator.home()
    lines: list[msgspec.Struct] = []
    rows: list[tuple[str, ...]] = []
    after = ""
    while True:
        answer = operate(home, ListAccounts(after, _PAGE))
        if not isinstance(answer, AccountLines):
            _unexpected(answer)
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
    _show(lines, ("handle", "devices", "state", "since", "key"), rows, as_json, "no accounts yet")


@account.command()
@click.argument("handle")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def devices(operator: _Operator, handle: str, as_json: bool) -> None:
    """Show an account's devices."""
    answer = operate(operator.home(), ListDevices(handle))
    if not isinstance(answer, DeviceLines):
        _unexpected(answer)
    rows = [
        (line.device, str(line.serial), str(line.channels), "online" if line.online else "", day(line.expires * 1000))
        for line in answer.devices
    ]
    _show(answer, ("device", "serial", "channels", "state", "certificate until"), rows, as_json, "no devices")


@account.command()
@click.argument("handle")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def suspend(operator: _Operator, handle: str, as_json: bool) -> None:
    """Log an account out and refuse its logins; nothing is deleted."""
    _do(operator, SuspendAccount(handle), as_json)


@account.command()
@click.argument("handle")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def resume(operator: _Operator, handle: str, as_json: bool) -> None:
    """End a suspension."""
    _do(operator, ResumeAccount(handle), as_json)


@account.command()
@click.argument("handle")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def remove(operator: _Operator, handle: str, yes: bool, as_json: bool) -> None:
    """Remove an account with its devices and memberships; the handle stays reserved for its key."""
    if not yes:
        if not (_terminal() and sys.stdin.isatty()):
            raise click.UsageError(f"this removes {handle} for good; repeat it with --yes")
        click.confirm(f"Remove {handle} for good?", abort=True, err=True)
    _do(operator, RemoveAccount(handle), as_json)


# Channels and the whole.


@server.group()
def channel() -> None:
    """See rooms and direct channels."""


@channel.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def list_channels(operator: _Operator, as_json: bool) -> None:
    """Show rooms and direct channels; names of closed rooms are unknown to the relay."""
    home = operator.home()
    lines: list[msgspec.Struct] = []
    rows: list[tuple[str, ...]] = []
    after = 0
    while True:
        answer = operate(home, ListChannels(after, _PAGE))
        if not isinstance(answer, ChannelLines):
            _unexpected(answer)
        lines += answer.channels
        rows += [
            (
                str(line.number),
                line.kind,
                line.name,
                str(line.members),
                str(line.entries),
                size(line.bytes),
                day(line.created),
                line.channel[:16],
            )
            for line in answer.channels
        ]
        if not answer.more:
            break
        after = answer.channels[-1].number
    head = ("number", "kind", "name", "devices", "entries", "bytes", "since", "id")
    _show(lines, head, rows, as_json, "no channels yet")


@server.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def stats(operator: _Operator, as_json: bool) -> None:
    """How much of everything there is."""
    home = operator.home()
    answer = operate(home, ShowStatistics())
    if not isinstance(answer, Statistics):
        _unexpected(answer)
    running = describe(home)
    if as_json:
        _print_json(msgspec.to_builtins(answer) | {"running": msgspec.to_builtins(running)})
        return
    rows = [
        ("relay", f"running for {age(running.uptime)}, {running.connections} connections" if running else "stopped"),
        ("accounts", f"{answer.accounts}, {answer.suspended} of them suspended"),
        ("devices", f"{answer.devices}, {answer.connections} of them online"),
        ("rooms", f"{answer.rooms} closed, {answer.open_rooms} open"),
        ("direct channels", str(answer.direct)),
        ("stored entries", f"{answer.entries}, {size(answer.bytes)}"),
        ("free disk space", size(answer.free_bytes)),
        ("incarnation", answer.incarnation[:16]),
    ]
    click.echo(table((), rows))


@server.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def backup(operator: _Operator, file: Path, as_json: bool) -> None:
    """Write everything that makes this relay to FILE, also while it runs: database, keys, certificates.

    Whoever has the file can pose as the relay: keep it as safe as the relay itself.
    """
    answer = operate(operator.home(), Backup(str(file.absolute())))
    _print_done(answer, as_json)


@server.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Replace an existing database without asking.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def restore(operator: _Operator, file: Path, yes: bool, as_json: bool) -> None:
    """Put a backup in the place of what is there; the relay must be stopped.

    It starts a new incarnation: clients notice and rejoin their rooms, and nothing is skipped silently.
    """
    from secure_chat.server.backup import restore as put_back

    home = operator.home()
    if home.database.exists() and not yes:
        if not (_terminal() and sys.stdin.isatty()):
            raise click.UsageError(f"{home.database} is there and would be replaced; repeat it with --yes")
        click.confirm(f"Replace {home.database}?", abort=True, err=True)
    home.prepare()
    home.acquire()
    try:
        put_back(home, file)
    finally:
        home.release()
    _print_done(Done(f"restored from {file}; start the relay again"), as_json)


@server.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Look for what is wrong or soon will be, and say what to do."""
    from secure_chat.server.doctor import examine

    operator: _Operator = context.obj
    findings = examine(operator.home(), operator.load())
    if as_json:
        _print_json(msgspec.to_builtins(findings))
    else:
        marks = {"ok": "ok", "warning": "look", "error": "WRONG"}
        click.echo(table((), [(marks[item.state], item.name, item.text) for item in findings]))
        for item in findings:
            if item.advice:
                click.echo(f"{item.name}: {item.advice}")
    if any(item.state == "error" for item in findings):
        context.exit(1)


def _link(operator: _Operator, home: Home, token: str) -> InviteLink:
    running = describe(home)
    if running is not None:
        return InviteLink(running.host, running.port, running.ca_pin or None, token)
    configuration = operator.load()
    certificate = home.certificate_as_it_is(configuration)
    return InviteLink(link_host(configuration), listen_addresses(configuration)[0][1], certificate.pin, token)


def _do(operator: _Operator, command: AdminCommand, as_json: bool) -> None:
    _print_done(operate(operator.home(), command), as_json)


def _print_done(answer: AdminResult, as_json: bool) -> None:
    if not isinstance(answer, Done):
        _unexpected(answer)
    if as_json:
        _print_json({"message": answer.message})
    else:
        click.echo(answer.message)


def _show(answer: object, head: Sequence[str], rows: Sequence[Sequence[str]], as_json: bool, nothing: str) -> None:
    if as_json:
        built = msgspec.to_builtins(answer)
        if isinstance(built, dict):  # the lines are what is wanted, not their envelope
            built = next(value for value in built.values() if isinstance(value, list))
        _print_json(built)
    elif rows:
        click.echo(table(head, rows))
    else:
        click.echo(nothing, err=True)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def _terminal() -> bool:
    return sys.stdout.isatty()


def _unexpected(answer: object) -> NoReturn:
    raise AdministrationError(f"the relay gave another answer than expected ({type(answer).__name__}): is it older?")
