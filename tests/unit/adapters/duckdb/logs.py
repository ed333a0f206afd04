"""Small logs for the tests of the DuckDB reader: rows as dicts, written as canonical files."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from undertow.adapters.duckdb import DuckDbAuditSource, LogInputs
from undertow.adapters.duckdb.sql import literal
from undertow.ports.audit_source import CellOptions
from undertow.records.cells import AuditCells, Table
from undertow.records.columns import DECISION_COLUMNS, SIGNAL_COLUMNS, Column

START = datetime(2026, 3, 1, tzinfo=UTC)


def at(hours: float) -> str:
    """The time so many hours after the start of the test logs."""
    return (START + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def decision(number: int, hours: float = 0.0, **values: object) -> dict[str, object]:
    """A complete, unremarkable decision."""
    row: dict[str, object] = {
        "decision_id": f"d{number}",
        "event_time": at(hours),
        "conversation_id": f"c{number}",
        "user_id": f"u{number}",
        "segment": {"intent": "billing"},
        "origin": "live",
        "arm": "treatment",
        "eligible": True,
        "tier": "cheap",
        "model": "small-1",
        "confidence": 0.9,
        "input_tokens": 100,
        "output_tokens": 50,
        "cost_usd": 0.01,
        "baseline_cost_usd": 0.04,
        "latency_ms": 200.0,
        "status": "ok",
    }
    return row | values


def signal(number: int, hours: float = 1.0, **values: object) -> dict[str, object]:
    """A review of the decision of the same number, taken with probability 0.5."""
    row: dict[str, object] = {
        "signal_id": f"s{number}",
        "event_time": at(hours),
        "decision_id": f"d{number}",
        "kind": "review",
        "name": "accuracy",
        "value": 1.0,
        "inclusion_probability": 0.5,
        "source": "human:ana",
    }
    return row | values


def write_jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    """One object a line; NaN and infinities as Python writes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: list[dict[str, object]], columns: tuple[Column, ...] | None = None) -> Path:
    """A canonical Parquet file with the columns that occur in `rows`, typed as the contract says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if columns is None:
        columns = SIGNAL_COLUMNS if any("signal_id" in row for row in rows) else DECISION_COLUMNS
    present = [column for column in columns if any(column.name in row for row in rows)]
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    engine.execute(f"CREATE TABLE t ({', '.join(f'{c.name} {c.sql_type}' for c in present)})")
    slots = ", ".join("CAST(? AS TIMESTAMPTZ)" if c.sql_type == "TIMESTAMP" else "?" for c in present)
    for row in rows:
        engine.execute(f"INSERT INTO t VALUES ({slots})", [row.get(c.name) for c in present])
    engine.execute(f"COPY t TO {literal(str(path))} (FORMAT parquet)")
    engine.close()
    return path


def read(
    *decisions: Path | str, options: CellOptions | None = None, rejects_dir: Path | None = None, **inputs: object
) -> AuditCells:
    """The cells of these files."""
    named = LogInputs(decisions=tuple(str(path) for path in decisions), **inputs)  # type: ignore[arg-type]
    return DuckDbAuditSource(named, threads=1, rejects_dir=rejects_dir).cells(options or CellOptions())


def as_dict(table: Table, keys: tuple[str, ...], values: tuple[str, ...]) -> dict[tuple[int, ...], tuple[float, ...]]:
    """Cells by key, for comparison; fails on a repeated key."""
    rows = zip(*(getattr(table, name).tolist() for name in (*keys, *values)), strict=True)
    result: dict[tuple[int, ...], tuple[float, ...]] = {}
    for row in rows:
        key = row[: len(keys)]
        assert key not in result, f"cell {key} appears twice"
        result[key] = row[len(keys) :]
    return result
