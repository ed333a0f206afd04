"""Counts what was not used as given, and writes the rows that were set aside for whoever wants to mend them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec

from undertow.adapters.duckdb.intake import Tables
from undertow.adapters.duckdb.row_rules import CheckedRows
from undertow.adapters.duckdb.views import until_filter
from undertow.errors import LogError
from undertow.records.columns import DECISION_COLUMNS

MOST_REJECTS = 100_000
"""The file of rejects holds at most this many rows of each table; the counts are always whole."""


@dataclass(slots=True)
class Tally:
    """Counts that the steps of one run add to."""

    rejected: int = 0
    duplicates: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, reason: str, count: int) -> None:
        """Count rows under a reason; nothing is entered for none."""
        if count:
            self.reasons[reason] += count

    def merged(self, *others: Mapping[str, int]) -> dict[str, int]:
        """All reasons, with those of other steps, in alphabetical order."""
        total = Counter(self.reasons)
        for other in others:
            total.update(other)
        return {reason: total[reason] for reason in sorted(total) if total[reason]}


def count_reasons(
    engine: duckdb.DuckDBPyConnection,
    checked: list[CheckedRows],
    view: str,
    time_column: str,
    until: datetime | None,
    tally: Tally,
) -> int:
    """Add the reasons of `view`'s rows to `tally`; returns how many rows are set aside. Free if nothing can be wrong."""
    if all(rows.suspect == "false" for rows in checked):
        return 0
    # A row without a usable time belongs to no moment, so it counts whatever `until` is.
    seen = "true" if until is None else f"({time_column} IS NULL OR {until_filter(time_column, until)})"
    # Which tests failed comes from a second, narrow scan only when the first says that some did.
    row = engine.execute(
        f"SELECT count(*), count(*) FILTER (WHERE rejected) FROM {view} WHERE suspect AND {seen}"
    ).fetchone()
    assert row is not None
    if row[0]:
        found = engine.execute(
            f"SELECT reason, count(*) FROM (SELECT unnest(reasons) AS reason FROM {view} WHERE suspect AND {seen}) GROUP BY 1"
        ).fetchall()
        for reason, count in found:
            tally.add(str(reason), int(count))
    return int(row[1])


def missing_columns(tables: Tables) -> tuple[str, ...]:
    """Canonical columns of the decision log that no file has, or that hold nothing but nulls; texts aside."""
    return tuple(
        column.name
        for column in DECISION_COLUMNS
        if column.name not in {"prompt", "response"} and not tables.holds(column.name)
    )


def write_rejects(engine: duckdb.DuckDBPyConnection, tables: Tables, folder: Path) -> str | None:
    """Write rows that were set aside or altered as JSON lines: table, file, row, id, reasons. Never text of a prompt."""
    target = folder / "rejects.jsonl"
    encoder = msgspec.json.Encoder()
    written = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:

            def put(table: str, source: str, row: int, name: str | None, reasons: list[str], *, aside: bool) -> None:
                nonlocal written
                file.write(
                    encoder.encode(
                        {"table": table, "file": source, "row": row, "id": name, "reasons": reasons, "set_aside": aside}
                    )
                    + b"\n"
                )
                written += 1

            for source, line, reason in tables.kept_back:
                put("lines", source, line, None, [reason], aside=True)
            for table, view, key, checked in (
                ("decisions", "decisions_checked", "decision_id", tables.decisions),
                ("signals", "signals_checked", "signal_id", tables.signals),
            ):
                if all(rows.suspect == "false" for rows in checked):
                    continue
                found = engine.execute(
                    f"SELECT source_file, source_row, left({key}, 200), reasons, rejected FROM {view} WHERE suspect "
                    f"ORDER BY ALL LIMIT {MOST_REJECTS}"
                )
                while rows := found.fetchmany(10_000):
                    for source, row, name, reasons, aside in rows:
                        put(table, source, row, name, reasons, aside=aside)
    except OSError as error:
        raise LogError(f"{target}: cannot be written: {error.strerror}") from None
    return str(target) if written else None
