"""Connections as every user of the database needs them."""

from pathlib import Path

import apsw

from secure_chat.server.storage.sql import Sql, open_connection


def test_plans_don_t_depend_on_bound_values(tmp_path: Path) -> None:
    """Otherwise SQLite compiles most joins anew at each execution, which was half of a login's time."""
    connection = open_connection(tmp_path / "relay.db")
    assert connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, -1)
    connection.close()


def test_a_row_is_one_or_none(tmp_path: Path) -> None:
    """Values are always bound, never part of the text."""
    connection = open_connection(tmp_path / "relay.db")
    sql = Sql(connection)
    sql.run("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
    assert sql.insert("INSERT INTO t (b) VALUES (?)", ("'; DROP TABLE t",)) == 1
    sql.run_many("INSERT INTO t (b) VALUES (?)", [("x",), ("y",)])
    assert sql.row("SELECT b FROM t WHERE a = ?", (1,)) == ("'; DROP TABLE t",)
    assert sql.row("SELECT b FROM t WHERE a = ?", (9,)) is None
    assert sql.one("SELECT count(*) FROM t") == (3,)
    assert list(sql.rows("SELECT b FROM t WHERE a > ? ORDER BY a", (1,))) == [("x",), ("y",)]
    connection.close()
