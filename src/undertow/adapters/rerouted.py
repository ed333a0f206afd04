"""A log under other decisions: rewritten with DuckDB from its canonical files, row by row only inside the engine.

Of a request that another tier would have answered, what is known changes with it: the cost is that of the other way, a pair of answers
still tells of the one that would have been served, and a label of the other answer tells nothing any more. Which reviews a smaller
budget would have had is drawn by a hash of the signal's id, and the inclusion probability of those that stay falls by the same factor.
"""

from pathlib import Path

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.sql import literal, literals
from undertow.records.replayed import Rerouted, Rerouting

MEMORY_LIMIT = "1GB"
BUCKETS = 1_000_000
"""Steps of the hash by which reviews are drawn."""


def reroute(
    decisions: Path, signals: Path | None, rule: Rerouting, out: Path, *, keep_reviews: float = 1.0
) -> Rerouted:
    """Write the log as it would have been.

    Args:
        decisions: Canonical Parquet file.
        signals: The same of signals, or None: there are none.
        rule: Other decisions.
        out: Folder to write `decisions.parquet` and `signals.parquet` into; it is there.
        keep_reviews: Share of the reviews that the smaller budget would have had, in (0, 1].

    Returns:
        What became of the log.
    """
    engine = open_engine(MEMORY_LIMIT, None, out)
    try:
        engine.execute(f"CREATE VIEW given AS SELECT * FROM read_parquet({literal(str(decisions))})")
        engine.execute(f"CREATE TEMP TABLE moved AS {_moved_sql(rule)}")
        engine.execute(f"COPY ({_decisions_sql(rule)}) TO {literal(str(out / 'decisions.parquet'))} (FORMAT parquet)")
        counted = engine.execute(
            "SELECT (SELECT count(*) FROM given WHERE coalesce(origin, 'live') = 'live'), count(*) FILTER (goes = 'up'), "
            "count(*) FILTER (goes = 'down') FROM moved"
        ).fetchone() or (0, 0, 0)
        kept = lost = left_out = 0
        if signals is not None:
            engine.execute(f"CREATE TEMP TABLE said AS {_said_sql(signals, keep_reviews)}")
            kept, lost, left_out = engine.execute(
                "SELECT count(*) FILTER (is_kept AND NOT is_left_out), count(*) FILTER (NOT is_kept), count(*) FILTER (is_left_out AND is_kept) "
                "FROM said WHERE kind NOT IN ('outcome', 'implicit')"
            ).fetchone() or (0, 0, 0)
            engine.execute(
                "COPY (SELECT * EXCLUDE (is_kept, is_left_out) FROM said WHERE is_kept AND NOT is_left_out) "
                f"TO {literal(str(out / 'signals.parquet'))} (FORMAT parquet)"
            )
        return Rerouted(counted[0], counted[1], counted[2], kept, lost, left_out)
    finally:
        engine.close()


def _moved_sql(rule: Rerouting) -> str:
    """Decisions that another tier answers, and whether that is a dearer one (`up`) or a cheaper one (`down`)."""
    capable = literal(rule.capable)
    # A foreign log names its policies as it likes, or not at all: then every decision is one of the policy that is asked about.
    mine = (
        "true"
        if rule.policy is None
        else f"(policy = {literal(rule.policy)} OR NOT (SELECT bool_or(coalesce(policy = {literal(rule.policy)}, false)) FROM given))"
    )
    free = (
        "coalesce(origin, 'live') = 'live' AND coalesce(mode, 'route') = 'route' AND tier IS NOT NULL "
        f"AND coalesce(arm, 'treatment') <> 'holdout' AND {mine}"
    )
    never = _never_sql(rule, "given")
    up, down = [never], "false"
    if rule.threshold is not None:
        up.append(f"(coalesce(reason, '') IN ('confident', 'easy') AND confidence < {rule.threshold!r})")
        down = f"coalesce(reason, '') IN ('unsure', 'hard') AND confidence >= {rule.threshold!r} AND tier = {capable} AND NOT {never}"
    return f"""
        SELECT decision_id, first_tier,
               CASE WHEN tier <> {capable} AND ({" OR ".join(up)}) THEN 'up' WHEN {down} THEN 'down' END AS goes,
               {never} AS is_forbidden
        FROM given WHERE {free} AND goes IS NOT NULL
    """


def _never_sql(rule: Rerouting, table: str) -> str:
    """The condition that a request bears a label that keeps it off cheaper tiers."""
    if not rule.never_cheap:
        return "false"
    labels = f"list_transform(map_entries(coalesce({table}.segment, MAP {{}})), lambda e: e.key || '=' || e.value)"
    return f"list_has_any({labels}, [{literals(list(rule.never_cheap))}])"


def _decisions_sql(rule: Rerouting) -> str:
    """All decisions. Eligibility is settled before the arm, so a label that is never cheap takes it from held out requests too.

    Going up costs the capable answer as well, unless the cheap one would not have been asked; going down saves it.
    """
    capable = literal(rule.capable)
    is_cascade = "g.reason IN ('confident', 'unsure')"
    return f"""
        SELECT g.* REPLACE (
            CASE m.goes WHEN 'up' THEN {capable} WHEN 'down' THEN coalesce(m.first_tier, {literal(rule.cheap)}) ELSE g.tier END AS tier,
            CASE WHEN m.goes = 'up' AND m.is_forbidden THEN 'constraint' WHEN m.goes = 'up' AND g.reason = 'easy' THEN 'hard'
                 WHEN m.goes = 'up' THEN 'unsure' WHEN m.goes = 'down' AND g.reason = 'hard' THEN 'easy'
                 WHEN m.goes = 'down' THEN 'confident' ELSE g.reason END AS reason,
            CASE WHEN {_never_sql(rule, "g")} THEN false ELSE g.eligible END AS eligible,
            CASE m.goes WHEN 'up' THEN {is_cascade} AND NOT m.is_forbidden WHEN 'down' THEN false ELSE g.escalated END AS escalated,
            CASE WHEN m.goes = 'up' AND {is_cascade} AND NOT m.is_forbidden THEN g.cost_usd + g.baseline_cost_usd
                 WHEN m.goes = 'up' THEN g.baseline_cost_usd
                 WHEN m.goes = 'down' AND g.reason = 'unsure' THEN greatest(g.cost_usd - g.baseline_cost_usd, 0)
                 WHEN m.goes = 'down' THEN NULL ELSE g.cost_usd END AS cost_usd,
            CASE WHEN m.goes IS NULL THEN g.model END AS model,
            CASE WHEN m.goes IS NULL THEN g.model_fingerprint END AS model_fingerprint,
            CASE WHEN m.goes IS NULL THEN g.calls END AS calls,
            CASE WHEN m.goes IS NULL THEN g.propensity END AS propensity,
            CASE WHEN m.goes IS NOT NULL AND {rule.threshold is not None} THEN {_number(rule.threshold)} ELSE g.threshold END AS threshold)
        FROM given g LEFT JOIN moved m USING (decision_id)
        ORDER BY g.event_time, g.decision_id
    """


def _said_sql(signals: Path, keep_reviews: float) -> str:
    """All signals, with what is left of them. Only those of a single decision are of one answer."""
    drawn = f"hash(s.signal_id) % {BUCKETS} >= {round(keep_reviews * BUCKETS)}"
    return f"""
        SELECT s.* REPLACE (
            CASE WHEN m.goes IS NOT NULL AND s.reference_value IS NOT NULL THEN s.reference_value ELSE s.value END AS value,
            CASE WHEN m.goes IS NOT NULL AND s.reference_value IS NOT NULL THEN s.value ELSE s.reference_value END AS reference_value,
            CASE WHEN s.kind = 'review' THEN s.inclusion_probability * {keep_reviews!r} ELSE s.inclusion_probability END AS inclusion_probability),
            (m.goes IS NULL OR s.reference_value IS NOT NULL OR s.kind IN ('outcome', 'implicit')) AS is_kept,
            (s.kind = 'review' AND {drawn}) AS is_left_out
        FROM read_parquet({literal(str(signals))}) s LEFT JOIN moved m USING (decision_id)
    """


def _number(value: float | None) -> str:
    return "NULL" if value is None else repr(value)
