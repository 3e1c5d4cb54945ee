"""What every subcommand shares: its options, the client it opens, how results and failures leave, exit codes."""

import getpass
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from secure_chat.client.api import Client
from secure_chat.client.errors import (
    ClientError,
    CommandFailed,
    JoinError,
    PassphraseNeeded,
    ProfileError,
    UnreachableError,
    WrongPassphraseError,
)
from secure_chat.client.events import FailureCode
from secure_chat.client.profile import DEFAULT_PROFILE
from secure_chat.errors import SecureChatError, describe_os_error
from secure_chat.identity.errors import IdentityError
from secure_chat.ui.arguments import InputError
from secure_chat.ui.presenter import describe_failure

__all__ = ["EXIT_CODES", "Session", "common_options", "pass_session", "read_passphrase"]

EXIT_CODES = {
    0: "done",
    1: "failed; the message says why",
    2: "wrong usage",
    3: "the message waits here: the relay could not be reached in time",
    4: "no such room, person or message",
    5: "not allowed, or sending is blocked until you decide about a key",
    6: "the relay could not be reached",
    7: "the profile is locked: passphrase missing or wrong",
    8: "no such profile, or another process owns it and does not answer",
    130: "interrupted",
}
"""For `--help`, scripts and the user guide."""

WAITING = 3

PASSPHRASE_TRIES = 3
"""Of somebody at a terminal."""

_FAILURES = {
    FailureCode.NOT_FOUND: 4,
    FailureCode.NOT_ALLOWED: 5,
    FailureCode.BLOCKED: 5,
    FailureCode.OFFLINE: 6,
    FailureCode.INVALID: 2,
}

F = TypeVar("F", bound=Callable[..., object])


@dataclass
class Session:
    """One run of the command line."""

    command: str = ""
    profile: str = DEFAULT_PROFILE
    json: bool = False
    passphrase_file: Path | None = None
    may_ask: bool = True
    """False while a chat has the terminal: a question would appear in the middle of it."""
    _clients: list[Client] = field(default_factory=list)

    @property
    def interactive(self) -> bool:
        """Whether there is somebody to ask."""
        return sys.stdin.isatty() and sys.stdout.isatty() and not self.json

    def client(self, *, wait: bool = True) -> Client:
        """The profile, opened once; closed by `close`.

        Unless told otherwise this waits until everything that waited at the relay is here, so that answers are as of
        now; without a connection they are as of the last one.
        """
        if not self._clients:
            client = self._open()
            self._clients.append(client)
            if wait:
                client.wait_until_online()
        return self._clients[0]

    def _open(self) -> Client:
        """Asks again after a wrong passphrase, where there is somebody to ask."""
        for _ in range(PASSPHRASE_TRIES - 1):
            try:
                return Client.open(self.profile, passphrase=self.passphrase)
            except WrongPassphraseError as error:
                if self.passphrase_file is not None or not self.interactive:
                    raise
                self.say(describe_failure(error))
        return Client.open(self.profile, passphrase=self.passphrase)

    def adopt(self, client: Client) -> Client:
        """A client that was opened by joining."""
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Closes what was opened."""
        while self._clients:
            self._clients.pop().close()

    def passphrase(self) -> str:
        """The profile's passphrase: from the file, or asked for where there is a terminal."""
        if self.passphrase_file is not None:
            return read_passphrase(self.passphrase_file)
        if not self.may_ask:
            raise PassphraseNeeded("the process that owned the profile has ended: start the chat again to unlock it")
        if not sys.stdin.isatty():
            raise PassphraseNeeded("this profile has a passphrase: give --passphrase-file, there is no terminal to ask")
        return getpass.getpass(f"Passphrase of profile {self.profile}: ")

    def say(self, *lines: str) -> None:
        """Text for people; nothing in JSON mode."""
        if not self.json:
            for line in lines:
                click.echo(line)

    def put(self, value: object) -> None:
        """One JSON object on a line, at once."""
        import msgspec

        sys.stdout.flush()
        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")  # JSON is UTF-8, whatever the terminal speaks
        sys.stdout.buffer.flush()

    def result(self, value: object, lines: Sequence[str] = ()) -> None:
        """The result of the command: as JSON, or as lines for people."""
        from secure_chat.client.encoding import VERSION

        if self.json:
            self.put({"v": VERSION, "command": self.command, "result": value})
        self.say(*lines)

    def put_error(self, code: FailureCode, message: str) -> None:
        """The error object of JSON mode."""
        from secure_chat.client.encoding import VERSION

        self.put({"v": VERSION, "command": self.command, "error": {"code": code.value, "message": message}})

    def fail(self, error: SecureChatError) -> NoReturn:
        """One line that says what to do (or an error object), and the exit code."""
        message = describe_failure(error)
        if self.json:
            self.put_error(error.code if isinstance(error, CommandFailed) else _code(error), message)
        else:
            click.echo(f"secure-chat: {message}", err=True)
        raise click.exceptions.Exit(_exit_code(error))


def _code(error: SecureChatError) -> FailureCode:
    match error:
        case UnreachableError():
            return FailureCode.OFFLINE
        case JoinError():
            return FailureCode.REFUSED
        case ClientError() | IdentityError():  # the latter: a link, name or recovery code that can't be one
            return FailureCode.INVALID
        case _:
            return FailureCode.REFUSED


def _exit_code(error: SecureChatError) -> int:
    match error:
        case CommandFailed(code=code):
            return _FAILURES.get(code, 1)
        case InputError():
            return 2
        case PassphraseNeeded() | WrongPassphraseError():
            return 7
        case ProfileError():
            return 8
        case UnreachableError():
            return 6
        case _:
            return 1


def read_passphrase(path: Path) -> str:
    """The first line of a file; `-` is standard input."""
    try:
        text = sys.stdin.readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read the passphrase from {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"the passphrase in {path} is not UTF-8 text") from None
    first = text.split("\n")[0].rstrip("\r")
    if not first:
        raise InputError(f"the first line of {path} is empty: it should be the passphrase")
    return first


def common_options(function: F) -> F:
    """The options that every subcommand has, besides the group: they may stand before it or after it."""

    def settle(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:  # click hands over anything
        session = ctx.ensure_object(Session)
        if value not in (None, False):
            assert parameter.name is not None
            setattr(session, parameter.name, value)

    for declaration, help_text, options in reversed(
        (
            ("--profile", "Profile to use (default: default).", {"metavar": "NAME"}),
            ("--json", "Results and errors as one JSON object a line (docs/json.md).", {"is_flag": True}),
            (
                "--passphrase-file",
                "Read the profile's passphrase from the first line of this file (- is standard input).",
                {"type": click.Path(path_type=Path, dir_okay=False, allow_dash=True)},
            ),
        )
    ):
        function = click.option(declaration, help=help_text, callback=settle, expose_value=False, **options)(function)
    return function


def pass_session(function: Callable[..., None]) -> Callable[..., None]:
    """Hands the session to a subcommand; turns our errors into one line and an exit code; closes the client."""
    from functools import wraps

    @wraps(function)
    @click.pass_context
    def run(ctx: click.Context, /, *args: object, **kwargs: object) -> None:
        session = ctx.ensure_object(Session)
        session.command = str(ctx.info_name)
        try:
            function(session, *args, **kwargs)
        except SecureChatError as error:
            session.fail(error)
        except BrokenPipeError:
            raise  # nobody reads any more
        except OSError as error:
            session.fail(ClientError(describe_os_error(error)))
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        except Exception as error:
            if session.json:  # the line for people follows
                session.put_error(FailureCode.INTERNAL, f"an internal error ({type(error).__name__})")
            raise
        finally:
            session.close()

    return run
