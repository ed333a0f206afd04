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

from undertow.adapters.duckdb.segments import SegmentPlan, keep_keys
from undertow.adapters.duckdb.sql import literals
from undertow.records.cells import IntArray, Table
from undertow.records.segment import WHOLE, Segment

CellTable = TypeVar("CellTable", bound=Table)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names behind the codes. The engine knows them as the types `tier_name` and `segment_value_PLACE`.

    Attributes:
        tiers: Tiers, cheapest first.
        segments: The whole tier and all segments counted, by code.
        plan: The segment plan without the keys that turned out to have no value or too many.
        first_code: Code of the first value of the key at a place.
        crowded: Keys left out because they have too many values.
    """

    tiers: tuple[str, ...]
    segments: tuple[Segment, ...]
    plan: SegmentPlan
    first_code: dict[int, int]
    crowded: tuple[str, ...] = ()


def segment_values(
    engine: duckdb.DuckDBPyConnection, plan: SegmentPlan, most_values: int
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """The values of each planned key in tables joint_0 ..., sorted, and the keys that have more than `most_values`."""
    crowded: list[str] = []
    values: dict[str, tuple[str, ...]] = {}
    for group, places in enumerate(plan.groups):
        for place in places:
            column = f"segment_{place}"
            found = engine.execute(
                f"SELECT DISTINCT {column} FROM joint_{group} WHERE {column} <> '' ORDER BY 1 LIMIT {most_values + 1}"
            ).fetchall()
            if len(found) > most_values:
                crowded.append(plan.keys[place])
                found = []
            values[plan.keys[place]] = tuple(str(row[0]) for row in found)
    return values, tuple(sorted({*crowded, *plan.crowded}))


def number_segments(plan: SegmentPlan, values: dict[str, tuple[str, ...]], crowded: tuple[str, ...]) -> Vocabulary:
    """Codes of the segments: key by key, value by value, both sorted; tiers are still to come."""
    segments = [WHOLE]
    first_code: dict[int, int] = {}
    for place in plan.places:
        key = plan.keys[place]
        first_code[place] = len(segments)
        segments.extend(Segment(key, value) for value in values[key])
    kept = keep_keys(plan, {key for key, found in values.items() if found})
    return Vocabulary((), tuple(segments), kept, first_code, crowded)


def make_types(engine: duckdb.DuckDBPyConnection, vocabulary: Vocabulary) -> None:
    """Create the enumeration types; codes are positions in them."""
    names = {"tier_name": vocabulary.tiers}
    for place in vocabulary.plan.places:
        key = vocabulary.plan.keys[place]
        names[f"segment_value_{place}"] = tuple(s.value for s in vocabulary.segments if s.key == key)
    for name, values in names.items():
        engine.execute(f"DROP TYPE IF EXISTS {name}")
        engine.execute(f"CREATE TYPE {name} AS ENUM ({literals(values)})")


TIER_CODE = "coalesce(CAST(enum_code(TRY_CAST({tier} AS tier_name)) AS INTEGER), -1)"


def tier_code(column: str) -> str:
    """Expression for the code of a tier; -1 for null."""
    return TIER_CODE.format(tier=column)


def segment_code(vocabulary: Vocabulary, place: int, column: str) -> str:
    """Expression for the code of the segment that the key at a place has in a column; null where it is none that is counted.

    Codes of few values are bytes to the engine, whose sums overflow, so they are widened first.
    """
    return f"{vocabulary.first_code[place]} + CAST(enum_code(TRY_CAST({column} AS segment_value_{place})) AS INTEGER)"


def roll_up(
    engine: duckdb.DuckDBPyConnection,
    kind: type[CellTable],
    tables: Iterable[tuple[str, tuple[int, ...]]],
    vocabulary: Vocabulary,
    keys: tuple[str, ...],
    largest: tuple[str, ...] = (),
) -> CellTable:
    """Cells of `kind` from joint tables.

    Args:
        engine: Holds the tables and the types.
        kind: The table of cells; its `tier` and `segment` fields are coded here, all others are columns of the joint tables.
        tables: Pairs (joint table, places of the segment keys to roll up from it). The first also gives the whole tier.
        vocabulary: Whose types the engine holds.
        keys: Fields that identify a cell, `tier` and `segment` among them.
        largest: Fields that are maxima; all that are neither keys nor these are sums.
    """
    sums = [field.name for field in fields(kind) if field.name not in keys and field.name not in largest]
    floats = {field.name for field in fields(kind) if field.type != IntArray}
    totals = ", ".join(
        [f"fsum({name}) AS {name}" if name in floats else f"CAST(sum({name}) AS BIGINT) AS {name}" for name in sums]
        + [f"max({name}) AS {name}" for name in largest]
    )
    plain = "".join(f"{name}, " for name in keys if name not in {"tier", "segment"})
    parts: list[str] = []
    for position, (table, places) in enumerate(tables):
        if position == 0:
            parts.append(
                f"SELECT {plain}{tier_code('j.tier')} AS tier, 0 AS segment, {totals} FROM {table} j GROUP BY ALL"
            )
        for place in places:
            code = segment_code(vocabulary, place, f"j.segment_{place}")
            parts.append(
                f"SELECT {plain}{tier_code('j.tier')} AS tier, {code} AS segment, {totals} "
                f"FROM {table} j WHERE {code} IS NOT NULL GROUP BY ALL"
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
