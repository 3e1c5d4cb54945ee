"""`secure-chat server`: runs a relay; the commands around it look after it."""

import json
import sys
from pathlib import Path

import click
import msgspec

from secure_chat.server.config import keys
from secure_chat.server.console import (
    PAGE,
    Operator,
    as_json_option,
    on_terminal,
    print_done,
    print_json,
    show,
    unexpected,
)
from secure_chat.server.control import Backup, describe, operate
from secure_chat.server.core.admin import ChannelLines, Done, ListChannels, ShowStatistics, Statistics
from secure_chat.server.people import account, invite
from secure_chat.server.tables import age, day, size, table

__all__ = ["server"]


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
    operator = Operator(file, assignments, given)
    context.obj = operator
    if context.invoked_subcommand is None:
        from secure_chat.server.run import run

        run(operator.load, operator.home(), file)


@server.command()
@as_json_option
@click.pass_obj
def options(operator: Operator, as_json: bool) -> None:
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


server.add_command(invite)
server.add_command(account)


@server.group()
def channel() -> None:
    """See rooms and direct channels."""


@channel.command("list")
@as_json_option
@click.pass_obj
def list_channels(operator: Operator, as_json: bool) -> None:
    """Show rooms and direct channels; names of closed rooms are unknown to the relay."""
    home = operator.home()
    lines: list[msgspec.Struct] = []
    rows: list[tuple[str, ...]] = []
    after = 0
    while True:
        answer = operate(home, ListChannels(after, PAGE))
        if not isinstance(answer, ChannelLines):
            unexpected(answer)
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
    show(lines, head, rows, as_json, "no channels yet")


@server.command()
@as_json_option
@click.pass_obj
def stats(operator: Operator, as_json: bool) -> None:
    """How much of everything there is."""
    home = operator.home()
    answer = operate(home, ShowStatistics())
    if not isinstance(answer, Statistics):
        unexpected(answer)
    running = describe(home)
    if as_json:
        print_json(msgspec.to_builtins(answer) | {"running": msgspec.to_builtins(running)})
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
@as_json_option
@click.pass_obj
def backup(operator: Operator, file: Path, as_json: bool) -> None:
    """Write everything that makes this relay to FILE, also while it runs: database, keys, certificates.

    Whoever has the file can pose as the relay: keep it as safe as the relay itself.
    """
    answer = operate(operator.home(), Backup(str(file.absolute())))
    print_done(answer, as_json)


@server.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Replace an existing database without asking.")
@as_json_option
@click.pass_obj
def restore(operator: Operator, file: Path, yes: bool, as_json: bool) -> None:
    """Put a backup in the place of what is there; the relay must be stopped.

    It starts a new incarnation: clients notice and rejoin their rooms, and nothing is skipped silently.
    """
    from secure_chat.server.backup import restore as put_back

    home = operator.home()
    if home.database.exists() and not yes:
        if not (on_terminal() and sys.stdin.isatty()):
            raise click.UsageError(f"{home.database} is there and would be replaced; repeat it with --yes")
        click.confirm(f"Replace {home.database}?", abort=True, err=True)
    home.prepare()
    home.acquire()
    try:
        put_back(home, file)
    finally:
        home.release()
    print_done(Done(f"restored from {file}; start the relay again"), as_json)


@server.command()
@as_json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Look for what is wrong or soon will be, and say what to do."""
    from secure_chat.server.doctor import examine

    operator: Operator = context.obj
    findings = examine(operator.home(), operator.load())
    if as_json:
        print_json(msgspec.to_builtins(findings))
    else:
        marks = {"ok": "ok", "warning": "look", "error": "WRONG"}
        click.echo(table((), [(marks[item.state], item.name, item.text) for item in findings]))
        for item in findings:
            if item.advice:
                click.echo(f"{item.name}: {item.advice}")
    if any(item.state == "error" for item in findings):
        context.exit(1)
