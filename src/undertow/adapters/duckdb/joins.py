"""Joins signals to decisions: tables `signals` (clean, one row an id) and `matched` (each signal with its decision).

Rules.

- The most specific id that a signal bears decides: decision, else conversation, else user. A signal with an unknown decision
  id stays unjoined although its conversation may be known: attached to another decision it would be counted for a tier that
  it is not about.
- A signal on a conversation or a user belongs to the last live decision of that conversation or user at or before it. An
  outcome also needs that decision to lie within the outcome's attribution window; one outside is unjoined
  (`outside_attribution_window`).
- Late and out-of-order signals are used like any other: `available` is the latest of the signal's time, its arrival and its
  decision's time.
- A signal may precede its decision by up to five minutes (two clocks); earlier ones are set aside (`signal_before_decision`).
"""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from undertow.adapters.duckdb.row_rules import CLOCK_SKEW_S
from undertow.adapters.duckdb.sql import literal
from undertow.adapters.duckdb.views import until_filter
from undertow.ports.audit_source import OutcomeWindow

BASIS = r"""CASE
    WHEN regexp_matches(source, '^(exact|check|grader|regex|schema)', 'i') THEN 1
    WHEN regexp_matches(source, '^(judge|llm|model)', 'i') THEN 2
    WHEN regexp_matches(source, '^(human|reviewer|annotator|user)', 'i') THEN 0
    WHEN kind IN ('review', 'thumb', 'rating') THEN 0
    WHEN kind IN ('judge', 'shadow') THEN 2
    WHEN kind = 'suite' THEN 1
    ELSE 3 END"""
"""Position in `BASIS_CODES`: by who gave the signal, else by its kind."""


@dataclass(frozen=True, slots=True)
class Joined:
    """How many signals were joined, left unjoined, or set aside in the join."""

    signals: int
    joined: int
    unjoined: int
    before_decision: int
    outside_window: int


def collect_signals(engine: duckdb.DuckDBPyConnection, until: datetime | None) -> None:
    """Create table `signals` from view `signals_checked`: usable rows, available before `until`."""
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE signals AS
        SELECT signal_id, event_time, greatest(event_time, coalesce(received_at, event_time)) AS available_at,
               CASE WHEN decision_id IS NOT NULL THEN 0 WHEN conversation_id IS NOT NULL THEN 1 ELSE 2 END AS join_on,
               coalesce(decision_id, conversation_id, user_id) AS join_key, kind, name, value, selection,
               CASE WHEN selection = 'sampled' THEN inclusion_probability ELSE 1.0 END AS probability,
               {BASIS} AS basis, reference_value, source_file, source_row
        FROM signals_checked
        WHERE NOT rejected AND {until_filter("greatest(event_time, coalesce(received_at, event_time))", until)}
        """
    )


def match_signals(engine: duckdb.DuckDBPyConnection, segment_count: int, outcomes: tuple[OutcomeWindow, ...]) -> Joined:
    """Create table `matched` from table `signals` and view `facts`, whose columns segment_0 ... it carries along."""
    total = _one(engine, "SELECT count(*) FROM signals")
    carried = "".join(
        f", d.{name}"
        for name in ("decided_at", "tier", "arm", "eligible", "confidence", "bin", "cluster", "is_live")
        + tuple(f"segment_{place}" for place in range(segment_count))
    )
    fields = (
        "s.signal_id, s.event_time, s.available_at, s.kind, s.name, s.value, s.selection, s.probability, s.basis, "
        "s.reference_value, s.join_on, s.source_file, s.source_row"
    )
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE matched AS SELECT {fields}{carried} "
        "FROM facts d JOIN signals s ON d.decision_id = s.join_key WHERE s.join_on = 0"
    )
    present = {row[0] for row in engine.execute("SELECT DISTINCT join_on FROM signals").fetchall()}
    before = 0
    for join_on, key in ((1, "conversation_id"), (2, "user_id")):
        if join_on in present:
            before += _match_latest(engine, join_on, key, fields + carried)
    early = f"event_time < decided_at - INTERVAL {CLOCK_SKEW_S} SECOND"
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE early_signals AS "
        f"SELECT signal_id, source_file, source_row FROM matched WHERE {early}"
    )
    early_ones = _one(engine, "SELECT count(*) FROM early_signals")
    if early_ones:
        engine.execute(f"DELETE FROM matched WHERE {early}")
    if before:
        engine.execute("INSERT INTO early_signals SELECT signal_id, source_file, source_row FROM early_keys")
    before += early_ones
    outside = _drop_outside_windows(engine, outcomes)
    joined = _one(engine, "SELECT count(*) FROM matched")
    accepted = total - before
    return Joined(accepted, joined, accepted - joined, before, outside)


def _match_latest(engine: duckdb.DuckDBPyConnection, join_on: int, key: str, columns: str) -> int:
    """Signals on a conversation or user: its last live decision at or before the signal. Returns those before all of them."""
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE candidates AS
        SELECT * FROM facts WHERE is_live AND {key} IN (SELECT join_key FROM signals WHERE join_on = {join_on})
        """
    )
    # Several decisions at one instant: the largest id, so that the choice does not depend on the order of the rows.
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE latest AS
        SELECT arg_max(c, decision_id) AS c FROM candidates c GROUP BY {key}, decided_at
        """
    )
    engine.execute("CREATE OR REPLACE TEMP TABLE candidates AS SELECT unnest(c) FROM latest")
    engine.execute(
        f"""
        INSERT INTO matched SELECT {columns}
        FROM (SELECT *, event_time + INTERVAL {CLOCK_SKEW_S} SECOND AS reach FROM signals WHERE join_on = {join_on}) s
        ASOF JOIN candidates d ON s.join_key = d.{key} AND s.reach >= d.decided_at
        """
    )
    engine.execute(
        f"""
        CREATE TEMP TABLE IF NOT EXISTS early_keys (signal_id VARCHAR, source_file VARCHAR, source_row BIGINT);
        INSERT INTO early_keys
        SELECT s.signal_id, s.source_file, s.source_row
        FROM signals s JOIN (SELECT {key} AS key, min(decided_at) AS first_at FROM candidates GROUP BY 1) c ON s.join_key = c.key
        WHERE s.join_on = {join_on} AND s.event_time + INTERVAL {CLOCK_SKEW_S} SECOND < c.first_at
        """
    )
    early = _one(
        engine,
        f"SELECT count(*) FROM early_keys SEMI JOIN (SELECT signal_id FROM signals WHERE join_on = {join_on}) USING (signal_id)",
    )
    engine.execute("DROP TABLE latest")
    engine.execute("DROP TABLE candidates")
    return early


def _drop_outside_windows(engine: duckdb.DuckDBPyConnection, outcomes: tuple[OutcomeWindow, ...]) -> int:
    """Outcomes of a conversation or user whose last decision lies too far back to have caused them."""
    usual = repr(OutcomeWindow("").attribution_days)
    windows = " ".join(f"WHEN {literal(window.name)} THEN {float(window.attribution_days)!r}" for window in outcomes)
    days = f"CASE name {windows} ELSE {usual} END" if windows else usual
    outside = f"kind = 'outcome' AND join_on > 0 AND epoch(event_time) - epoch(decided_at) > 86400.0 * ({days})"
    count = _one(engine, f"SELECT count(*) FROM matched WHERE {outside}")
    if count:
        engine.execute(f"DELETE FROM matched WHERE {outside}")
    return count


def _one(engine: duckdb.DuckDBPyConnection, query: str) -> int:
    row = engine.execute(query).fetchone()
    assert row is not None
    return int(row[0])
