"""How many decisions a day each tier, label and stratum has, from the converted log of the last days: what sampling rates are planned by.

The long-tail score is worked out in the engine; a test holds it to `undertow.sampling.long_tail.long_tail_score`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.sql import literal
from undertow.records.columns import LOG_COLUMNS
from undertow.sampling.long_tail import TAIL_SHARE, TYPICAL_CONFIDENCE
from undertow.sampling.quotas import Volume

DAYS = 14
MOST_LABELS = 500
MEMORY_LIMIT = "256MB"
LEAST_FOR_CUT = 500
"""Decisions of a tier that a cut needs: its share is then known to about two points."""

LEAST_OF_LAST_DAY = 100
"""Decisions of a tier's last day from which on it says whether the tier has grown."""

_CALM = f"""(CASE WHEN isfinite(confidence) THEN least(greatest(confidence, 0), 1) ELSE {TYPICAL_CONFIDENCE} END
    / (1 + CASE WHEN isfinite(novelty) THEN greatest(novelty, 0) ELSE 0 END)
    * (1 - CASE WHEN isfinite(disagreement) THEN least(greatest(disagreement, 0), 1) ELSE 0 END))"""
SCORE = f"(1 - {_CALM})"
"""The score, of columns confidence, novelty and disagreement (null: unknown)."""


@dataclass(frozen=True, slots=True)
class Volumes:
    """What was counted.

    Attributes:
        cells: Decisions a day, by tier, label (empty: all) and stratum: the mean of all days, or, where a tier's last day had more, as
            many as that. In a roll-out the mean of two weeks is half of today's traffic, and twice as many would be drawn as people can review.
        tail_shares: By tier with a cut, the share of its decisions from the cut on.
        cuts: By tier, the score from which on `TAIL_SHARE` of its decisions lie; tiers with too few decisions have none.
        capable_usd: Mean cost of an answer of the capable tier, USD, or None.
        days: Days that were counted.
    """

    cells: tuple[Volume, ...]
    tail_shares: Mapping[str, float]
    cuts: Mapping[str, float]
    capable_usd: float | None
    days: float


def measure_volumes(store_path: str | Path, capable: str, at: datetime, tail_cuts: Mapping[str, float]) -> Volumes:
    """Count the last 14 days of the converted log.

    Args:
        store_path: The store's root folder.
        capable: Name of the capable tier.
        at: Now, aware.
        tail_cuts: By tier, the score from which a decision is in the long tail; a tier without one has none there.

    Raises:
        OSError: The files cannot be read.
    """
    since = at.astimezone(UTC) - timedelta(days=DAYS)
    first = since.date().isoformat()
    files = sorted(
        str(file)
        for dated in (Path(store_path) / "decisions").glob("date=*")
        if dated.name.removeprefix("date=") >= first
        for file in dated.glob("*.parquet")
    )
    if not files:
        return Volumes((), {}, {}, None, 0.0)
    assert {"tier", "confidence", "novelty", "features", "segment", "calls"} <= {column.name for column in LOG_COLUMNS}
    cut = " ".join(f"WHEN {literal(tier)} THEN score >= {value!r}" for tier, value in sorted(tail_cuts.items()))
    engine = open_engine(MEMORY_LIMIT, 1, Path(store_path) / "state")
    try:
        engine.execute(
            f"""
            CREATE TEMP TABLE served AS
            SELECT tier, segment, {SCORE} AS score, event_time FROM (
                SELECT tier, segment, confidence, novelty, event_time,
                       1 - element_at(features, 'agreement')[1] AS disagreement
                FROM read_parquet([{", ".join(literal(file) for file in files)}], union_by_name = true, hive_partitioning = false)
                WHERE event_time >= $since AND tier IS NOT NULL AND coalesce(origin, 'live') = 'live'
                  AND coalesce(status, 'ok') IN ('ok', 'fallback')
            )
            """,
            {"since": since.replace(tzinfo=None)},
        )
        span = engine.execute("SELECT epoch(max(event_time)) - epoch(min(event_time)) FROM served").fetchone()
        days = max(1.0, float(span[0] or 0.0) / 86_400.0) if span else 1.0
        is_tail = f"(CASE tier {cut} ELSE false END)" if cut else "false"
        rows = engine.execute(
            f"""
            WITH one AS (SELECT tier, segment, {is_tail} AS is_tail FROM served),
            labelled AS (
                SELECT tier, '' AS label, is_tail FROM one
                UNION ALL
                SELECT tier, entry.key || '=' || entry.value, is_tail
                FROM (SELECT tier, is_tail, unnest(map_entries(segment)) AS entry FROM one)
            ), counted AS (SELECT tier, label, is_tail, count(*) AS n FROM labelled GROUP BY ALL),
            largest AS (SELECT label FROM counted GROUP BY label ORDER BY label <> '', sum(n) DESC, label LIMIT {MOST_LABELS + 1})
            SELECT tier, label, is_tail, n FROM counted SEMI JOIN largest USING (label) ORDER BY ALL
            """
        ).fetchall()
        last_day = engine.execute(
            "SELECT tier, count(*) FROM served WHERE event_time > (SELECT max(event_time) FROM served) - INTERVAL 1 DAY GROUP BY tier"
        ).fetchall()
        quantiles = engine.execute(
            f"SELECT tier, quantile_disc(score, {1.0 - TAIL_SHARE}), count(*) FROM served GROUP BY tier"
        ).fetchall()
        cost = engine.execute(
            f"""
            SELECT avg(call.cost_usd) FROM (
                SELECT unnest(calls) AS call
                FROM read_parquet([{", ".join(literal(file) for file in files)}], union_by_name = true, hive_partitioning = false)
                WHERE event_time >= $since
            ) WHERE call.tier = $capable AND call.status IN ('ok', 'discarded') AND call.purpose IN ('serve', 'race')
            """,
            {"since": since.replace(tzinfo=None), "capable": capable},
        ).fetchone()
    except duckdb.Error as error:
        raise OSError("the decisions of the last days cannot be read") from error
    finally:
        engine.close()
    mean = {tier: n / days for tier, _, n in quantiles}
    grown = {tier: max(1.0, n / mean[tier]) for tier, n in last_day if n >= LEAST_OF_LAST_DAY}
    cells = tuple(
        Volume(tier, label, "tail" if tail else "common", n / days * grown.get(tier, 1.0))
        for tier, label, tail, n in rows
    )
    whole = {tier: sum(c.per_day for c in cells if c.tier == tier and not c.segment) for tier, _, _ in quantiles}
    tails = {
        tier: sum(c.per_day for c in cells if c.tier == tier and not c.segment and c.stratum == "tail") / whole[tier]
        for tier in tail_cuts
        if whole.get(tier)
    }
    return Volumes(
        cells,
        tails,
        {str(tier): float(value) for tier, value, n in quantiles if n >= LEAST_FOR_CUT and value is not None},
        float(cost[0]) if cost and cost[0] is not None else None,
        days,
    )
