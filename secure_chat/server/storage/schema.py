"""The database's schema and how older ones become it.

`PRAGMA user_version` counts the migrations that a file has been through; each runs in its own transaction.
"""

import apsw

from secure_chat.server.errors import SchemaError

__all__ = ["APPLICATION_ID", "MIGRATIONS", "migrate"]

APPLICATION_ID = 0x53435231
"""`SCR1`: marks a file as a relay's database."""

_FIRST = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('incarnation', randomblob(16));

CREATE TABLE accounts (
    number INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    handle TEXT NOT NULL UNIQUE,
    binding BLOB NOT NULL,
    created INTEGER NOT NULL,
    suspended INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    minimum_serial INTEGER NOT NULL,
    revocation BLOB NOT NULL
);
CREATE TABLE devices (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    account INTEGER NOT NULL,
    certificate BLOB NOT NULL,
    serial INTEGER NOT NULL,
    inbox BLOB NOT NULL,
    created INTEGER NOT NULL
);
CREATE INDEX devices_by_account ON devices (account);
CREATE TABLE invites (
    number INTEGER PRIMARY KEY,
    token_hash BLOB NOT NULL UNIQUE,
    creator BLOB NOT NULL,
    label TEXT NOT NULL,
    uses INTEGER NOT NULL,
    used INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    revoked INTEGER NOT NULL
);
CREATE INDEX invites_by_creator ON invites (creator);
CREATE TABLE key_packages (
    number INTEGER PRIMARY KEY,
    device INTEGER NOT NULL,
    suite INTEGER NOT NULL,
    last_resort INTEGER NOT NULL,
    package BLOB NOT NULL
);
CREATE INDEX key_packages_by_device ON key_packages (device, suite, last_resort);

CREATE TABLE channels (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    folded TEXT UNIQUE,
    peers BLOB UNIQUE,
    creator BLOB NOT NULL,
    created INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    heads BLOB NOT NULL,
    admins BLOB NOT NULL,
    banned BLOB NOT NULL,
    members_may_add INTEGER NOT NULL,
    floor INTEGER NOT NULL,
    base INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE INDEX channels_by_creator ON channels (creator) WHERE creator != x'';
CREATE INDEX channels_by_kind ON channels (kind);
CREATE TABLE members (
    channel INTEGER NOT NULL,
    device INTEGER NOT NULL,
    joined INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (channel, device)
) WITHOUT ROWID;
CREATE INDEX members_by_device ON members (device);
CREATE TABLE former_members (
    channel INTEGER NOT NULL,
    account INTEGER NOT NULL,
    PRIMARY KEY (channel, account)
) WITHOUT ROWID;
CREATE TABLE group_infos (
    number INTEGER PRIMARY KEY,
    channel INTEGER NOT NULL,
    head INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE UNIQUE INDEX group_infos_by_head ON group_infos (channel, head);

CREATE TABLE entries (
    number INTEGER PRIMARY KEY,
    channel INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    size INTEGER NOT NULL,
    frame BLOB NOT NULL,
    welcome INTEGER,
    tail BLOB,
    sender BLOB
);
CREATE UNIQUE INDEX entries_by_seq ON entries (channel, seq);
CREATE TABLE welcomes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    missing INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE TABLE stores (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    device INTEGER NOT NULL,
    last INTEGER NOT NULL,
    forgotten INTEGER NOT NULL
);
CREATE INDEX stores_by_device ON stores (device);
CREATE TABLE appends (
    number INTEGER PRIMARY KEY,
    store INTEGER NOT NULL,
    last INTEGER NOT NULL,
    first INTEGER NOT NULL,
    time INTEGER NOT NULL,
    results BLOB NOT NULL
);
CREATE UNIQUE INDEX appends_by_counter ON appends (store, last);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST,)
"""Script n takes a database from version n to n + 1; released ones never change."""


def migrate(connection: apsw.Connection, migrations: tuple[str, ...] = MIGRATIONS) -> None:
    """Brings an open database to the newest version; SchemaError if it is of a newer one or not ours."""
    version = _pragma(connection, "user_version")
    application = _pragma(connection, "application_id")
    if application != APPLICATION_ID and (application or version or _tables(connection)):
        raise SchemaError("this file is no database of a secure-chat relay")
    if version > len(migrations):
        raise SchemaError(
            f"this database is of a newer secure-chat (schema {version}, known {len(migrations)}): update"
        )
    for number in range(version, len(migrations)):
        with connection:
            connection.execute(migrations[number]).fetchall()  # steps through all of its statements
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number + 1}")


def _pragma(connection: apsw.Connection, name: str) -> int:
    value = connection.pragma(name)
    assert isinstance(value, int)
    return value


def _tables(connection: apsw.Connection) -> int:
    return len(connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall())
