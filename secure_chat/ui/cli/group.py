"""The group `client`: a link joins, a subcommand does one thing, nothing at all opens the chat.

Subcommands are imported when they are called, so that `send` doesn't pay for the prompt.
"""

import importlib

import click

from secure_chat.ui.actions import ACTIONS
from secure_chat.ui.cli.session import EXIT_CODES, Session, common_options, pass_session

__all__ = ["client"]

# Where the subcommands stand that are not made from the table of actions.
_MODULES = {
    "account": ("join", "passphrase", "backup", "restore", "export", "delete-account", "profiles"),
    "messages": ("send", "listen", "history", "search"),
    "trust": ("verify", "fingerprint", "invite-link"),
    "bots": ("rpc",),
}
_WRITTEN = {name: module for module, names in _MODULES.items() for name in names}


class _Client(click.Group):
    """Takes a link in the place of a subcommand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*_WRITTEN, *ACTIONS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _WRITTEN:
            module = importlib.import_module(f"secure_chat.ui.cli.{_WRITTEN[cmd_name]}")
            command: click.Command = getattr(module, cmd_name.replace("-", "_"))
            return command
        if cmd_name in ACTIONS:
            from secure_chat.ui.cli.simple import make_command

            return make_command(ACTIONS[cmd_name])
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and ("://" in args[0] or args[0].startswith("secure-chat:")):
            return "join", self.get_command(ctx, "join"), args
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # `--plain` and the options of joining may stand before the link: they belong to it.
        link = next((index for index, word in enumerate(args) if "://" in word), None)
        if link is not None and not any(word in self.list_commands(ctx) for word in args[:link]):
            args = [args[link], *args[:link], *args[link + 1 :]]
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            formatter.write_dl(
                [
                    ("secure-chat client 'secure-chat://…'", "join with an invite link"),
                    ("secure-chat client", "open the chat"),
                    ("secure-chat client send '#lobby' hello", "one message, also with --room lobby"),
                    ("echo hello | secure-chat client send bob", "from a pipe"),
                    ("secure-chat client listen --json", "everything that happens, for programs"),
                ]
            )
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


@click.group(
    cls=_Client,
    invoke_without_command=True,
    subcommand_metavar="[LINK | COMMAND [ARGUMENTS]...]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@common_options
@click.option("--plain", is_flag=True, help="Line mode: no full-screen interface; suits screen readers.")
@click.pass_context
def client(ctx: click.Context, plain: bool) -> None:
    """Join with an invite link, open the chat, or do one thing."""
    ctx.ensure_object(Session)
    if ctx.invoked_subcommand is None:
        ctx.invoke(_chat, plain=plain)


@click.command()
@click.option("--plain", is_flag=True)
@pass_session
def _chat(session: Session, plain: bool) -> None:
    from secure_chat.ui.cli.chat import open_chat

    open_chat(session, plain=plain)
