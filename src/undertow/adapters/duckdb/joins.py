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
from datetime import UTC, datetime

import duckdb

from undertow.adapters.duckdb.row_rules import CLOCK_SKEW_S
from undertow.adapters.duckdb.sql import literal, literals
from undertow.adapters.duckdb.views import until_filter
from undertow.ports.audit_source import OutcomeWindow
from undertow.records.cells import SELECTION_CODES
from undertow.records.columns import SIGNAL_KINDS

SOURCE_PREFIXES: tuple[tuple[int, tuple[str, ...]], ...] = (
    (1, ("exact", "check", "grader", "regex", "schema")),
    (2, ("judge", "llm", "model")),
    (0, ("human", "reviewer", "annotator", "user")),
)
"""Positions in `BASIS_CODES` by how the name of a signal's source begins, in any case."""


def basis_sql() -> str:
    """Expression for who vouches for a signal: by its source, else by its kind; a position in `BASIS_CODES`.

    Each CASE looks at one column only, so that the engine can evaluate it once a distinct text instead of once a row.
    """
    by_source = " ".join(
        f"WHEN starts_with(lower(source), {literal(prefix)}) THEN {code}"
        for code, prefixes in SOURCE_PREFIXES
        for prefix in prefixes
    )
    by_kind = "WHEN 'review' THEN 0 WHEN 'thumb' THEN 0 WHEN 'rating' THEN 0 WHEN 'judge' THEN 2 WHEN 'shadow' THEN 2 WHEN 'suite' THEN 1"
    return f"CAST(coalesce(CASE {by_source} END, CASE kind {by_kind} ELSE 3 END) AS TINYINT)"


@dataclass(frozen=True, slots=True)
class Joined:
    """How many signals were joined, left unjoined, or set aside in the join."""

    signals: int
    joined: int
    unjoined: int
    before_decision: int
    outside_window: int
    slightly_early: int = 0
    """Used although they are dated before their decision, by no more than two clocks may differ."""


def collect_signals(engine: duckdb.DuckDBPyConnection, until: datetime | None, *, any_rejected: bool = True) -> None:
    """Create table `signals` from view `signals_checked`: usable rows, available before `until`; ids as 64-bit hashes.

    Args:
        engine: Holds the view.
        until: See `CellOptions.until`.
        any_rejected: Rows of the view may be rejected; False where they were counted and there are none.
    """
    # Sixteen bytes each as text, one as an enumeration; every join that follows carries them along. Kinds sort as their names do.
    for name, values in (("signal_kind", sorted(SIGNAL_KINDS)), ("signal_selection", list(SELECTION_CODES))):
        engine.execute(f"CREATE TYPE IF NOT EXISTS {name} AS ENUM ({literals(values)})")
    available = "greatest(event_time, coalesce(received_at, event_time))"
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE signals AS
        SELECT hash(signal_id) AS id, event_time, {available} AS available_at,
               CAST(CASE WHEN decision_id IS NOT NULL THEN 0 WHEN conversation_id IS NOT NULL THEN 1 ELSE 2 END AS TINYINT) AS join_on,
               hash(coalesce(decision_id, conversation_id, user_id)) AS join_id,
               TRY_CAST(kind AS signal_kind) AS kind, name, value, TRY_CAST(selection AS signal_selection) AS selection,
               CASE WHEN selection = 'sampled' THEN inclusion_probability ELSE 1.0 END AS probability,
               CASE WHEN selection = 'sampled' THEN least(inclusion_probability, coalesce(pair_probability, inclusion_probability))
                    ELSE 1.0 END AS pair_probability,
               {basis_sql()} AS basis, reference_value,
               CASE WHEN selection = 'sampled' AND stratum <> '' THEN stratum END AS stratum,
               CASE WHEN kind = 'outcome' THEN coalesce(revision, 0) ELSE 0 END AS revision,
               kind = 'outcome' AND coalesce(deleted, false) AS deleted
        FROM signals_checked WHERE {"NOT rejected AND " if any_rejected else ""}{until_filter(available, until)}
        """
    )


def signal_keys(engine: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Which of conversation_id and user_id the signals of table `signals` join on."""
    found = {row[0] for row in engine.execute("SELECT DISTINCT join_on FROM signals").fetchall()}
    return tuple(name for join_on, name in ((1, "conversation_id"), (2, "user_id")) if join_on in found)


def match_signals(
    engine: duckdb.DuckDBPyConnection,
    places: tuple[int, ...],
    outcomes: tuple[OutcomeWindow, ...],
    *,
    with_decisions: bool = False,
) -> Joined:
    """Create table `matched` from tables `signals` and `coded`, whose columns segment_PLACE it carries along.

    With `with_decisions` also column `decision`, the hash of the decision's id.
    """
    total = _one(engine, "SELECT count(*) FROM signals")
    names = ("decided_at", "tier", "arm", "eligible", "confidence", "bin", "cluster", "is_live")
    carried = "".join(f", d.{name}" for name in (*names, *(f"segment_{place}" for place in places)))
    carried += ", d.id AS decision" if with_decisions else ""
    fields = (
        "s.event_time, s.available_at, s.kind, s.name, s.value, s.selection, s.probability, s.pair_probability, s.basis, s.reference_value, "
        "s.stratum AS drawn_in, s.join_on, s.join_id"
    )
    columns = fields + carried
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE matched AS SELECT {columns} FROM coded d JOIN signals s ON d.id = s.join_id WHERE s.join_on = 0"
    )
    before = 0
    for join_on, key in ((1, "conversation_id"), (2, "user_id")):
        if key in signal_keys(engine):
            before += _match_latest(engine, join_on, key, columns)
    early = f"event_time < decided_at - INTERVAL {CLOCK_SKEW_S} SECOND"
    if early_ones := _one(engine, f"SELECT count(*) FROM matched WHERE {early}"):
        engine.execute(f"DELETE FROM matched WHERE {early}")
        before += early_ones
    skewed = _one(engine, "SELECT count(*) FROM matched WHERE event_time < decided_at")
    outside = _drop_outside_windows(engine, outcomes)
    joined = _one(engine, "SELECT count(*) FROM matched")
    accepted = total - before
    return Joined(accepted, joined, accepted - joined, before, outside, skewed)


def received_before_event(engine: duckdb.DuckDBPyConnection) -> int:
    """Usable signals that arrived before they were observed, by more than two clocks may differ: the observer's clock runs ahead."""
    return _one(
        engine,
        "SELECT count(*) FROM signals_checked WHERE NOT rejected AND received_at IS NOT NULL "
        f"AND received_at < event_time - INTERVAL {CLOCK_SKEW_S} SECOND",
    )


def dated_after(engine: duckdb.DuckDBPyConnection, now: datetime, *, with_signals: bool) -> int:
    """Decisions and signals that are dated after the present, by more than two clocks may differ."""
    moment = now if now.tzinfo is None else now.astimezone(UTC).replace(tzinfo=None)
    late = f"TIMESTAMP {literal(moment.isoformat(sep=' ', timespec='microseconds'))} + INTERVAL {CLOCK_SKEW_S} SECOND"
    count = _one(engine, f"SELECT count(*) FROM coded WHERE decided_at > {late}")
    return count + (_one(engine, f"SELECT count(*) FROM signals WHERE event_time > {late}") if with_signals else 0)


def _match_latest(engine: duckdb.DuckDBPyConnection, join_on: int, key: str, columns: str) -> int:
    """Signals on a conversation or user: its last live decision at or before the signal.

    Returns:
        How many signals name a known conversation or user whose first decision is later than the signal.
    """
    # Several decisions at one instant: the largest id, so that the choice does not depend on the order of the rows.
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE candidates AS
        SELECT * FROM coded WHERE is_live AND has_{key} AND {key} IN (SELECT join_id FROM signals WHERE join_on = {join_on})
        QUALIFY row_number() OVER (PARTITION BY {key}, decided_at ORDER BY id DESC) = 1
        """
    )
    engine.execute(
        f"""
        INSERT INTO matched SELECT {columns}
        FROM (SELECT *, event_time + INTERVAL {CLOCK_SKEW_S} SECOND AS reach FROM signals WHERE join_on = {join_on}) s
        ASOF JOIN candidates d ON s.join_id = d.{key} AND s.reach >= d.decided_at
        """
    )
    early = _one(
        engine,
        f"""
        SELECT count(*)
        FROM signals s JOIN (SELECT {key} AS id, min(decided_at) AS first_at FROM candidates GROUP BY 1) c ON s.join_id = c.id
        WHERE s.join_on = {join_on} AND s.event_time + INTERVAL {CLOCK_SKEW_S} SECOND < c.first_at
        """,
    )
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
