"""Versions of the schema and migrations between them."""

from pathlib import Path

import apsw
import pytest

from secure_chat.server.errors import SchemaError
from secure_chat.server.storage.database import Database
from secure_chat.server.storage.schema import MIGRATIONS, migrate


def test_a_new_file_gets_the_newest_version(tmp_path: Path) -> None:
    """And opening it again changes nothing."""
    connection = apsw.Connection(str(tmp_path / "relay.db"))
    migrate(connection)
    assert connection.pragma("user_version") == len(MIGRATIONS)
    before = connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
    migrate(connection)
    assert connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall() == before
    connection.close()


def test_an_older_database_is_migrated(tmp_path: Path) -> None:
    """Each missing step once, in order, keeping what is stored."""
    connection = apsw.Connection(str(tmp_path / "relay.db"))
    first = (*MIGRATIONS, "CREATE TABLE later (a)")
    migrate(connection, first)
    connection.execute("INSERT INTO later VALUES (1)")
    migrate(connection, (*first, "ALTER TABLE later ADD COLUMN b; UPDATE later SET b = a + 1"))
    assert connection.execute("SELECT a, b FROM later").fetchall() == [(1, 2)]
    assert connection.pragma("user_version") == len(first) + 1
    connection.close()


def test_a_migration_that_fails_leaves_the_old_version(tmp_path: Path) -> None:
    """The step is a transaction of its own."""
    connection = apsw.Connection(str(tmp_path / "relay.db"))
    migrate(connection)
    with pytest.raises(apsw.SQLError):
        migrate(connection, (*MIGRATIONS, "CREATE TABLE half (a); CREATE TABLE half (a)"))
    assert connection.pragma("user_version") == len(MIGRATIONS)
    assert not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'half'").fetchall()
    connection.close()


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """An old relay doesn't touch what it doesn't understand."""
    connection = apsw.Connection(str(tmp_path / "relay.db"))
    migrate(connection, (*MIGRATIONS, "CREATE TABLE future (a)"))
    connection.close()
    with pytest.raises(SchemaError, match="newer secure-chat"):
        Database(tmp_path / "relay.db")
