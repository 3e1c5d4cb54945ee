"""Subcommands made from the table of actions."""

import click

from secure_chat.client.encoding import encode_result
from secure_chat.ui.arguments import Action, Kind, parse
from secure_chat.ui.cli.session import Session, common_options, pass_session
from secure_chat.ui.presenter import describe_result

__all__ = ["make_command"]


class _ActionCommand(click.Command):
    """Shows the parameters of its action in the usage line."""

    action: Action

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        pieces = ["[OPTIONS]", *(parameter.metavar for parameter in self.action.parameters)]
        if any(parameter.kind is Kind.ROOM for parameter in self.action.parameters):
            pieces[pieces.index(Kind.ROOM.value)] = "(ROOM | --room NAME)"
        return pieces


def make_command(action: Action) -> click.Command:
    """The subcommand of an action; with `--room NAME` the room need not be the first argument."""
    takes_room = any(parameter.kind is Kind.ROOM for parameter in action.parameters)

    @pass_session
    def run(session: Session, words: tuple[str, ...], room: str | None = None, **flags: bool) -> None:
        given = [f"--{name.replace('_', '-')}" for name, on in flags.items() if on]
        current = "" if room is None else room if room.startswith("#") else f"#{room}"
        arguments = parse(action, [*given, *words], room=current)
        result = session.client().ask(action.build(arguments))
        lines = describe_result(result) if result is not None and not action.done else [action.done_words(arguments)]
        session.result(encode_result(result), [line for line in lines if line])

    parameters: list[click.Parameter] = [click.Argument(["words"], nargs=-1)]
    if takes_room:
        parameters.append(click.Option(["--room"], metavar="NAME", help="The room, where a shell would eat the #."))
    parameters += [click.Option([flag], is_flag=True, help=text) for flag, text in action.flags.items()]
    example = f"\n\n\b\nsecure-chat client {action.name} {action.example}" if action.example else ""
    command = _ActionCommand(
        action.name,
        callback=run,
        params=parameters,
        help=action.summary + example,
        short_help=action.summary,
    )
    command.action = action
    return common_options(command)
