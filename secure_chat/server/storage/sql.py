"""Running statements; where SQLite's untyped rows come in.

`apsw` keeps compiled statements by their text, so texts are constants and values are always bound.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import apsw

__all__ = ["Row", "Sql", "Value", "open_connection"]

Value: TypeAlias = int | str | bytes | None
Row: TypeAlias = tuple[Any, ...]  # SQLite's rows have no static types: the tables' methods give them theirs


_BUSY_TIMEOUT_MS = 5_000
"""An operator's command may hold the lock for a moment."""


def open_connection(path: Path, *, read_only: bool = False) -> apsw.Connection:
    """A connection with the settings that every user of the database needs."""
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
    # Otherwise a plan that looked at a bound value is made anew for every other value: most of a join's time.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    return connection


class Sql:
    """Statements on one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute

    def run(self, statement: str, values: Sequence[Value] = ()) -> None:
        """Executes it."""
        self._execute(statement, values)

    def run_many(self, statement: str, rows: Iterable[Sequence[Value]]) -> None:
        """Executes it once for each row of values."""
        self._connection.executemany(statement, rows)

    def insert(self, statement: str, values: Sequence[Value]) -> int:
        """Executes it; returns the number of the new row."""
        self._execute(statement, values)
        return self._connection.last_insert_rowid()

    def rows(self, statement: str, values: Sequence[Value] = ()) -> Iterator[Row]:
        """The rows, read as they are asked for."""
        return self._execute(statement, values)

    def row(self, statement: str, values: Sequence[Value] = ()) -> Row | None:
        """The row of a statement that has at most one; stepped to its end, as RETURNING needs."""
        rows = self._execute(statement, values).fetchall()
        return rows[0] if rows else None

    def one(self, statement: str, values: Sequence[Value] = ()) -> Row:
        """The row of a statement that always has one."""
        row = self.row(statement, values)
        assert row is not None
        return row
