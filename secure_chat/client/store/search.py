"""Full-text search: from what a person types to an FTS5 query, newest hits first."""

import re
from collections.abc import Mapping

from apsw import Connection

from secure_chat.client.store.history import COLUMNS, decode
from secure_chat.client.store.schema import ROOM_MARK
from secure_chat.client.views import Hit, RoomId

__all__ = ["MAX_WORDS", "match_expression", "search"]

MAX_WORDS = 16
"""Of a search: more would only make it slower."""

MAX_EXPANSION = 300
"""Words that one beginning is replaced by."""
INDEXED_LETTERS = 3
"""Longest beginnings that the index holds (`prefix` in the schema)."""

_SNIPPET_TOKENS = 24
_TERM = re.compile(r'"([^"]+)"?|([^"\s]+)')
_SIMPLE = re.compile(r"[a-zA-Z0-9]+")
"""What the tokenizer takes as it stands but for the case; accents and other scripts it would change."""
_NEXT_TERM = "SELECT term FROM terms WHERE term >= ? LIMIT 1"
_WORD = re.compile(r"\w")
_UNTYPED = re.compile(f"[\0\ud800-\udfff{ROOM_MARK}]")
_COLUMNS = ", ".join(f"m.{column.strip()}" for column in COLUMNS.split(","))
# In descending rowid order FTS5 walks its lists from the end and stops at the limit: no sort, no count of all hits.
_SEARCH = (
    f"SELECT snippet(search, 0, char(2), char(3), '…', {_SNIPPET_TOKENS}), {_COLUMNS}"  # noqa: S608
    " FROM search CROSS JOIN messages m ON m.position = search.rowid"
    " WHERE search MATCH ? ORDER BY search.rowid DESC LIMIT ?"
)


def match_expression(connection: Connection, text: str, room: RoomId | None = None) -> str:
    """The FTS5 expression for typed words, or "" if there is no word in `text`.

    Words are joined by AND and match as beginnings; what stands in double quotes matches as an exact phrase.
    """
    terms = []
    for phrase, word in _TERM.findall(_UNTYPED.sub(" ", text))[:MAX_WORDS]:
        if _WORD.search(phrase):
            terms.append(f'"{phrase}"')
        elif _WORD.search(word):
            terms.append(_beginning(connection, word))
    if not terms:
        return ""
    words = f"text : ({' AND '.join(terms)})"
    return words if room is None else f'{words} AND room : "{ROOM_MARK}{room}"'


def search(
    connection: Connection, text: str, room: RoomId | None, limit: int, names: Mapping[RoomId, str]
) -> tuple[Hit, ...]:
    """The newest `limit` messages that contain all words; `names` gives the rooms' names."""
    expression = match_expression(connection, text, room)
    if not expression:
        return ()
    hits = []
    for snippet, *row in connection.execute(_SEARCH, (expression, limit)):
        message = decode(tuple(row))
        hits.append(Hit(message=message, room_name=names.get(message.room, ""), snippet=str(snippet)))
    return tuple(hits)


def _beginning(connection: Connection, word: str) -> str:
    """The expression for words that begin so.

    Up to three letters there is an index of beginnings. For longer ones FTS5 would gather the lists of all words that
    begin so before it looks at the newest; named one by one they are merged as they are read, from the end.
    """
    if len(word) <= INDEXED_LETTERS or not _SIMPLE.fullmatch(word):
        return f'"{word}"*'
    beginning = word.lower()
    found: list[str] = []
    after = beginning
    while len(found) <= MAX_EXPANSION:
        row = connection.execute(_NEXT_TERM, (after,)).fetchone()
        if row is None or not str(row[0]).startswith(beginning):
            return f"({' OR '.join(found)})" if found else f'"{word}"*'
        found.append(f'"{row[0]}"')
        after = f"{row[0]}\0"
    return f'"{word}"*'
