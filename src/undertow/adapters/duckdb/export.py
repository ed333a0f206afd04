"""Writes the rows that an audit would use as canonical Parquet files."""

from pathlib import Path

import duckdb

from undertow.adapters.duckdb.intake import Tables
from undertow.adapters.duckdb.sql import identifier, literal
from undertow.adapters.duckdb.views import SERVED_TIER, create_signal_view
from undertow.records.columns import DECISION_COLUMNS, SIGNAL_COLUMNS


def export_clean(engine: duckdb.DuckDBPyConnection, tables: Tables, decisions: Path, signals: Path) -> None:
    """Write view `decisions` and the usable rows of `signals_checked`, one row an id."""
    columns = ", ".join(
        f"CAST({SERVED_TIER if column.name == 'tier' else identifier(column.name)} AS {column.sql_type}) AS {identifier(column.name)}"
        for column in DECISION_COLUMNS
    )
    engine.execute(
        f"COPY (SELECT {columns} FROM decisions ORDER BY event_time, decision_id) TO {literal(str(decisions))} "
        "(FORMAT parquet, COMPRESSION zstd)"
    )
    if not tables.signals:
        return
    create_signal_view(engine, tables.signals)
    columns = ", ".join(
        f"CAST({identifier(column.name)} AS {column.sql_type}) AS {identifier(column.name)}"
        for column in SIGNAL_COLUMNS
    )
    engine.execute(
        f"COPY (SELECT * FROM (SELECT DISTINCT ON (signal_id) {columns} FROM signals_checked WHERE NOT rejected "
        "ORDER BY signal_id, CASE WHEN kind = 'outcome' THEN coalesce(revision, 0) ELSE 0 END DESC, "
        "greatest(event_time, coalesce(received_at, event_time)), event_time) "
        f"WHERE NOT (kind = 'outcome' AND coalesce(deleted, false))) TO {literal(str(signals))} "
        "(FORMAT parquet, COMPRESSION zstd)"
    )
