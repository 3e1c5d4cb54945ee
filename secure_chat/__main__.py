"""The command line: `secure-chat server …` and `secure-chat client …`.

Each half is imported only when it is called: a client starts without the relay's code and the other way round.
"""

import gc
import importlib
import io
import json
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

import click

from secure_chat import __version__
from secure_chat.errors import SecureChatError, describe_os_error

__all__ = ["main"]

_HALVES = {
    "client": ("secure_chat.ui.cli", "client", "Join with an invite link, chat, send, verify."),
    "server": ("secure_chat.server.cli", "server", "Run a relay, invite people, look after it."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_HALVES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _HALVES:
            return None
        module, name, _ = _HALVES[cmd_name]
        gc.disable()  # imports make no garbage, and looking for it takes a tenth of their time
        try:
            command: click.Command = getattr(importlib.import_module(module), name)
        finally:
            gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in sorted(_HALVES.items())])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="secure-chat")
def _secure_chat() -> None:
    """A self-hosted chat, end-to-end encrypted.

    \b
    secure-chat server                     start a relay; the first run prints an invite link
    secure-chat client <invite link>       join; afterwards just: secure-chat client
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    given = sys.argv[1:] if arguments is None else arguments
    threading.excepthook = lambda failed: _unexpected(failed.exc_value) if failed.exc_value else None
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without umlauts shows question marks
    try:
        code = _secure_chat.main(args=arguments, prog_name="secure-chat", standalone_mode=False)
    except click.Abort:
        sys.exit(130)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        if "client" in given and "--json" in given:
            from secure_chat.client.events import FailureCode
            from secure_chat.ui.cli.session import Session

            Session(json=True).put_error(FailureCode.INVALID, error.format_message())
        elif _server_in_json(given):
            _put_error("invalid", error.format_message())
        error.show()
        sys.exit(error.exit_code)
    except SecureChatError as error:
        from secure_chat.ui.text import clean_line

        _fail(given, "failed", clean_line(str(error)))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        _fail(given, "failed", describe_os_error(error))
    except Exception as error:
        if _server_in_json(given):
            _put_error("internal", f"an internal error ({type(error).__name__})")
        _unexpected(error)
        sys.exit(1)
    else:
        sys.exit(code)


def _server_in_json(given: Sequence[str]) -> bool:
    """The client's commands say themselves what failed."""
    return "server" in given and "client" not in given and "--json" in given


def _put_error(code: str, message: str) -> None:
    """The error object of the operator's commands, for scripts."""
    click.echo(json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False).encode())


def _fail(given: Sequence[str], code: str, message: str) -> NoReturn:
    """One line that says what to do, or an error object."""
    if _server_in_json(given):
        _put_error(code, message)
    else:
        click.echo(f"secure-chat: {message}", err=True)
    sys.exit(1)


def _unexpected(error: BaseException) -> None:
    """A mistake of ours: one line, and a file that says where; never a value, which might be a secret."""
    from secure_chat.client.crash import record_crash
    from secure_chat.client.profile import home

    path = record_crash(error, home())
    click.echo(
        f"secure-chat: an internal error ({type(error).__name__}); nothing more is done. Please report it with {path}",
        err=True,
    )


if __name__ == "__main__":
    main()
