"""Finds one record by its id among the converted files. Work of the keeper: it needs the engine."""

import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.sql import literal
from undertow.records.columns import LOG_COLUMNS
from undertow.records.decision import DecisionRecord

_ID = re.compile(r"[0-9a-f]{32}")


def find_in_parquet(store_path: str | Path, decision_id: str, *, memory_limit: str = "128MB") -> bytes | None:
    """The JSON line of a decision (without its newline), or None: it is not in the converted files.

    Args:
        store_path: The store's root folder.
        decision_id: 32 hex digits, of which the first 12 are the milliseconds of its event_time; anything else is not found.
        memory_limit: The engine's own limit, in DuckDB's spelling.

    Raises:
        OSError: The files cannot be read.
    """
    if not _ID.fullmatch(decision_id):
        return None
    try:
        date = datetime.fromtimestamp(int(decision_id[:12], 16) / 1000, UTC).date()
    except (ValueError, OverflowError):
        return None
    files = sorted((Path(store_path) / "decisions" / f"date={date}").glob("*.parquet"))
    if not files:
        return None
    names = ", ".join(
        f"strftime({column.name}, '%Y-%m-%dT%H:%M:%S.%gZ') AS {column.name}"
        if column.sql_type == "TIMESTAMP"
        else column.name
        for column in LOG_COLUMNS
    )
    engine = open_engine(memory_limit, 1, None)
    try:
        found = engine.execute(
            f"SELECT to_json(r) FROM (SELECT {names} FROM read_parquet([{', '.join(literal(str(file)) for file in files)}], "
            "union_by_name = true, hive_partitioning = false) WHERE decision_id = ? LIMIT 1) r",
            [decision_id],
        ).fetchone()
    except duckdb.Error as error:
        raise OSError(f"decisions/date={date}: cannot be read") from error
    finally:
        engine.close()
    if found is None:
        return None
    known = {name: value for name, value in msgspec.json.decode(found[0]).items() if value is not None}
    return msgspec.json.encode(msgspec.convert(known, DecisionRecord))
