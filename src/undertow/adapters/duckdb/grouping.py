"""From rows to cells in two steps: count once by everything jointly, then roll the small result up to single segments.

A decision counts in the whole tier and once for each `key=value` it bears. Counting that from rows would read them once a
key; the joint counts are small, so the rows are read once. Sums of the joint step are plain (a cell of n rows is off by at
most about n * 1e-16 relative, in whatever order threads add), those of the roll-up are compensated (`fsum`): cells of two
runs agree to 1e-12 relative. Cells come sorted by their keys.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TypeVar

import duckdb
import numpy as np

from undertow.adapters.duckdb.segments import SegmentPlan
from undertow.records.cells import IntArray, Table
from undertow.records.segment import WHOLE, Segment

CellTable = TypeVar("CellTable", bound=Table)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names behind the codes; tables `tier_codes` (name, code) and `segment_codes` (place, value, code) hold them too."""

    tiers: tuple[str, ...]
    segments: tuple[Segment, ...]
    crowded: tuple[str, ...] = ()


def code_segments(
    engine: duckdb.DuckDBPyConnection, plan: SegmentPlan, most_values: int
) -> tuple[tuple[Segment, ...], tuple[str, ...]]:
    """Number the segments of tables joint_0 ... and fill `segment_codes`. Also the keys with too many values, left out."""
    engine.execute("CREATE OR REPLACE TEMP TABLE segment_codes (place INTEGER, value VARCHAR, code INTEGER)")
    segments = [WHOLE]
    crowded: list[str] = []
    rows: list[tuple[int, str, int]] = []
    for group, places in enumerate(plan.groups):
        for place in places:
            column = f"segment_{place}"
            found = engine.execute(
                f"SELECT DISTINCT {column} FROM joint_{group} WHERE {column} IS NOT NULL ORDER BY 1 LIMIT {most_values + 1}"
            ).fetchall()
            if len(found) > most_values:
                crowded.append(plan.keys[place])
                continue
            for (value,) in found:
                rows.append((place, value, len(segments)))
                segments.append(Segment(plan.keys[place], value))
    if rows:
        engine.executemany("INSERT INTO segment_codes VALUES (?, ?, ?)", rows)
    return tuple(segments), tuple(sorted({*crowded, *plan.crowded}))


def code_tiers(engine: duckdb.DuckDBPyConnection, tiers: tuple[str, ...]) -> None:
    """Fill `tier_codes`."""
    engine.execute("CREATE OR REPLACE TEMP TABLE tier_codes (name VARCHAR, code INTEGER)")
    if tiers:
        engine.executemany("INSERT INTO tier_codes VALUES (?, ?)", [(name, code) for code, name in enumerate(tiers)])


def roll_up(
    engine: duckdb.DuckDBPyConnection,
    kind: type[CellTable],
    tables: Iterable[tuple[str, tuple[int, ...]]],
    keys: tuple[str, ...],
    largest: tuple[str, ...] = (),
) -> CellTable:
    """Cells of `kind` from joint tables.

    Args:
        engine: Holds the tables and the code tables.
        kind: The table of cells; its `tier` and `segment` fields are coded here, all others are columns of the joint tables.
        tables: Pairs (joint table, places of the segment keys to roll up from it). The first also gives the whole tier.
        keys: Fields that identify a cell, `tier` and `segment` among them.
        largest: Fields that are maxima; all that are neither keys nor these are sums.
    """
    sums = [field.name for field in fields(kind) if field.name not in keys and field.name not in largest]
    floats = {field.name for field in fields(kind) if field.type != IntArray}
    totals = ", ".join(
        [f"fsum(j.{name}) AS {name}" if name in floats else f"CAST(sum(j.{name}) AS BIGINT) AS {name}" for name in sums]
        + [f"max(j.{name}) AS {name}" for name in largest]
    )
    plain = [name for name in keys if name not in {"tier", "segment"}]
    key_columns = "".join(f"j.{name}, " for name in plain)
    parts: list[str] = []
    for position, (table, places) in enumerate(tables):
        if position == 0:
            parts.append(
                f"SELECT {key_columns}coalesce(t.code, -1) AS tier, 0 AS segment, {totals} "
                f"FROM {table} j LEFT JOIN tier_codes t ON t.name = j.tier GROUP BY ALL"
            )
        parts.extend(
            f"SELECT {key_columns}coalesce(t.code, -1) AS tier, s.code AS segment, {totals} "
            f"FROM {table} j JOIN segment_codes s ON s.place = {place} AND s.value = j.segment_{place} "
            "LEFT JOIN tier_codes t ON t.name = j.tier GROUP BY ALL"
            for place in places
        )
    return fetch(engine, kind, f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY {', '.join(keys)}")


def fetch(engine: duckdb.DuckDBPyConnection, kind: type[CellTable], query: str) -> CellTable:
    """The result of `query`, whose columns bear the names of `kind`'s fields, as arrays of the fields' types."""
    found = engine.execute(query).fetchnumpy()
    return kind(
        **{
            field.name: np.asarray(found[field.name]).astype(np.int64 if field.type == IntArray else np.float64)
            for field in fields(kind)
        }
    )


def empty(kind: type[CellTable]) -> CellTable:
    """No cells of this kind."""
    return kind(
        **{field.name: np.empty(0, dtype=np.int64 if field.type == IntArray else np.float64) for field in fields(kind)}
    )
