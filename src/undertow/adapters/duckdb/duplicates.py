"""Finds repeated ids, quickly when there are none, and says which row of each id is kept.

The quick test looks for equal 64-bit hashes of the ids. Two equal ones mean a repeated id (or, about once in 400,000 logs of
10 million rows, two ids with one hash); only then are rows compared. The hashes are sorted by NumPy, a bounded chunk at a time:
that takes a fifth of the work of the engine's own DISTINCT, which was the dearest step of a whole audit. No more than these
numbers leave the engine. Of rows with one id the first by
event time is kept, then by content, then by file and line, so that the same input always keeps the same row and a log cut
off at any moment keeps what the whole log keeps.
"""

from dataclasses import dataclass, replace

import duckdb

from undertow.adapters.duckdb.sql import identifier
from undertow.records.columns import DECISION_COLUMNS

CHUNK_ROWS = 16_000_000
"""About how many hashes are sorted at a time: 128 MB."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """Rows beyond the first of their id; `conflicting` of them differ from the row that is kept.

    Of signals: `corrected` rows gave way to a later revision and are not among `rows`; `deleted` ids were taken back.
    """

    rows: int = 0
    conflicting: int = 0
    corrected: int = 0
    deleted: int = 0


def find_repeated_decisions(engine: duckdb.DuckDBPyConnection) -> Repeats:
    """Rows of view `decisions` that repeat an id, found by table `coded`; they go into table `repeated_rows`."""
    if not _any_hash_twice(engine, "coded"):
        return Repeats()
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE repeated_ids AS SELECT decision_id FROM decisions WHERE hash(decision_id) IN "
        "(SELECT id FROM coded GROUP BY id HAVING count(*) > 1) GROUP BY decision_id HAVING count(*) > 1"
    )
    names = [column.name for column in DECISION_COLUMNS if column.name not in {"prompt", "response"}]
    content = ", ".join(f"CAST({identifier(name)} AS VARCHAR)" for name in names)
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE repeated_rows AS
        WITH rows AS (
            SELECT decision_id, event_time, source_file, source_row, md5(CAST(row({content}) AS VARCHAR)) AS content
            FROM decisions WHERE decision_id IN (SELECT decision_id FROM repeated_ids)
        ), placed AS (
            SELECT source_file, source_row, content, row_number() OVER ids AS place, first_value(content) OVER ids AS kept
            FROM rows WINDOW ids AS (PARTITION BY decision_id ORDER BY event_time, content, source_file, source_row)
        )
        SELECT source_file, source_row, content <> kept AS conflicting FROM placed WHERE place > 1
        """
    )
    found = engine.execute("SELECT count(*), count(*) FILTER (WHERE conflicting) FROM repeated_rows").fetchone()
    assert found is not None
    return Repeats(int(found[0]), int(found[1]))


def _any_hash_twice(engine: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether two rows of `table` have one `id`. Rows are taken in chunks that share the low bits of the hash."""
    row = engine.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    chunks = 1
    while chunks * CHUNK_ROWS < row[0]:
        chunks *= 2
    for chunk in range(chunks):
        where = f" WHERE id & {chunks - 1} = {chunk}" if chunks > 1 else ""
        hashes = engine.execute(f"SELECT id FROM {table}{where}").fetchnumpy()["id"]
        hashes.sort()
        if bool((hashes[1:] == hashes[:-1]).any()):
            return True
    return False


def drop_repeated_signals(engine: duckdb.DuckDBPyConnection) -> Repeats:
    """Leave one row an id in table `signals`: of the latest revision the first by availability, event time and content.

    Only outcomes have revisions. They are summed over decisions, so a correction may change what was summed; the past of a quality
    signal must stay as monitors saw it. An outcome whose latest revision says that it was deleted goes.
    """
    repeats = Repeats()
    if _any_hash_twice(engine, "signals"):
        engine.execute(
            """
            CREATE OR REPLACE TEMP TABLE placed_signals AS
            SELECT *, row_number() OVER ids AS place, content <> first_value(content) OVER ids AS conflicting,
                   revision < first_value(revision) OVER ids AS corrected
            FROM (
                SELECT *, CAST(row(*COLUMNS(*)) AS VARCHAR) AS content FROM signals
            )
            WINDOW ids AS (PARTITION BY id ORDER BY revision DESC, available_at, event_time, content)
            """
        )
        found = engine.execute(
            "SELECT count(*) FILTER (NOT corrected), count(*) FILTER (conflicting AND NOT corrected), count(*) FILTER (corrected) "
            "FROM placed_signals WHERE place > 1"
        ).fetchone()
        assert found is not None
        engine.execute(
            "CREATE OR REPLACE TEMP TABLE signals AS "
            "SELECT * EXCLUDE (place, conflicting, corrected, content) FROM placed_signals WHERE place = 1"
        )
        engine.execute("DROP TABLE placed_signals")
        repeats = Repeats(int(found[0]), int(found[1]), int(found[2]))
    taken_back = engine.execute("SELECT count(*) FROM signals WHERE deleted").fetchone()
    assert taken_back is not None
    if taken_back[0]:
        engine.execute("DELETE FROM signals WHERE deleted")
    return replace(repeats, deleted=int(taken_back[0]))
