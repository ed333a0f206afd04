"""The views over which every other statement is written: `decisions_checked`, `decisions`, `facts`, `signals_checked`.

A view is only text to the engine: columns that a statement does not name are never read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

import duckdb

from undertow.adapters.duckdb.row_rules import CheckedRows
from undertow.adapters.duckdb.sql import literal
from undertow.records.cells import CONFIDENCE_BINS, USER_BUCKETS

SERVED_TIER = "served_tier"


def until_filter(column: str, until: datetime | None) -> str:
    """Predicate for 'before `until`'; `true` without one. Naive datetimes are UTC."""
    if until is None:
        return "true"
    moment = until if until.tzinfo is None else until.astimezone(UTC).replace(tzinfo=None)
    return f"{column} < TIMESTAMP {literal(moment.isoformat(sep=' ', timespec='microseconds'))}"


def tier_expression(tier_models: Mapping[str, tuple[str, ...]]) -> str:
    """The logged tier, else the first tier with a pattern that matches the model."""
    if not tier_models:
        return "tier"
    cases = " ".join(
        f"WHEN model GLOB {literal(pattern)} THEN {literal(tier)}"
        for tier, patterns in tier_models.items()
        for pattern in patterns
    )
    return f"coalesce(tier, CASE {cases} END)" if cases else "tier"


def create_decision_views(
    engine: duckdb.DuckDBPyConnection,
    checked: list[CheckedRows],
    tier_models: Mapping[str, tuple[str, ...]],
    until: datetime | None,
    *,
    without_duplicates: bool = False,
) -> None:
    """Create or replace the decision views. With `without_duplicates`, rows named in table `repeated_rows` are left out."""
    union = " UNION ALL BY NAME ".join(rows.select() for rows in checked)
    engine.execute(f"CREATE OR REPLACE TEMP VIEW decisions_checked AS {union}")
    terms = [until_filter("event_time", until)]
    if any(rows.rejected != "false" for rows in checked):
        terms.append("NOT rejected")
    if without_duplicates:
        terms.append("(source_file, source_row) NOT IN (SELECT (source_file, source_row) FROM repeated_rows)")
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW decisions AS SELECT *, {tier_expression(tier_models)} AS {SERVED_TIER} "
        f"FROM decisions_checked WHERE {' AND '.join(terms)}"
    )


def create_signal_view(engine: duckdb.DuckDBPyConnection, checked: list[CheckedRows]) -> None:
    """Create or replace `signals_checked`."""
    union = " UNION ALL BY NAME ".join(rows.select() for rows in checked)
    engine.execute(f"CREATE OR REPLACE TEMP VIEW signals_checked AS {union}")


def bucket_of(column: str, bucket_s: int) -> str:
    """Expression for the bucket of a time: whole numbers of `bucket_s` seconds since 1970."""
    if bucket_s == 86_400:  # a cast to a date is twice as quick as a division
        return f"CAST(CAST({column} AS DATE) - DATE '1970-01-01' AS INTEGER)"
    return f"CAST(epoch_us({column}) // {bucket_s * 1_000_000} AS INTEGER)"


@dataclass(frozen=True, slots=True)
class ConfidenceScale:
    """Which column is the confidence, and the range that its histogram covers."""

    column: Literal["confidence", "score"] | None = None
    low: float = 0.0
    high: float = 1.0

    def bin_sql(self) -> str:
        """Expression over `coded.confidence` (which holds the score where that stands in) of its bin; null where it is null."""
        if self.column is None:
            return "CAST(NULL AS TINYINT)"
        share = (
            "confidence" if self.column == "confidence" else f"(confidence - {self.low!r}) / {self.high - self.low!r}"
        )
        return f"CAST(greatest(least(floor({share} * {CONFIDENCE_BINS}), {CONFIDENCE_BINS - 1}), 0) AS TINYINT)"


def create_fact_view(
    engine: duckdb.DuckDBPyConnection, segments: tuple[str, ...], bucket_s: int, stray: str = "0"
) -> None:
    """Create or replace `facts`: live accepted decisions as the joint counts need them.

    Columns: decided_at, bucket, tier, arm, eligible, segment_0 ... (the given expressions), stray (how many segment keys of
    the decision have no column), and the summed and the version columns under their own names.
    """
    columns = "".join(f", {expression} AS segment_{place}" for place, expression in enumerate(segments))
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW facts AS
        SELECT event_time AS decided_at, {bucket_of("event_time", bucket_s)} AS bucket, {SERVED_TIER} AS tier,
               arm, eligible, {stray} AS stray, status, escalated, reason, cost_usd, baseline_cost_usd, input_tokens,
               output_tokens, latency_ms, calls, novelty, score, features, model, model_fingerprint, policy, policy_version, calibration_version,
               prompt_hash{columns}
        FROM decisions WHERE {IS_LIVE}
        """
    )


def create_coded_table(
    engine: duckdb.DuckDBPyConnection,
    segments: Mapping[int, str],
    scale: ConfidenceScale,
    bucket_s: int,
    joined_on: tuple[str, ...],
    *,
    all_live: bool,
    person: str = "coalesce(user_id, conversation_id, decision_id)",
    bins: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Create or replace `coded`: every accepted decision in some 50 bytes, which all later steps work on.

    Reading the ids of a log is the dearest part of it, so they are read once: `id` is their 64-bit hash, and so are
    `conversation_id` and `user_id` where signals join on them. Tiers and segment values become enumeration types made
    from the joint counts. It is a view over table `coded_rows` that adds what costs less to compute than to keep.

    Args:
        engine: Holds view `decisions` and the types.
        segments: Expression of the value by the place of its key.
        scale: What `confidence` and `bin` mean.
        bucket_s: Seconds in a bucket.
        joined_on: Which of conversation_id and user_id signals join on.
        all_live: Every decision is proven to be live.
        person: Expression of whom the decision was for; names as few id columns as the log allows.
        bins: Further columns, expressions by name, that fit into a byte.
    """
    columns = "".join(
        f", TRY_CAST({expression} AS segment_value_{place}) AS segment_{place}"
        for place, expression in segments.items()
    )
    keys = "".join(f", hash({name}) AS {name}, {name} IS NOT NULL AS has_{name}" for name in joined_on)
    keys += "".join(f", CAST({expression} AS TINYINT) AS {name}" for name, expression in bins.items())
    live = "" if all_live else f", {IS_LIVE} AS is_live"
    # No TEMP: the temporary schema's storage takes more from the system for the same rows.
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE coded_rows AS
        SELECT hash(decision_id) AS id, event_time AS decided_at, {bucket_of("event_time", bucket_s)} AS bucket,
               TRY_CAST({SERVED_TIER} AS tier_name) AS tier, {ARM_CODE} AS arm, {ELIGIBLE_CODE} AS eligible,
               {scale.column or "CAST(NULL AS DOUBLE)"} AS confidence,
               CAST(hash({person}) & {USER_BUCKETS - 1} AS SMALLINT) AS cluster{columns}{keys}{live}
        FROM decisions
        """
    )
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW coded AS SELECT *, {scale.bin_sql()} AS bin{', true AS is_live' if all_live else ''} FROM coded_rows"
    )


IS_LIVE = "(origin IS NULL OR origin = 'live')"
ARM_CODE = "CAST(CASE arm WHEN 'treatment' THEN 0 WHEN 'holdout' THEN 1 ELSE -1 END AS TINYINT)"
ELIGIBLE_CODE = "CAST(CASE WHEN eligible THEN 1 WHEN NOT eligible THEN 0 ELSE -1 END AS TINYINT)"
