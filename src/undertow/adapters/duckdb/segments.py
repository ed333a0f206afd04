"""Which segment keys are counted, and how they are grouped so that no statement forms too many groups.

The keys of a map are not known beforehand, and reading all of them row by row costs more than the whole audit. So the keys
are taken from a Parquet file's statistics where these prove them, else from a sample of rows, and the first full count
checks that no row bears another key; only if one does are all rows searched. The result never depends on the sample.
"""

from dataclasses import dataclass, replace

import duckdb

from undertow.adapters.duckdb.sql import literal

SAMPLE_ROWS = 20_000
MOST_KEYS = 100
"""Of more keys those that most decisions bear are counted: each is a column, and each of its values a place to look for a loss."""
MOST_JOINT_GROUPS = 4_096
"""Keys are counted jointly while the product of their numbers of values stays below this, else in separate statements."""


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """Keys to count.

    Attributes:
        keys: Keys in sorted order; the place of a key names its column segment_PLACE.
        groups: Places of keys that are counted in one statement.
        crowded: Keys that are known to have too many values.
        beyond: How many further keys there are, beyond `MOST_KEYS`.
        complete: No row can bear a key that is neither in `keys` nor in `crowded`.
    """

    keys: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    crowded: tuple[str, ...] = ()
    beyond: int = 0
    complete: bool = False

    @property
    def places(self) -> tuple[int, ...]:
        """Places of the keys that are counted."""
        return tuple(sorted(place for group in self.groups for place in group))


def plan_segments(
    engine: duckdb.DuckDBPyConnection,
    wanted: tuple[str, ...] | None,
    proven: tuple[str, ...] | None,
    most_values: int,
    *,
    search_all: bool = False,
) -> SegmentPlan:
    """Plan from table `sampled` (or all of `decisions` with `search_all`).

    Args:
        engine: Holds the tables.
        wanted: Keys that the caller chose, or None for all.
        proven: All keys that occur, where statistics prove it.
        most_values: Keys with more values are crowded.
        search_all: Look at every row.
    """
    pairs = f"""(SELECT unnest(map_keys(segment)) AS key, unnest(map_values(segment)) AS value
        FROM {"decisions WHERE coalesce(origin, 'live') = 'live'" if search_all else "sampled"})"""
    beyond, kept = 0, ""
    if search_all and wanted is None:
        # Whole rows are counted, never a value each: there may be as many keys as rows.
        bearing = f"SELECT key FROM {pairs} WHERE key IS NOT NULL AND value <> '' GROUP BY key"
        everything = engine.execute(f"SELECT count(*) FROM ({bearing})").fetchone()
        beyond = max(0, (int(everything[0]) if everything else 0) - MOST_KEYS)
        kept = f"AND key IN ({bearing} ORDER BY count(*) DESC, key LIMIT {MOST_KEYS})" if beyond else ""
    # An approximate count only tells crowded keys from others; the exact one follows.
    distinct = "approx_count_distinct(value)" if search_all else "count(DISTINCT value)"
    found = engine.execute(
        f"SELECT key, {distinct} FROM {pairs} WHERE key IS NOT NULL AND value <> '' {kept} GROUP BY key ORDER BY key"
    ).fetchall()
    values = {str(key): int(count) for key, count in found}
    if wanted is None and not search_all and len({*values, *(proven or ())}) > MOST_KEYS:
        return plan_segments(engine, None, None, most_values, search_all=True)
    # An approximate count may be off by a few per cent; twice the limit is beyond doubt, and the rest is counted exactly.
    limit = 2 * most_values if search_all else most_values
    names = set(wanted if wanted is not None else (*values, *(proven or ())))
    crowded = tuple(sorted(key for key in names if values.get(key, 0) > limit))
    keys = tuple(sorted(names - set(crowded)))
    return SegmentPlan(
        keys,
        _groups([max(values.get(key, 1), 1) for key in keys]),
        crowded,
        beyond,
        complete=search_all or wanted is not None or proven is not None,
    )


def value_expressions(plan: SegmentPlan, proven: tuple[str, ...] | None) -> tuple[str, ...]:
    """One expression a planned key for its value in a decision's segment.

    Where a map is proven to hold at most one key, its only value needs no search, which is three times as quick.
    """
    if proven is not None and len(proven) == 1 and plan.keys == proven:
        return ("map_values(segment)[1]",)
    return tuple(f"segment[{literal(key)}]" for key in plan.keys)


def keep_keys(plan: SegmentPlan, keep: set[str]) -> SegmentPlan:
    """The plan that counts these keys only. Places stay as they are: they name columns."""
    groups = tuple(tuple(place for place in group if plan.keys[place] in keep) for group in plan.groups)
    return replace(plan, groups=groups)


def stray_keys(plan: SegmentPlan) -> str:
    """Expression over a decision: how many keys of its segment are not among those planned."""
    known = [*plan.keys, *plan.crowded]
    present = "".join(f" - CAST(map_contains(segment, {literal(key)}) AS INTEGER)" for key in known)
    return f"coalesce(cardinality(segment){present}, 0)"


def _groups(values: list[int]) -> tuple[tuple[int, ...], ...]:
    groups: list[list[int]] = [[]]
    product = 1
    for place, count in enumerate(values):
        # One more for rows without the key.
        if groups[-1] and product * (count + 1) > MOST_JOINT_GROUPS:
            groups.append([])
            product = 1
        groups[-1].append(place)
        product *= count + 1
    return tuple(tuple(group) for group in groups)
