"""Cells of the decisions alone: traffic, confidence, what changed when, exposure and upstream calls."""

import duckdb

from undertow.adapters.duckdb.grouping import empty, fetch, roll_up
from undertow.adapters.duckdb.segments import SegmentPlan
from undertow.records.cells import (
    CALL_PURPOSES,
    CHANGE_KINDS,
    CallCells,
    ConfidenceCells,
    ExposureCells,
    ModelCells,
    TrafficCells,
)

_SUMS = """
    count(*) AS decisions,
    count(*) FILTER (WHERE escalated) AS escalated,
    count(*) FILTER (WHERE tier IS NULL OR status IN ('error', 'refused')) AS errors,
    count(cost_usd) AS cost_n,
    coalesce(sum(cost_usd), 0.0) AS cost_usd,
    count(cost_usd - baseline_cost_usd) AS paired_cost_n,
    coalesce(sum(CASE WHEN baseline_cost_usd IS NOT NULL THEN cost_usd END), 0.0) AS paired_cost_usd,
    coalesce(sum(CASE WHEN cost_usd IS NOT NULL THEN baseline_cost_usd END), 0.0) AS baseline_cost_usd,
    coalesce(sum((baseline_cost_usd - cost_usd) * (baseline_cost_usd - cost_usd)), 0.0) AS saved_sq,
    CAST(coalesce(sum(input_tokens), 0) AS DOUBLE) AS input_tokens,
    CAST(coalesce(sum(output_tokens), 0) AS DOUBLE) AS output_tokens,
    coalesce(sum(latency_ms), 0.0) AS latency_ms,
    count(latency_ms) AS latency_n
"""


def _segment_columns(places: tuple[int, ...]) -> str:
    return "".join(f", segment_{place}" for place in places)


def count_jointly(engine: duckdb.DuckDBPyConnection, plan: SegmentPlan) -> int:
    """Create tables joint_0, joint_1, ... by bucket, tier, arm, eligibility and segments.

    Returns:
        Number of live decisions that bear a segment key outside the plan (0 where the plan is complete).
    """
    stray = 0
    for group, places in enumerate(plan.groups):
        check = group == 0 and not plan.complete
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE joint_{group} AS SELECT bucket, tier, arm, eligible{_segment_columns(places)}, "
            f"{_SUMS}{', max(stray) AS stray' if check else ''} FROM facts WHERE is_live GROUP BY ALL"
        )
        if check:
            row = engine.execute("SELECT coalesce(max(stray), 0) FROM joint_0").fetchone()
            stray = int(row[0]) if row else 0
    return stray


def traffic_cells(engine: duckdb.DuckDBPyConnection, plan: SegmentPlan) -> TrafficCells:
    """Roll the joint tables up."""
    return roll_up(
        engine,
        TrafficCells,
        [(f"joint_{group}", places) for group, places in enumerate(plan.groups)],
        ("bucket", "tier", "segment", "arm", "eligible"),
    )


def confidence_cells(engine: duckdb.DuckDBPyConnection, plan: SegmentPlan) -> ConfidenceCells:
    """Histograms of `facts.confidence`; totals are in the column's own unit."""
    tables = []
    for group, places in enumerate(plan.groups):
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE binned_{group} AS SELECT bucket, tier{_segment_columns(places)}, bin, "
            "count(*) AS n, sum(confidence) AS total, sum(confidence * confidence) AS total_sq "
            "FROM facts WHERE is_live AND confidence IS NOT NULL GROUP BY ALL"
        )
        tables.append((f"binned_{group}", places))
    cells = roll_up(engine, ConfidenceCells, tables, ("bucket", "tier", "segment", "bin"))
    for table, _ in tables:
        engine.execute(f"DROP TABLE {table}")
    return cells


def model_cells(engine: duckdb.DuckDBPyConnection, columns: tuple[str, ...]) -> tuple[ModelCells, tuple[str, ...]]:
    """Cells of the change columns named, with the values that their codes point into."""
    if not columns:
        return empty(ModelCells), ()
    names = ", ".join(columns)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE versions AS SELECT bucket, tier, {names}, count(*) AS decisions "
        "FROM facts WHERE is_live GROUP BY ALL"
    )
    long = " UNION ALL ".join(
        f"SELECT bucket, tier, {CHANGE_KINDS.index(name)} AS kind, {name} AS value, decisions FROM versions "
        f"WHERE {name} IS NOT NULL"
        for name in columns
    )
    values = tuple(str(row[0]) for row in engine.execute(f"SELECT DISTINCT value FROM ({long}) ORDER BY 1").fetchall())
    cells = fetch(
        engine,
        ModelCells,
        f"""
        WITH long AS ({long}),
             coded AS (SELECT value, row_number() OVER (ORDER BY value) - 1 AS code FROM (SELECT DISTINCT value FROM long))
        SELECT bucket, coalesce(t.code, -1) AS tier, kind, c.code AS value, CAST(sum(decisions) AS BIGINT) AS decisions
        FROM long l JOIN coded c ON c.value = l.value LEFT JOIN tier_codes t ON t.name = l.tier
        GROUP BY ALL ORDER BY 1, 2, 3, 4
        """,
    )
    engine.execute("DROP TABLE versions")
    return cells, values


def exposure_cells(engine: duckdb.DuckDBPyConnection) -> ExposureCells:
    """Decisions and paired costs by user cluster."""
    return fetch(
        engine,
        ExposureCells,
        """
        SELECT e.* REPLACE (coalesce(t.code, -1) AS tier) FROM (
            SELECT bucket, arm, tier, eligible, cluster, count(*) AS decisions,
                   coalesce(sum(CASE WHEN baseline_cost_usd IS NOT NULL THEN cost_usd END), 0.0) AS paired_cost_usd,
                   coalesce(sum(CASE WHEN cost_usd IS NOT NULL THEN baseline_cost_usd END), 0.0) AS baseline_cost_usd
            FROM facts WHERE is_live GROUP BY ALL
        ) e LEFT JOIN tier_codes t ON t.name = e.tier
        ORDER BY bucket, arm, tier, eligible, cluster
        """,
    )


def call_cells(engine: duckdb.DuckDBPyConnection) -> CallCells:
    """Upstream calls of live decisions; a purpose outside the list counts as `other`."""
    known = ", ".join(f"'{name}'" for name in CALL_PURPOSES)
    return fetch(
        engine,
        CallCells,
        f"""
        SELECT bucket, coalesce(t.code, -1) AS tier,
               coalesce(list_position([{known}], c.call.purpose), {len(CALL_PURPOSES)}) - 1 AS purpose,
               count(*) AS calls,
               coalesce(fsum(CASE WHEN c.call.cost_usd >= 0 AND isfinite(c.call.cost_usd) THEN c.call.cost_usd END), 0.0) AS cost_usd
        FROM (SELECT bucket, unnest(calls) AS call FROM facts WHERE is_live AND calls IS NOT NULL) c
        LEFT JOIN tier_codes t ON t.name = c.call.tier
        WHERE c.call IS NOT NULL GROUP BY ALL ORDER BY 1, 2, 3
        """,
    )


def call_tiers(engine: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Tiers that calls name."""
    found = engine.execute(
        "SELECT DISTINCT c.call.tier FROM (SELECT unnest(calls) AS call FROM facts WHERE is_live AND calls IS NOT NULL) c "
        "WHERE c.call.tier <> '' ORDER BY 1"
    ).fetchall()
    return tuple(str(row[0]) for row in found)
