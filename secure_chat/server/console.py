"""What the operator's commands share: where the relay is, and how answers are shown to people and to scripts."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from secure_chat.server.config import Configuration, data_directory, load
from secure_chat.server.control import operate
from secure_chat.server.core.admin import AdminCommand, AdminResult, Done
from secure_chat.server.errors import AdministrationError
from secure_chat.server.home import Home
from secure_chat.server.tables import table

__all__ = ["PAGE", "Operator", "as_json_option", "do", "on_terminal", "print_done", "print_json", "show", "unexpected"]

PAGE = 1000
"""Lines asked for at once."""

as_json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")


class Operator:
    """What every command starts from."""

    def __init__(self, file: Path | None, assignments: Sequence[str], flags: dict[str, object]) -> None:
        self.file = file
        self._assignments = assignments
        self._flags = flags

    def load(self) -> Configuration:
        """The configuration as it stands now; raises ConfigurationError."""
        return load(self.file, os.environ, self._assignments, self._flags)

    def home(self) -> Home:
        """The data directory."""
        return Home(data_directory(self.load()))


def do(operator: Operator, command: AdminCommand, as_json: bool) -> None:
    """Has the relay do it and shows its line."""
    print_done(operate(operator.home(), command), as_json)


def print_done(answer: AdminResult, as_json: bool) -> None:
    """Shows that something is done."""
    if not isinstance(answer, Done):
        unexpected(answer)
    if as_json:
        print_json({"message": answer.message})
    else:
        click.echo(answer.message)


def show(answer: object, head: Sequence[str], rows: Sequence[Sequence[str]], as_json: bool, nothing: str) -> None:
    """A table for people or the lines for scripts."""
    if as_json:
        built = msgspec.to_builtins(answer)
        if isinstance(built, dict):  # the lines are what is wanted, not their envelope
            built = next(value for value in built.values() if isinstance(value, list | tuple))
        print_json(built)
    elif rows:
        click.echo(table(head, rows))
    else:
        click.echo(nothing, err=True)


def print_json(value: object) -> None:
    """One JSON value on one line."""
    click.echo(json.dumps(value, ensure_ascii=False).encode())  # UTF-8, whatever the terminal speaks


def on_terminal() -> bool:
    """Somebody is watching."""
    return sys.stdout.isatty()


def unexpected(answer: object) -> NoReturn:
    """Refuses an answer of another kind than the command has."""
    raise AdministrationError(f"the relay gave another answer than expected ({type(answer).__name__}): is it older?")
