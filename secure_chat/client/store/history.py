"""Lines of history as rows: encoding, insertion in step with the full-text index, and paging."""

from typing import TypeAlias

import msgspec
from apsw import Connection

from secure_chat.client.store.schema import ROOM_MARK
from secure_chat.client.views import DeliveryState, MessageKind, MessageView, Reaction

__all__ = ["COLUMNS", "decode", "find", "page", "put"]

COLUMNS = "position, id, room, time, kind, sender, account, text, state, detail, reply_to, flags, reactions"
"""In the order that `decode` takes."""

_EDITED = 1
_DELETED = 2
_INSERT = f"INSERT INTO messages({COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_FIND = f"SELECT {COLUMNS} FROM messages WHERE id = ?"  # noqa: S608
_UPDATE = (
    "UPDATE messages SET position = ?, room = ?, time = ?, kind = ?, sender = ?, account = ?, text = ?, state = ?,"
    " detail = ?, reply_to = ?, flags = ?, reactions = ? WHERE id = ?"
)
_reactions = msgspec.msgpack.Decoder(tuple[tuple[str, tuple[str, ...]], ...])

Value: TypeAlias = int | float | bytes | str | None
"""What SQLite stores."""
Row: TypeAlias = tuple[Value, ...]


def decode(row: Row) -> MessageView:
    """The line that a row of `COLUMNS` holds."""
    position, key, room, time, kind, sender, account, text, state, detail, reply_to, flags, reactions = row
    assert isinstance(position, int)
    assert isinstance(key, bytes)
    assert isinstance(room, bytes)
    assert isinstance(time, int)
    assert isinstance(account, bytes)
    assert isinstance(flags, int)
    assert reply_to is None or isinstance(reply_to, bytes)
    assert reactions is None or isinstance(reactions, bytes)
    return MessageView(
        id=key.hex(),
        room=room.hex(),
        position=position,
        kind=MessageKind(str(kind)),
        sender=str(sender),
        account=account.hex(),
        time=time,
        text=str(text),
        state=DeliveryState(str(state)),
        detail=str(detail),
        reply_to=None if reply_to is None else reply_to.hex(),
        edited=bool(flags & _EDITED),
        deleted=bool(flags & _DELETED),
        reactions=() if reactions is None else tuple(Reaction(*item) for item in _reactions.decode(reactions)),
    )


def find(connection: Connection, message_id: str) -> MessageView | None:
    """The line with this id."""
    row = connection.execute(_FIND, (bytes.fromhex(message_id),)).fetchone()
    return None if row is None else decode(row)


def put(connection: Connection, line: MessageView, next_position: int) -> int:
    """Inserts a line or replaces the one with its id, and its index entry; returns its position.

    Position 0 means where it stands already, or else `next_position`.
    """
    old = find(connection, line.id)
    if old is None:
        position = line.position or next_position
        key, *rest = _encode(line)
        connection.execute(_INSERT, (position, key, *rest))
        if _searchable(line):
            _index(connection, position, line)
        return position
    position = line.position or old.position
    key, *rest = _encode(line)
    reindex = (old.position, _searchable(old), old.room) != (position, _searchable(line), line.room)
    if reindex and _searchable(old):
        _index(connection, old.position, old, delete=True)
    connection.execute(_UPDATE, (position, *rest, key))
    if reindex and _searchable(line):
        _index(connection, position, line)
    return position


def page(
    connection: Connection, room: str | None, limit: int, before: int | None, after: int | None
) -> tuple[MessageView, ...]:
    """Up to `limit` lines of a room (None: of all), oldest first, strictly between two positions.

    With `after` alone the oldest of them, otherwise the newest.
    """
    where, values = ["position > ?", "position < ?"], [after or 0, 1 << 62 if before is None else before]
    bindings: list[int | bytes] = [*values]
    if room is not None:
        where.insert(0, "room = ?")
        bindings.insert(0, bytes.fromhex(room))
    forward = after is not None and before is None
    sql = (
        f"SELECT {COLUMNS} FROM messages WHERE {' AND '.join(where)}"  # noqa: S608
        f" ORDER BY position {'ASC' if forward else 'DESC'} LIMIT ?"
    )
    lines = [decode(row) for row in connection.execute(sql, (*bindings, limit))]
    return tuple(lines if forward else reversed(lines))


def _encode(line: MessageView) -> Row:
    reactions = [(reaction.emoji, reaction.handles) for reaction in line.reactions]
    return (
        bytes.fromhex(line.id),
        bytes.fromhex(line.room),
        line.time,
        line.kind.value,
        line.sender,
        bytes.fromhex(line.account),
        line.text,
        line.state.value,
        line.detail,
        None if line.reply_to is None else bytes.fromhex(line.reply_to),
        (_EDITED if line.edited else 0) | (_DELETED if line.deleted else 0),
        msgspec.msgpack.encode(reactions) if reactions else None,
    )


def _searchable(line: MessageView) -> str:
    """The text to be found, "" if none: what people wrote, not notices, nor what was deleted."""
    return line.text if line.kind is MessageKind.TEXT and not line.deleted else ""


def _index(connection: Connection, position: int, line: MessageView, *, delete: bool = False) -> None:
    values = (position, line.text, ROOM_MARK + line.room)
    if delete:
        connection.execute("INSERT INTO search(search, rowid, text, room) VALUES('delete', ?, ?, ?)", values)
    else:
        connection.execute("INSERT INTO search(rowid, text, room) VALUES(?, ?, ?)", values)
