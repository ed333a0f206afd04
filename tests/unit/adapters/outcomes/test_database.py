"""Outcomes from a database: SQLite, and PostgreSQL where it is installed."""

import sqlite3
import sys
import warnings
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import SAWarning

from postgres_server import postgres
from undertow.adapters.outcomes.database import DatabaseRows
from undertow.errors import ConfigError, LogError
from undertow.records.serving import SourcePlan

QUERY = "SELECT id, at AS event_time, user_id, amount AS value, updated_at FROM tickets WHERE updated_at > :since ORDER BY id"


def plan(query=QUERY, **values):
    return SourcePlan(name="crm", kind="sql", url_env="CRM_URL", query=query, outcome="ticket", **values)


@pytest.fixture
def address(tmp_path):
    path = tmp_path / "crm.sqlite"
    with sqlite3.connect(path) as engine:
        engine.execute("CREATE TABLE tickets (id INTEGER, at TEXT, user_id TEXT, amount REAL, updated_at TEXT)")
        engine.executemany(
            "INSERT INTO tickets VALUES (?, ?, ?, ?, ?)",
            [(n, f"2026-03-0{n}T10:00:00Z", f"u{n}", float(n), f"2026-03-0{n} 12:00:00.000000") for n in range(1, 6)],
        )
    engine.close()
    return f"sqlite:///{path}"


def rows(address, since=None, given=None, **options):
    source = DatabaseRows(given or plan(), {"CRM_URL": address}, **options)
    return [row for place in source.places(since) for batch in place.rows for row in batch]


def test_rows_come_with_their_columns(address):
    found = rows(address)
    assert [row.columns["signal_id"] for row in found] == [f"outcomes.ticket/{n}" for n in range(1, 6)]
    assert (found[0].columns["user_id"], found[0].columns["value"]) == ("u1", 1.0)
    assert found[0].version is None, "a time without zone, and the source names none"
    assert rows(address, given=plan(timezone="UTC"))[0].version == "2026-03-01T12:00:00Z"


def test_since_is_bound_and_not_written_into_the_query(address):
    since = datetime(2026, 3, 4, 0, 0, tzinfo=UTC)
    assert [row.columns["user_id"] for row in rows(address, since)] == ["u4", "u5"]
    zoned = since.astimezone(datetime.now().astimezone().tzinfo) + timedelta(days=1)
    assert [row.columns["user_id"] for row in rows(address, zoned)] == ["u5"]


def test_a_query_without_since_gives_all(address):
    assert (
        len(rows(address, datetime(2030, 1, 1, tzinfo=UTC), plan("SELECT id, at AS event_time, user_id FROM tickets")))
        == 5
    )


def test_the_key_of_a_row_is_its_content_wherever_it_stands(address):
    keys = [row.key for row in rows(address, key=lambda digest: f"k{digest}")]
    again = [
        row.key
        for row in rows(
            address, given=plan(QUERY.replace("ORDER BY id", "ORDER BY id DESC")), key=lambda digest: f"k{digest}"
        )
    ]
    assert sorted(keys) == sorted(again)
    assert all(key.startswith("k") for key in keys)


def test_a_place_is_asked_each_time(address):
    (place,) = DatabaseRows(plan(), {"CRM_URL": address}).places(None)
    assert (place.name, place.fingerprint) == ("query", None)


def test_the_database_itself_refuses_to_write(address, monkeypatch):
    monkeypatch.setattr("undertow.adapters.outcomes.database.check_reads_only", lambda query: query)
    with pytest.raises(LogError, match="failed"):
        rows(address, given=plan("DELETE FROM tickets RETURNING id, at AS event_time, user_id"))
    assert len(rows(address)) == 5


def test_what_writes_is_refused_before_it_is_asked(address):
    with pytest.raises(ConfigError, match="delete"):
        rows(address, given=plan("DELETE FROM tickets"))


def test_a_query_that_takes_too_long_is_stopped(address):
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS id, 'x' AS user_id FROM n"
    )
    with pytest.raises(LogError, match="took longer than 1 s"):
        rows(address, given=plan(endless), timeout_s=1.0)


def test_rows_are_streamed_and_a_deadline_holds_between_them(address):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id, 'u' AS user_id, '2026-03-01T10:00:00Z' AS event_time FROM n"
    source = DatabaseRows(plan(endless), {"CRM_URL": address}, timeout_s=1.0)
    (place,) = source.places(None)
    read: list[int] = []
    with pytest.raises(LogError, match="took longer"):
        read.extend(len(batch) for batch in place.rows)
    assert sum(read) > 1_000


def test_errors_hold_neither_address_nor_statement_nor_values(address, tmp_path):
    for url, query in (
        ("sqlite:////nowhere/s3cret.sqlite", QUERY),
        (address, "SELECT 's3cret' AS id FROM missing"),
        ("s3cret", QUERY),
        ("s3cret://u:p@h/d", QUERY),
        ("postgresql+psycopg://u:s3cret@127.0.0.1:1/d", QUERY),
    ):
        with pytest.raises((LogError, ConfigError)) as caught:
            rows(url, given=plan(query))
        assert "s3cret" not in str(caught.value)
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_does_not_exist_is_not_made(tmp_path):
    with pytest.raises(LogError, match="does not exist"):
        rows(f"sqlite:///{tmp_path}/new.sqlite")
    assert not (tmp_path / "new.sqlite").exists()


def test_what_is_missing_is_said_with_what_to_do(address, monkeypatch):
    with pytest.raises(ConfigError, match="CRM_URL, which is not set"):
        rows("")
    with pytest.raises(ConfigError, match="needs the driver"):
        rows("mysql+pymysql://u@h/d")
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ConfigError, match=r"pip install 'undertow\[sql\]'"):
        rows(address)


def test_long_texts_and_bytes_do_not_come_along(address):
    (row,) = rows(
        address,
        given=plan(
            "SELECT 1 AS id, '2026-03-01T10:00:00Z' AS event_time, replace(hex(zeroblob(50000)), '00', 'x') AS user_id, x'00ff' AS value"
        ),
    )
    assert row.reason == "missing_value"
    (row,) = rows(
        address,
        given=plan(
            "SELECT 1 AS id, '2026-03-01T10:00:00Z' AS event_time, replace(hex(zeroblob(50000)), '00', 'x') AS user_id"
        ),
    )
    assert 512 < len(row.columns["user_id"]) <= 8_192


def test_postgresql_is_read_with_its_own_types_and_refuses_to_write(monkeypatch):
    import psycopg

    with postgres() as url:
        with psycopg.connect(url.replace("+psycopg", "")) as engine:
            engine.execute(
                "CREATE TABLE tickets (id uuid DEFAULT gen_random_uuid(), at timestamptz, user_id bigint, amount numeric(9, 2), updated_at timestamp)"
            )
            engine.execute(
                "INSERT INTO tickets (at, user_id, amount, updated_at) SELECT '2026-03-01 10:00:00+01', n, n + 0.25, timestamp '2026-03-01' + n * interval '1 day' FROM generate_series(1, 5) n"
            )
        query = QUERY.replace("ORDER BY id", "ORDER BY user_id")
        found = rows(url, datetime(2026, 3, 4, 0, 0, tzinfo=UTC), plan(query, timezone="UTC"))
        assert [(row.columns["user_id"], float(row.columns["value"])) for row in found] == [("4", 4.25), ("5", 5.25)]
        assert found[0].columns["event_time"] == "2026-03-01T09:00:00Z"
        assert found[0].version == "2026-03-05T00:00:00Z"
        with pytest.raises(LogError, match="took longer than 1 s"):
            rows(url, given=plan("SELECT pg_sleep(30) AS id"), timeout_s=1.0)
        monkeypatch.setattr("undertow.adapters.outcomes.database.check_reads_only", lambda query: query)
        with pytest.raises(LogError, match="failed"):
            rows(url, given=plan("DELETE FROM tickets RETURNING id, at AS event_time, user_id"))
        assert len(rows(url)) == 5


@pytest.mark.parametrize(
    "error",
    [
        ValueError("s3cret"),
        TypeError("s3cret"),
        OverflowError("s3cret"),
        OSError(32, "s3cret"),
        type("DriverError", (Exception,), {})("s3cret"),
    ],
)
def test_whatever_a_driver_raises_is_one_clear_line(address, error):
    with dialect(raises=error) as url, pytest.raises(LogError) as caught:
        rows(url(address))
    assert str(caught.value) == (
        f"the query of [sources.crm] failed ({type(error).__name__}); run it by hand to see what is wrong"
    )


def test_a_driver_that_cannot_be_loaded_is_said(address):
    with dialect(loads=ImportError("no libpq")) as url, pytest.raises(ConfigError, match="cannot be loaded"):
        rows(url(address))


def test_warnings_of_a_dialect_reach_nobody(address, recwarn):
    with dialect(warns="s3cret") as url:
        assert len(rows(url(address))) == 5
    assert not recwarn.list


@contextmanager
def dialect(raises=None, warns=None, loads=None):
    """SQLite by a dialect of another name that misbehaves as told; what it gives makes an address one of it."""

    class Odd(SQLiteDialect_pysqlite):
        supports_statement_cache = True

        @classmethod
        def import_dbapi(cls):
            if loads is not None:
                raise loads
            return super().import_dbapi()

        def initialize(self, connection):
            if warns is not None:
                warnings.warn(warns, SAWarning, stacklevel=1)
            super().initialize(connection)

        def do_execute(self, cursor, statement, parameters, context=None):
            if raises is not None and statement.startswith("SELECT id"):
                raise raises
            super().do_execute(cursor, statement, parameters, context)

    registry.impls["odd"] = lambda: Odd
    try:
        yield lambda address: address.replace("sqlite:", "odd:")
    finally:
        del registry.impls["odd"]
