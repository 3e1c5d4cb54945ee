"""The tables of the client's store, and how an older store becomes a current one.

`rows` is the engine's key-value table. `messages` is what people read. `search` is an external-content FTS5 index
over it: a message's room is indexed beside its words, as one token that no typed text can produce, so that a
search within one room is an intersection of two sorted lists and costs no more than one everywhere. `terms` lists
the words that occur.
"""

import apsw

from secure_chat.client.errors import StoreTooNewError

__all__ = ["ROOM_MARK", "VERSION", "migrate"]

ROOM_MARK = "\ue000"
"""First character of room tokens: private use (57344 below), a letter to the tokenizer, cut from search input."""

# Each entry takes a store from version n (its index) to n + 1; entries are never edited once released.
_MIGRATIONS = (
    """
    CREATE TABLE rows(space TEXT, key BLOB, value BLOB, PRIMARY KEY(space, key)) WITHOUT ROWID;
    CREATE TABLE messages(position INTEGER PRIMARY KEY, id BLOB UNIQUE, room BLOB, time INTEGER, kind TEXT,
                          sender TEXT, account BLOB, text TEXT, state TEXT, detail TEXT, reply_to BLOB,
                          flags INTEGER, reactions BLOB);
    CREATE INDEX messages_by_room ON messages(room, position);
    CREATE VIEW searchable AS SELECT position, text, char(57344) || lower(hex(room)) AS room
                              FROM messages WHERE kind = 'text' AND flags & 2 = 0 AND text <> '';
    CREATE VIRTUAL TABLE search USING fts5(text, room, content='searchable', content_rowid='position',
                                           tokenize='unicode61 remove_diacritics 2', prefix='1 2 3');
    INSERT INTO search(search, rank) VALUES('secure-delete', 1);
    CREATE VIRTUAL TABLE terms USING fts5vocab('search', 'instance');
    """,
)

VERSION = len(_MIGRATIONS)
"""The current version of the schema, kept in the file's `user_version`."""


def migrate(connection: apsw.Connection) -> None:
    """Brings a new or older store to the current version, in one transaction; raises StoreTooNewError."""
    version = connection.pragma("user_version")
    assert isinstance(version, int)
    if version > VERSION:
        raise StoreTooNewError("this profile was written by a later version of secure-chat: update to open it")
    if version == VERSION:
        return
    with connection:
        for script in _MIGRATIONS[version:]:
            connection.execute(script)
        connection.execute(f"PRAGMA user_version = {VERSION}")
