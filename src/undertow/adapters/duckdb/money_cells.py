"""Costs and outcomes by month, segment and policy version: one scan of the decisions a segment key, small results."""

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from undertow.adapters.duckdb.grouping import Vocabulary, fetch, tier_code
from undertow.adapters.duckdb.sql import literal
from undertow.adapters.duckdb.views import ARM_CODE, IS_LIVE, SERVED_TIER, bucket_of
from undertow.ports.audit_source import OutcomeWindow
from undertow.records.money import (
    MONEY_CLUSTERS,
    MoneyCells,
    MoneyEvents,
    MoneyExposure,
    MoneyReviews,
    MoneyTraffic,
    Place,
)

MOST_VERSIONS = 40
"""The versions that decided most; a log that has more is not read line by line."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of `money_rows` by whose values lines are made, and where their codes begin."""

    name: str
    first_code: int
    values: tuple[str, ...]

    @property
    def code(self) -> str:
        """Expression of the place's code, over `money_rows r`; null where the row has no value that is listed."""
        return f"{self.first_code} + list_position([{', '.join(map(literal, self.values))}], r.{self.name}) - 1"


def money_cells(
    engine: duckdb.DuckDBPyConnection,
    vocabulary: Vocabulary,
    outcome_names: tuple[str, ...],
    windows: tuple[OutcomeWindow, ...],
    bucket_s: int,
    last_available: float,
    *,
    has_signals: bool,
) -> MoneyCells:
    """Count it all.

    Args:
        engine: Holds view `decisions`, and with signals table `matched` (with column `decision`) and `outcome_codes`.
        vocabulary: Segments that are counted.
        outcome_names: By code.
        windows: How long each outcome takes to ripen.
        bucket_s: Seconds in a bucket.
        last_available: How far the log has been seen, UTC seconds.
        has_signals: There are signals.
    """
    keys = [(place, vocabulary.plan.keys[place]) for place in vocabulary.plan.places]
    segments = "".join(f", segment[{literal(key)}] AS segment_{place}" for place, key in keys)
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE money_rows AS
        SELECT hash(decision_id) AS id, CAST(12 * year(event_time) + month(event_time) - 1 AS INTEGER) AS month,
               {bucket_of("event_time", bucket_s)} AS bucket, {SERVED_TIER} AS tier, {ARM_CODE} AS arm,
               CAST(hash(coalesce(user_id, conversation_id, decision_id)) & {MONEY_CLUSTERS - 1} AS SMALLINT) AS cluster,
               cost_usd, baseline_cost_usd, policy_version AS version{segments}
        FROM decisions WHERE {IS_LIVE}
        """
    )
    places, columns = _places(engine, vocabulary)
    traffic = fetch(engine, MoneyTraffic, _ordered(columns, _traffic_sql, "month, place, tier"))
    ripe = _ripe_buckets(outcome_names, windows, bucket_s, last_available)
    if not has_signals:
        exposure, events, reviews = _nothing(engine)
    else:
        exposure = fetch(
            engine,
            MoneyExposure,
            _ordered(columns, lambda code: _exposure_sql(code, ripe), "month, place, outcome, arm, cluster"),
        )
        events = fetch(
            engine,
            MoneyEvents,
            _ordered(columns, lambda code: _events_sql(code, ripe), "month, place, outcome, arm, cluster"),
        )
        reviews = fetch(engine, MoneyReviews, _ordered(columns, _reviews_sql, "month, place"))
    engine.execute("DROP TABLE money_rows")
    return MoneyCells(places, traffic, exposure, events, reviews)


def _places(engine: duckdb.DuckDBPyConnection, vocabulary: Vocabulary) -> tuple[tuple[Place, ...], list[_Column]]:
    """The places, the whole log first, and the columns that name them."""
    places, columns = [Place("whole")], []
    for place in vocabulary.plan.places:
        key = vocabulary.plan.keys[place]
        values = tuple(segment.value for segment in vocabulary.segments if segment.key == key)
        columns.append(_Column(f"segment_{place}", len(places), values))
        places += [Place("segment", f"{key}={value}") for value in values]
    versions = engine.execute(
        f"SELECT version FROM money_rows WHERE version <> '' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {MOST_VERSIONS}"
    ).fetchall()
    named = tuple(str(row[0]) for row in versions)
    if named:
        columns.append(_Column("version", len(places), named))
        places += [Place("version", name) for name in named]
    return tuple(places), columns


def _ordered(columns: list[_Column], query: Callable[[str], str], keys: str) -> str:
    """One query for the whole log and one a column, together."""
    parts = [query("0"), *(query(column.code) for column in columns)]
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) WHERE place IS NOT NULL ORDER BY {keys}"


def _traffic_sql(code: str) -> str:
    return f"""
        SELECT month, {code} AS place, {tier_code("tier")} AS tier, count(*) AS decisions,
               count(cost_usd - baseline_cost_usd) AS paired_n,
               coalesce(fsum(CASE WHEN baseline_cost_usd IS NOT NULL THEN cost_usd END), 0.0) AS cost_usd,
               coalesce(fsum(CASE WHEN cost_usd IS NOT NULL THEN baseline_cost_usd END), 0.0) AS baseline_usd
        FROM money_rows r GROUP BY ALL
    """


def _ripe_buckets(
    names: tuple[str, ...], windows: tuple[OutcomeWindow, ...], bucket_s: int, last_available: float
) -> str:
    """A list of (outcome, first bucket that is not ripe) as a table expression."""
    days = {window.name: window.maturity_days for window in windows}
    usual = OutcomeWindow("").maturity_days
    rows = [
        f"({code}, {int((last_available - 86_400.0 * days.get(name, usual)) // bucket_s)})"
        for code, name in enumerate(names)
    ]
    return f"(VALUES {', '.join(rows) or '(-1, 0)'}) AS ripe(outcome, until)"


def _exposure_sql(code: str, ripe: str) -> str:
    return f"""
        SELECT r.month, {code} AS place, ripe.outcome AS outcome, r.arm, r.cluster, count(*) AS decisions
        FROM money_rows r, {ripe} WHERE r.bucket < ripe.until AND ripe.outcome >= 0 GROUP BY ALL
    """


def _events_sql(code: str, ripe: str) -> str:
    return f"""
        SELECT r.month, {code} AS place, c.code AS outcome, r.arm, r.cluster, CAST(count(*) AS DOUBLE) AS events, fsum(m.value) AS value
        FROM matched m JOIN outcome_codes c ON c.name = m.name AND c.kind = m.kind JOIN money_rows r ON r.id = m.decision, {ripe}
        WHERE m.is_live AND ripe.outcome = c.code AND r.bucket < ripe.until GROUP BY ALL
    """


def _reviews_sql(code: str) -> str:
    return f"""
        SELECT r.month, {code} AS place, count(*) AS reviews
        FROM matched m JOIN money_rows r ON r.id = m.decision WHERE m.is_live AND m.kind = 'review' GROUP BY ALL
    """


def _nothing(engine: duckdb.DuckDBPyConnection) -> tuple[MoneyExposure, MoneyEvents, MoneyReviews]:
    zeros = "0 AS month, 0 AS place"
    keys = "0 AS outcome, 0 AS arm, 0 AS cluster"
    return (
        fetch(engine, MoneyExposure, f"SELECT {zeros}, {keys}, 0 AS decisions LIMIT 0"),
        fetch(engine, MoneyEvents, f"SELECT {zeros}, {keys}, 0.0 AS events, 0.0 AS value LIMIT 0"),
        fetch(engine, MoneyReviews, f"SELECT {zeros}, 0 AS reviews LIMIT 0"),
    )
