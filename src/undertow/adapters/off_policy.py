"""A log with propensities under two other policies: counts stay in DuckDB, only labelled rows come out.

A decision counts where it was live, routed, eligible and answered, its propensity is known, and either policy's choice follows from what the
log holds of every request. Labels are those of the answer that was served, drawn from all tiers: single values of one signal, each with its
inclusion probability; people's reviews come before a judge's verdicts.
"""

from pathlib import Path

import duckdb
import numpy as np

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.sql import literal, literals
from undertow.records.columns import DEFAULT_SELECTION
from undertow.records.gate import ChoiceRule, ComparedRows, OffPolicyLog, PlaceCounts

MEMORY_LIMIT = "1GB"
LEAST_PROPENSITY = 0.005
"""A choice that was rarer says too little: one label of it would stand for 200 requests."""

MOST_VALUES = 64
"""A key with more values divides into places too small to say anything of."""

EXACT = 1e-9
KINDS = ("review", "judge")


def read_off_policy(
    decisions: Path,
    signals: Path | None,
    live: ChoiceRule,
    candidate: ChoiceRule,
    tiers: tuple[str, str],
    keys: tuple[str, ...] | None = None,
) -> OffPolicyLog:
    """What a log says of a candidate by its propensities.

    Args:
        decisions: Canonical Parquet file.
        signals: The same of signals, or None: there are none.
        live: What is live.
        candidate: What may take its place.
        tiers: The cheap tier and the capable one; decisions of others are left out.
        keys: Keys of segments that are looked at; None: those with at most 64 values.
    """
    engine = open_engine(MEMORY_LIMIT, None, decisions.parent)
    try:
        engine.execute(f"CREATE TEMP TABLE chosen AS {_chosen_sql(decisions, live, candidate, tiers)}")
        engine.execute("CREATE TEMP VIEW known AS SELECT * FROM chosen WHERE is_known")
        source = _make_labels(engine, signals)
        rows, segments = _rows(engine, source)
        unknown, first, last, saved = engine.execute(
            "SELECT count(*) FILTER (NOT is_known), min(event_time) FILTER (is_known), max(event_time) FILTER (is_known), "
            "sum(after - before) FILTER (is_known) * avg(saved_usd) FILTER (is_known) FROM chosen"
        ).fetchone() or (0, None, None, None)
        return OffPolicyLog(
            rows,
            segments,
            _counts(engine, keys),
            source,
            int(unknown),
            _by_tier(engine, source),
            None if saved is None else float(saved),
            None if first is None else (_rfc3339(first), _rfc3339(last)),
        )
    finally:
        engine.close()


def _rfc3339(moment: object) -> str:
    return str(moment).replace(" ", "T") + "Z"


def _chosen_sql(decisions: Path, live: ChoiceRule, candidate: ChoiceRule, tiers: tuple[str, str]) -> str:
    """Decisions that count, with the probability by which either policy serves them cheaply."""
    cheap, capable = map(literal, tiers)
    return f"""
        SELECT decision_id, event_time, segment, tier, p_cheap, before, after, saved_usd,
               abs(after - before) > {EXACT} AS is_changed,
               p_cheap IS NOT NULL AND before IS NOT NULL AND after IS NOT NULL AS is_known,
               NOT coalesce(p_cheap BETWEEN {LEAST_PROPENSITY} AND {1.0 - LEAST_PROPENSITY}, false) AS lacks_overlap,
               CASE WHEN tier = {capable} THEN before - after ELSE after - before END
               / CASE WHEN tier = {capable} THEN 1.0 - p_cheap ELSE p_cheap END AS ratio
        FROM (SELECT decision_id, event_time, coalesce(segment, MAP {{}}) AS segment, tier,
                     CASE WHEN tier = {capable} THEN 1.0 - propensity ELSE propensity END AS p_cheap,
                     {_choice_sql(live)} AS before, {_choice_sql(candidate)} AS after,
                     CASE WHEN tier = {cheap} THEN baseline_cost_usd - cost_usd END AS saved_usd
              FROM read_parquet({literal(str(decisions))})
              WHERE coalesce(origin, 'live') = 'live' AND coalesce(mode, 'route') = 'route' AND coalesce(eligible, true)
                AND tier IN ({literals(tiers)}))
    """


def _choice_sql(rule: ChoiceRule) -> str:
    """The probability, in [0, 1], by which a policy serves a request cheaply; NULL where that is not known."""
    match rule.kind:
        case "threshold":
            choice = f"CASE WHEN confidence IS NOT NULL THEN CAST(confidence >= {rule.threshold!r} AS DOUBLE) END"
        case "rules":
            choice = f"CAST({_has_label(rule.cheap_segments)} AS DOUBLE)"
        case "share":
            choice = f"CAST({rule.share!r} AS DOUBLE)"
    return f"CASE WHEN {_has_label(rule.never_cheap)} THEN 0.0 ELSE {1.0 - rule.holdout!r} * {choice} END"


def _has_label(labels: tuple[str, ...]) -> str:
    if not labels:
        return "false"
    mine = "list_transform(map_entries(coalesce(segment, MAP {})), lambda e: e.key || '=' || e.value)"
    return f"list_has_any({mine}, [{literals(list(labels))}])"


def _make_labels(engine: duckdb.DuckDBPyConnection, signals: Path | None) -> str:
    """Table `labels`: a value and a weight of each labelled decision; the signal that it is of, or empty: there is none."""
    engine.execute("CREATE TEMP TABLE labels (decision_id VARCHAR, value DOUBLE, weight DOUBLE)")
    if signals is None:
        return ""
    defaults = " ".join(f"WHEN {literal(kind)} THEN {literal(given)}" for kind, given in DEFAULT_SELECTION.items())
    engine.execute(
        f"""
        CREATE TEMP TABLE said AS
        SELECT decision_id, kind, kind || '.' || name AS source, value, CASE WHEN selected = 'sampled' THEN inclusion_probability ELSE 1.0 END AS probability
        FROM (SELECT *, coalesce(selection, CASE kind {defaults} ELSE 'unknown' END) AS selected FROM read_parquet({literal(str(signals))}))
        WHERE kind IN ({literals(KINDS)}) AND reference_value IS NULL AND value BETWEEN 0 AND 1
          AND (selected = 'census' OR (selected = 'sampled' AND inclusion_probability > 0 AND inclusion_probability <= 1))
        """
    )
    found = engine.execute(
        "SELECT source FROM said JOIN known USING (decision_id) GROUP BY source, kind ORDER BY kind <> 'review', count(*) DESC, source LIMIT 1"
    ).fetchone()
    if found is None:
        return ""
    engine.execute(
        f"INSERT INTO labels SELECT decision_id, avg(value), 1 / max(probability) FROM said WHERE source = {literal(str(found[0]))} GROUP BY decision_id"
    )
    return str(found[0])


def _rows(engine: duckdb.DuckDBPyConnection, source: str) -> tuple[ComparedRows, tuple[dict[str, str], ...]]:
    found = (
        engine.execute(
            "SELECT value, weight, CASE WHEN is_changed AND NOT lacks_overlap THEN ratio ELSE 0.0 END, after, "
            "CASE WHEN is_changed AND lacks_overlap THEN after - before ELSE 0.0 END, segment "
            "FROM known JOIN labels USING (decision_id) ORDER BY decision_id"
        ).fetchall()
        if source
        else []
    )
    value, weight, ratio, after, blind = (np.array([float(row[place]) for row in found]) for place in range(5))
    loss = ratio * (1.0 - value)
    # Of a request that was never served as it would be, its label says nothing: it may lose all that it could.
    least, most = np.minimum(ratio + blind, 0.0), np.maximum(ratio + blind, 0.0)
    is_blind = blind != 0.0
    rows = ComparedRows(
        np.where(is_blind, least, loss), np.where(is_blind, most, loss), least, most, after, weight, ~is_blind
    )
    return rows, tuple(dict(row[5] or {}) for row in found)


def _counts(engine: duckdb.DuckDBPyConnection, keys: tuple[str, ...] | None) -> dict[str, PlaceCounts]:
    sums = "count(*), sum(before), sum(after), count(*) FILTER (is_changed), count(*) FILTER (is_changed AND after > before), count(*) FILTER (is_changed AND lacks_overlap)"
    whole = engine.execute(f"SELECT {sums} FROM known").fetchall()
    wanted = (
        f"e.key IN ({literals(list(keys))})"
        if keys
        else "false"
        if keys is not None
        else f"e.key IN (SELECT key FROM (SELECT unnest(map_entries(segment), recursive := true) FROM known) GROUP BY key HAVING count(DISTINCT value) <= {MOST_VALUES})"
    )
    places = engine.execute(
        f"SELECT e.key || '=' || e.value, {sums} FROM (SELECT unnest(map_entries(segment)) AS e, * FROM known) WHERE {wanted} GROUP BY 1"
    ).fetchall()
    return {
        str(name): PlaceCounts(*(float(value or 0.0) for value in values))
        for name, *values in [("", *whole[0]), *places]
    }


def _by_tier(engine: duckdb.DuckDBPyConnection, source: str) -> dict[str, float]:
    if not source:
        return {}
    return {
        str(tier): float(share or 0.0)
        for tier, share in engine.execute(
            "SELECT tier, sum(weight) / count(*) FROM known LEFT JOIN labels USING (decision_id) GROUP BY tier"
        ).fetchall()
    }
