"""send, listen, history, search."""

import io
import sys
import time
from collections.abc import Iterator

import click

from secure_chat.client.encoding import encode_event, encode_result
from secure_chat.client.events import MessageAdded, MessageChanged
from secure_chat.client.views import DeliveryState
from secure_chat.ui.arguments import InputError
from secure_chat.ui.cli.session import WAITING, Session, common_options, pass_session
from secure_chat.ui.presenter import describe_event, describe_result, message_lines, room_title
from secure_chat.ui.text import clean_line
from secure_chat.ui.told import Told

__all__ = ["history", "listen", "search", "send"]

SEND_TIMEOUT = 10.0
"""Seconds that `send` waits for the relay by default."""


def _room(room: str | None, words: tuple[str, ...], usage: str) -> tuple[str, tuple[str, ...]]:
    """The room named by `--room` or by the first word, and the other words."""
    if room is not None:
        return (room if room.startswith("#") else f"#{room}"), words
    if not words:
        raise InputError(f"to whom? usage: {usage}")
    return words[0], words[1:]


def _readable(text: str) -> str:
    """Bytes that were no UTF-8 (a binary file, another encoding) as U+FFFD."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


@click.command()
@common_options
@click.argument("words", nargs=-1, metavar="(ROOM | PERSON) [TEXT]...")
@click.option("--room", metavar="NAME", help="The room, where a shell would eat the #.")
@click.option("--reply-to", metavar="MESSAGE", help="Id of the message answered to.")
@click.option("--lines", is_flag=True, help="Each line of standard input is a message of its own.")
@click.option("--no-wait", is_flag=True, help="Done as soon as the message is on this disk.")
@click.option("--timeout", default=SEND_TIMEOUT, show_default=True, help="Seconds to wait for the relay.")
@pass_session
def send(
    session: Session,
    words: tuple[str, ...],
    room: str | None,
    reply_to: str | None,
    lines: bool,
    no_wait: bool,
    timeout: float,
) -> None:
    """Send a message; without TEXT (or with -) from standard input.

    \b
    secure-chat client send bob "see you at 8"
    make 2>&1 | tail -1 | secure-chat client send --room build

    Exits with 0 once the relay has it on its disk, with 3 if it still waits here: it goes out by itself as soon as
    any secure-chat command connects again.
    """
    where, rest = _room(room, words, "send (ROOM | PERSON) [TEXT]...")
    with_stdin = not rest or rest == ("-",)
    if with_stdin and sys.stdin.isatty():
        raise InputError("what? usage: send (ROOM | PERSON) TEXT, or text on standard input")
    if lines and not with_stdin:
        raise InputError("--lines reads standard input: leave the text away")
    texts: Iterator[str] = iter([" ".join(rest)])
    if with_stdin:
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")
        texts = (line.rstrip("\r\n") for line in sys.stdin) if lines else iter([sys.stdin.read().rstrip("\r\n")])
    client = session.client()
    waiting, why = False, ""
    for text in map(_readable, texts):
        if not text:
            if lines:
                continue
            raise InputError("the message is empty")
        if no_wait:
            message_id, state = client.send(where, text, reply_to=reply_to), DeliveryState.QUEUED
        else:
            message_id, state = client.deliver(where, text, reply_to=reply_to, timeout=timeout)
        unsent = state in (DeliveryState.FAILED, DeliveryState.QUEUED) and not no_wait
        detail = client.message(message_id).detail if unsent else ""
        session.result({"id": message_id, "state": state.value, "detail": detail})
        if state is DeliveryState.FAILED:
            click.echo(f"secure-chat: not sent: {clean_line(detail)}", err=True)
            raise click.exceptions.Exit(1)
        if state is DeliveryState.QUEUED and not no_wait:
            waiting, why = True, detail or why
    if waiting:
        why = clean_line(client.status().reason or why) or "the relay has not answered yet"
        click.echo(f"secure-chat: it waits here, to go out by itself when that is over: {why}", err=True)
        raise click.exceptions.Exit(WAITING)


@click.command()
@common_options
@click.argument("rooms", nargs=-1, metavar="[ROOM | PERSON]...")
@click.option("--count", type=click.IntRange(min=1), help="End after so many messages.")
@click.option("--timeout", type=float, help="End after so many seconds without an event.")
@pass_session
def listen(session: Session, rooms: tuple[str, ...], count: int | None, timeout: float | None) -> None:
    """Show what happens, as it happens, until interrupted; of some rooms only, if any are named.

    \b
    secure-chat client listen
    secure-chat client listen --json '#lobby' | jq -r .message.text
    """
    client = session.client(wait=False)
    names = {room.id: room_title(room) for room in client.rooms()}
    wanted = {name if name.startswith("#") else name.removeprefix("@") for name in rooms}
    seen = 0
    told = Told()
    for event in client.events(timeout):
        message = event.message if isinstance(event, MessageAdded) else None
        if message is not None and message.room not in names:
            names = {room.id: room_title(room) for room in client.rooms()}
        if wanted and (message is None or names.get(message.room) not in wanted):
            continue
        if session.json:
            session.put(encode_event(event))
        elif not isinstance(event, MessageAdded | MessageChanged):
            session.say(*describe_event(event))
        elif told.news(event.message):
            session.say(*describe_event(event, room=names.get(event.message.room, "")))
        seen += message is not None
        if count is not None and seen >= count:
            break


@click.command()
@common_options
@click.argument("rooms", nargs=-1, metavar="(ROOM | PERSON)")
@click.option("--room", metavar="NAME", help="The room, where a shell would eat the #.")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Lines at most.")
@click.option("--before", type=int, metavar="POSITION", help="Only lines before this position.")
@click.option("--after", type=int, metavar="POSITION", help="Only lines after this position.")
@click.option("--ids", is_flag=True, help="Begin each line with its message id.")
@pass_session
def history(
    session: Session,
    rooms: tuple[str, ...],
    room: str | None,
    limit: int,
    before: int | None,
    after: int | None,
    ids: bool,
) -> None:
    """Show a conversation, oldest line first.

    \b
    secure-chat client history '#lobby' -n 20
    """
    where, rest = _room(room, rooms, "history (ROOM | PERSON)")
    if rest:
        raise InputError("one room at a time; usage: history (ROOM | PERSON)")
    lines = session.client().history(where, limit, before=before, after=after)
    shown = []
    for line in lines:
        first, *more = message_lines(line)
        date = time.strftime("%Y-%m-%d ", time.localtime(line.time / 1000))
        shown += [f"{line.id} {date}{first}" if ids else date + first, *more]
    session.result(encode_result(lines), shown)


@click.command()
@common_options
@click.argument("words", nargs=-1, required=True, metavar="WORDS...")
@click.option("--room", metavar="NAME", help="Only in this room; @NAME: with this person.")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Hits at most.")
@pass_session
def search(session: Session, words: tuple[str, ...], room: str | None, limit: int) -> None:
    """Search all conversations, newest first. All words must be there; their beginnings are enough.

    \b
    secure-chat client search launch code
    secure-chat client search --room lobby '"exact phrase"'
    """
    where = None
    if room is not None:
        where = room.removeprefix("@") if room.startswith(("@", "#")) else f"#{room}"
    hits = session.client().search(" ".join(words), where, limit)
    session.result(encode_result(hits), describe_result(hits))
