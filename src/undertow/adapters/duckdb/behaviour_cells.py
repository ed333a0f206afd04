"""Cells of how decisions went: escalation, answer length, refusals, hedging, novelty and score, where the log has them.

The sums are taken in the scan that counts traffic anyway (`count_jointly`), so they cost only the reading of their columns; the
histograms need one byte a decision in table `coded`. A log without these columns pays nothing.
"""

from collections.abc import Sequence
from typing import Literal

import duckdb

from undertow.adapters.duckdb.grouping import Vocabulary, roll_up
from undertow.records.cells import NOVELTY_BINS, BehaviourCells, BinCells

_ABSENT = "CAST(0 AS BIGINT)"

_SUMS: dict[str, tuple[str, str, str]] = {
    "escalation": ("escalated", "escalated", ""),
    "output": ("output_tokens", "output_tokens", ""),
    "refusal": ("features", "features['refusal_words']", "refusals"),
    "hedging": ("features", "features['hedging']", "hedging"),
    "novelty": ("novelty", "novelty", "novelty"),
    "score": ("score", "score", "score"),
}
"""By quantity: the column that it needs, its value, and the name of its sum; none: the sum is among those of traffic already."""


def behaviour_sums(held: Sequence[str]) -> str:
    """SQL of the sums that `count_jointly` takes beside its own.

    Args:
        held: Columns of the log that hold something.

    Examples:
        >>> "count(output_tokens) AS output_n" in behaviour_sums(["output_tokens"])
        True
    """
    parts = []
    for name, (column, value, total) in _SUMS.items():
        known = column in held
        parts.append(f"{f'count({value})' if known else _ABSENT} AS {name}_n")
        if total:
            clean = f"CASE WHEN isfinite({value}) THEN {value} END"
            parts.append(f"{f'coalesce(sum({clean}), 0.0)' if known else '0.0'} AS {total}")
    return "".join(f", {part}" for part in parts)


def behaviour_cells(engine: duckdb.DuckDBPyConnection, vocabulary: Vocabulary) -> BehaviourCells:
    """Roll the joint tables up."""
    tables = [(f"joint_{group}", places) for group, places in enumerate(vocabulary.plan.groups)]
    return roll_up(engine, BehaviourCells, tables, vocabulary, ("bucket", "tier", "segment"))


def novelty_bin() -> str:
    """Expression of the bin of a novelty, null where it is null."""
    # `least` leaves nulls out, so that a novelty that is not known would be in the last bin.
    place = f"least(floor(novelty / (1.0 + novelty) * {NOVELTY_BINS}), {NOVELTY_BINS - 1})"
    return f"CASE WHEN novelty IS NOT NULL THEN {place} END"


def score_bin(edges: Sequence[float]) -> str:
    """Expression of the share of the artefact that a score falls into, 0 to 9; null where it is null.

    Examples:
        >>> score_bin([-3.0, -1.0, 0.0])
        'CASE WHEN score IS NOT NULL THEN CAST(score >= -1.0 AS TINYINT) END'
    """
    above = " + ".join(f"CAST(score >= {float(edge)!r} AS TINYINT)" for edge in edges[1:-1])
    return f"CASE WHEN score IS NOT NULL THEN {above} END"


def bin_cells(
    engine: duckdb.DuckDBPyConnection, vocabulary: Vocabulary, column: Literal["novelty_bin", "score_bin"]
) -> BinCells:
    """Histogram of a column of bins of table `coded`."""
    tables = []
    for group, places in enumerate(vocabulary.plan.groups):
        segments = "".join(f", segment_{place}" for place in places)
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {column}_{group} AS SELECT bucket, tier{segments}, {column} AS bin, count(*) AS n "
            f"FROM coded WHERE is_live AND {column} IS NOT NULL GROUP BY ALL"
        )
        tables.append((f"{column}_{group}", places))
    cells = roll_up(engine, BinCells, tables, vocabulary, ("bucket", "tier", "segment", "bin"))
    for table, _ in tables:
        engine.execute(f"DROP TABLE {table}")
    return cells
