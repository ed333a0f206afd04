"""Cells of the decisions alone: traffic, confidence, what changed when, exposure, upstream calls, latency and what was skipped."""

from collections.abc import Mapping

import duckdb

from undertow.adapters.duckdb.grouping import Vocabulary, empty, fetch, roll_up, tier_code
from undertow.adapters.duckdb.segments import SegmentPlan
from undertow.adapters.duckdb.sql import literal
from undertow.adapters.duckdb.views import ARM_CODE, ELIGIBLE_CODE
from undertow.records.cells import (
    CALL_FATES,
    CALL_PURPOSES,
    CHANGE_KINDS,
    LATENCY_BINS,
    LATENCY_BINS_PER_DECADE,
    LATENCY_FIRST_MS,
    LATENCY_WAYS,
    CallCells,
    ConfidenceCells,
    ExposureCells,
    LatencyCells,
    ModelCells,
    SkippedCells,
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

_TIMED_OUT = "call.status IN ('timeout', 'timed_out', 'http_408', 'http_504')"
_IS_SKIPPED = "coalesce(reason = 'hopeless' AND escalated IS NOT TRUE, false)"
"""The cheap answer was predicted hopeless, and the request went straight up."""


def _segment_columns(places: tuple[int, ...]) -> str:
    return "".join(f", segment_{place}" for place in places)


def count_jointly(
    engine: duckdb.DuckDBPyConnection, plan: SegmentPlan, more: str = "", versions: tuple[str, ...] = ()
) -> int:
    """Create tables joint_0, joint_1, ... from view `facts`, by bucket, tier, arm, eligibility and segments.

    Args:
        engine: Holds the view.
        plan: The segments to count by.
        more: Further sums, as SQL that begins with a comma.
        versions: Change columns by which table joint_0 is divided too, so that `model_cells` need read no row.

    Returns:
        Number of segment keys outside the plan that some live decision bears (0 where the plan is complete).
    """
    stray = 0
    for group, places in enumerate(plan.groups):
        first = group == 0
        check = first and not plan.complete
        once = (
            f", count(*) FILTER (WHERE {_IS_SKIPPED}) AS skipped, min(decided_at) AS first_at, max(decided_at) AS last_at"
            if first
            else ""
        )
        keys = _segment_columns(places) + "".join(f", {name}" for name in versions if first)
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE joint_{group} AS SELECT bucket, tier, arm, eligible{keys}, "
            f"{_SUMS}{more}{once}{', max(stray) AS stray' if check else ''} FROM facts GROUP BY ALL"
        )
        if check:
            row = engine.execute("SELECT coalesce(max(stray), 0) FROM joint_0").fetchone()
            stray = int(row[0]) if row else 0
    return stray


def traffic_cells(engine: duckdb.DuckDBPyConnection, vocabulary: Vocabulary) -> TrafficCells:
    """Roll the joint tables up."""
    tables = []
    for group, places in enumerate(vocabulary.plan.groups):
        engine.execute(
            f"CREATE OR REPLACE TEMP VIEW joint_codes_{group} AS SELECT * REPLACE ({ARM_CODE} AS arm, "
            f"{ELIGIBLE_CODE} AS eligible) FROM joint_{group}"
        )
        tables.append((f"joint_codes_{group}", places))
    return roll_up(engine, TrafficCells, tables, vocabulary, ("bucket", "tier", "segment", "arm", "eligible"))


def confidence_cells(engine: duckdb.DuckDBPyConnection, vocabulary: Vocabulary) -> ConfidenceCells:
    """Histograms of `coded.confidence`; totals are in the column's own unit."""
    tables = []
    for group, places in enumerate(vocabulary.plan.groups):
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE binned_{group} AS SELECT bucket, tier{_segment_columns(places)}, bin, "
            "count(*) AS n, sum(confidence) AS total, sum(confidence * confidence) AS total_sq "
            "FROM coded WHERE is_live AND confidence IS NOT NULL GROUP BY ALL"
        )
        tables.append((f"binned_{group}", places))
    cells = roll_up(engine, ConfidenceCells, tables, vocabulary, ("bucket", "tier", "segment", "bin"))
    for table, _ in tables:
        engine.execute(f"DROP TABLE {table}")
    return cells


def model_cells(
    engine: duckdb.DuckDBPyConnection,
    columns: tuple[str, ...],
    constants: Mapping[str, str],
    counted: tuple[str, ...] = (),
) -> tuple[ModelCells, tuple[str, ...]]:
    """Cells of the change columns named, with the values that their codes point into.

    Columns in `constants` are known to hold one value everywhere; grouping by them would only cost time. Table joint_0 has the columns
    in `counted` (see `count_jointly`): where these are all that is left, no row is read.
    """
    if not columns:
        return empty(ModelCells), ()
    varying = [name for name in columns if name not in constants]
    names = "".join(f", {name}" for name in varying)
    total, source = ("sum(decisions)", "joint_0") if set(varying) <= set(counted) else ("count(*)", "facts")
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE versions AS SELECT bucket, tier{names}, {total} AS decisions FROM {source} GROUP BY ALL"
    )
    values_of = {name: literal(constants[name]) if name in constants else name for name in columns}
    long = " UNION ALL ".join(
        f"SELECT bucket, tier, {CHANGE_KINDS.index(name)} AS kind, {value} AS value, decisions FROM versions "
        f"WHERE {value} IS NOT NULL"
        for name, value in values_of.items()
    )
    values = tuple(str(row[0]) for row in engine.execute(f"SELECT DISTINCT value FROM ({long}) ORDER BY 1").fetchall())
    cells = fetch(
        engine,
        ModelCells,
        f"""
        WITH long AS ({long}),
             numbered AS (SELECT value, row_number() OVER (ORDER BY value) - 1 AS code FROM (SELECT DISTINCT value FROM long))
        SELECT l.bucket, {tier_code("l.tier")} AS tier, l.kind, n.code AS value, CAST(sum(l.decisions) AS BIGINT) AS decisions
        FROM long l JOIN numbered n ON n.value = l.value GROUP BY ALL ORDER BY 1, 2, 3, 4
        """,
    )
    engine.execute("DROP TABLE versions")
    return cells, values


def exposure_cells(engine: duckdb.DuckDBPyConnection) -> ExposureCells:
    """Decisions by user cluster."""
    return fetch(
        engine,
        ExposureCells,
        f"""
        SELECT bucket, arm, {tier_code("tier")} AS tier, eligible, cluster, decisions
        FROM (
            SELECT bucket, arm, tier, eligible, cluster, count(*) AS decisions
            FROM coded WHERE is_live GROUP BY ALL
        ) ORDER BY 1, 2, 3, 4, 5
        """,
    )


def call_cells(engine: duckdb.DuckDBPyConnection) -> CallCells:
    """Upstream calls of live decisions; a purpose outside the list counts as `other`, any unknown status as a failure."""
    known = ", ".join(f"'{name}'" for name in CALL_PURPOSES)
    fates = " ".join(
        f"WHEN '{name}' THEN {CALL_FATES.index(name)}" for name in CALL_FATES if name not in {"used", "failed"}
    )
    cost = "CASE WHEN call.cost_usd >= 0 AND isfinite(call.cost_usd) THEN call.cost_usd END"
    return fetch(
        engine,
        CallCells,
        f"""
        SELECT bucket, {tier_code("call.tier")} AS tier,
               coalesce(list_position([{known}], call.purpose), {len(CALL_PURPOSES)}) - 1 AS purpose,
               CASE coalesce(call.status, 'ok') WHEN 'ok' THEN 0 WHEN 'fallback' THEN 0 {fates}
                    ELSE {CALL_FATES.index("failed")} END AS fate,
               count(*) AS calls, count(*) FILTER (WHERE {_TIMED_OUT}) AS timeouts, count({cost}) AS cost_n, coalesce(fsum({cost}), 0.0) AS cost_usd,
               CAST(coalesce(sum(greatest(call.output_tokens, 0)), 0) AS DOUBLE) AS output_tokens
        FROM (SELECT bucket, unnest(calls) AS call FROM facts WHERE calls IS NOT NULL)
        WHERE call IS NOT NULL GROUP BY ALL ORDER BY 1, 2, 3, 4
        """,
    )


def latency_cells(engine: duckdb.DuckDBPyConnection) -> LatencyCells:
    """Histogram of the latency of answered decisions by served tier and by the way they came to it.

    Needs table `joint_0`. Empty where it says that nothing was escalated or skipped: a scan to compare with nothing is dear.
    """
    row = engine.execute("SELECT coalesce(sum(escalated + skipped), 0) FROM joint_0").fetchone()
    if row is None or not row[0]:
        return empty(LatencyCells)
    share = f"log10(latency_ms / {LATENCY_FIRST_MS!r}) * {LATENCY_BINS_PER_DECADE}"
    direct, escalated, skipped = (LATENCY_WAYS.index(way) for way in ("direct", "escalated", "skipped"))
    return fetch(
        engine,
        LatencyCells,
        f"""
        SELECT {tier_code("tier")} AS tier, way, bin, CAST(sum(n) AS BIGINT) AS n
        FROM (
            SELECT tier, CASE WHEN {_IS_SKIPPED} THEN {skipped} WHEN escalated THEN {escalated} ELSE {direct} END AS way,
                   CAST(CASE WHEN latency_ms <= {LATENCY_FIRST_MS!r} THEN 0
                        ELSE least(floor({share}), {LATENCY_BINS - 1}) END AS SMALLINT) AS bin, count(*) AS n
            FROM facts
            WHERE latency_ms IS NOT NULL AND (escalated IS NOT NULL OR {_IS_SKIPPED}) AND tier IS NOT NULL
                  AND (status IS NULL OR status IN ('ok', 'fallback'))
            GROUP BY ALL
        ) GROUP BY ALL ORDER BY 1, 2, 3
        """,
    )


def skipped_cells(engine: duckdb.DuckDBPyConnection) -> SkippedCells:
    """Decisions that went straight up, since their cheap answer was predicted hopeless. Needs table `joint_0`; no rows are read."""
    return fetch(
        engine,
        SkippedCells,
        f"""
        SELECT bucket, {tier_code("tier")} AS tier, CAST(sum(skipped) AS BIGINT) AS decisions
        FROM joint_0 WHERE skipped > 0 GROUP BY ALL ORDER BY 1, 2
        """,
    )


def call_tiers(engine: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Tiers that calls name."""
    found = engine.execute(
        "SELECT DISTINCT call.tier FROM (SELECT unnest(calls) AS call FROM facts WHERE calls IS NOT NULL) "
        "WHERE call.tier <> '' ORDER BY 1"
    ).fetchall()
    return tuple(str(row[0]) for row in found)
