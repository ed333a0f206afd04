"""How the outcomes of a store meet its decisions, by the rules of the audit (`undertow.adapters.duckdb.joins`), told a source at a time.

The audit sums outcomes over decisions and needs no more of them than that; here it is asked of each outcome whether it belongs to one, by
which key, and if not, why.
"""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import duckdb

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.inputs import LogInputs, find_files
from undertow.adapters.duckdb.intake import open_tables
from undertow.adapters.duckdb.row_rules import CLOCK_SKEW_S
from undertow.adapters.duckdb.sql import literal
from undertow.adapters.duckdb.views import IS_LIVE, create_decision_views, create_signal_view, until_filter
from undertow.errors import LogError
from undertow.ports.audit_source import CellOptions, OutcomeWindow, Progress, silent
from undertow.records.outcome import JOIN_KEYS, OutcomeJoins, UnjoinedOutcome

MEMORY_LIMIT = "1GB"
LISTINGS = 5
"""How often all is done anew because a keeper took a file away between its finding and its reading."""

Found = TypeVar("Found")


def outcome_joins(
    store: Path, windows: Sequence[OutcomeWindow], priced: frozenset[str], now: datetime, progress: Progress = silent
) -> tuple[OutcomeJoins, ...]:
    """How outcomes are joined, a source and name at a time.

    Args:
        store: The store's root folder.
        windows: Of the outcomes that the settings know; others have the usual ones.
        priced: Names of outcomes that have a price.
        now: The time, aware: what is older than an outcome's maturity counts in its rate.
        progress: Told what is done.

    Raises:
        LogError: The store cannot be read.
    """
    return _ask(store, windows, progress, lambda engine: _joins(engine, windows, priced, now))


def unjoined_outcomes(
    store: Path, windows: Sequence[OutcomeWindow], limit: int, progress: Progress = silent
) -> tuple[UnjoinedOutcome, ...]:
    """Outcomes that belong to no decision, the latest first.

    Args:
        store: The store's root folder.
        windows: Of the outcomes that the settings know.
        limit: At most so many.
        progress: Told what is done.

    Raises:
        LogError: The store cannot be read.
    """
    return _ask(store, windows, progress, lambda engine: _unjoined(engine, limit))


def _ask(
    store: Path, windows: Sequence[OutcomeWindow], progress: Progress, ask: Callable[[duckdb.DuckDBPyConnection], Found]
) -> Found:
    for attempt in range(LISTINGS):
        with tempfile.TemporaryDirectory(prefix="undertow-outcomes-") as spool:
            engine = open_engine(MEMORY_LIMIT, None, spool)
            with closing(engine):
                try:
                    _open(engine, store, windows, Path(spool), progress)
                    return ask(engine)
                except FileNotFoundError:
                    if attempt == LISTINGS - 1:
                        raise LogError(f"{store}: files were removed while they were read; try again") from None
                except duckdb.Error as error:
                    raise LogError(
                        f"{store}: the log cannot be read (the engine stopped with {type(error).__name__}); `undertow audit` says what is wrong"
                    ) from error
    raise AssertionError("the last attempt returns or raises")


def _open(
    engine: duckdb.DuckDBPyConnection, store: Path, windows: Sequence[OutcomeWindow], spool: Path, progress: Progress
) -> None:
    """Create table `told`: each outcome in force with its decision, or why it has none."""
    inputs = LogInputs((str(store),))
    found = find_files(inputs)
    tables = open_tables(engine, found, inputs, CellOptions(), spool, progress)
    create_decision_views(engine, tables.decisions, {}, None)
    if not tables.signals:
        engine.execute(f"CREATE TEMP TABLE told ({_TOLD})")
        return
    create_signal_view(engine, tables.signals)
    progress("joining outcomes", 0, None)
    engine.execute(
        """
        CREATE TEMP TABLE revisions AS
        SELECT signal_id, coalesce(source, '') AS source, name, event_time, greatest(event_time, coalesce(received_at, event_time)) AS available_at,
               decision_id, conversation_id, user_id, coalesce(revision, 0) AS revision, coalesce(deleted, false) AS deleted,
               row_number() OVER (PARTITION BY signal_id ORDER BY coalesce(revision, 0) DESC, available_at, event_time) AS place,
               first_value(revision) OVER (PARTITION BY signal_id ORDER BY coalesce(revision, 0) DESC, available_at, event_time) AS latest
        FROM signals_checked WHERE NOT rejected AND kind = 'outcome'
        """
    )
    # Of decisions those alone that some outcome asks for: a log has many more of them than outcomes.
    engine.execute(
        f"""
        CREATE TEMP TABLE asked AS
        SELECT decision_id, conversation_id, user_id, event_time AS decided_at, eligible, {IS_LIVE} AS is_live
        FROM decisions
        WHERE decision_id IN (SELECT decision_id FROM revisions) OR conversation_id IN (SELECT conversation_id FROM revisions)
           OR user_id IN (SELECT user_id FROM revisions)
        """
    )
    engine.execute(
        f"""
        CREATE TEMP TABLE outcomes AS
        SELECT *, event_time + INTERVAL {CLOCK_SKEW_S} SECOND AS reach,
               CASE WHEN decision_id IS NOT NULL THEN 'decision' WHEN conversation_id IS NOT NULL THEN 'conversation' ELSE 'user' END AS key
        FROM revisions WHERE place = 1
        """
    )
    parts = " UNION ALL ".join([_by_decision(), *(_by_latest(key) for key in JOIN_KEYS[1:])])
    engine.execute(
        f"CREATE TEMP TABLE told AS SELECT *, {_REASON} AS reason FROM (SELECT *, {_days(windows)} AS window_days FROM ({parts}))"
    )


_TOLD = (
    "signal_id VARCHAR, source VARCHAR, name VARCHAR, event_time TIMESTAMP, revision BIGINT, deleted BOOLEAN, key VARCHAR, id VARCHAR, "
    "decided_at TIMESTAMP, eligible BOOLEAN, is_live BOOLEAN, is_known BOOLEAN, window_days DOUBLE, reason VARCHAR"
)
_OUTCOME = "o.signal_id, o.source, o.name, o.event_time, o.revision, o.deleted, o.key"


def _by_decision() -> str:
    return (
        f"SELECT {_OUTCOME}, o.decision_id AS id, d.decided_at, d.eligible, d.is_live, d.decision_id IS NOT NULL AS is_known "
        "FROM outcomes o LEFT JOIN (SELECT * FROM asked QUALIFY row_number() OVER (PARTITION BY decision_id ORDER BY decided_at) = 1) d "
        "ON o.decision_id = d.decision_id WHERE o.key = 'decision'"
    )


def _by_latest(key: str) -> str:
    column = f"{key}_id"
    return (
        f"SELECT {_OUTCOME}, o.{column} AS id, d.decided_at, d.eligible, true AS is_live, "
        f"o.{column} IN (SELECT {column} FROM asked WHERE is_live) AS is_known "
        f"FROM outcomes o ASOF LEFT JOIN (SELECT * FROM asked WHERE is_live AND {column} IS NOT NULL "
        f"QUALIFY row_number() OVER (PARTITION BY {column}, decided_at ORDER BY hash(decision_id) DESC) = 1) d "
        f"ON o.{column} = d.{column} AND o.reach >= d.decided_at WHERE o.key = '{key}'"
    )


def _days(windows: Sequence[OutcomeWindow], *, maturity: bool = False) -> str:
    usual = OutcomeWindow("")
    cases = " ".join(
        f"WHEN {literal(w.name)} THEN {float(w.maturity_days if maturity else w.attribution_days)!r}" for w in windows
    )
    default = repr(usual.maturity_days if maturity else usual.attribution_days)
    return f"CASE name {cases} ELSE {default} END" if cases else default


_REASON = (
    "CASE WHEN NOT coalesce(is_known, false) THEN 'unknown_' || key "
    f"WHEN decided_at IS NULL OR event_time < decided_at - INTERVAL {CLOCK_SKEW_S} SECOND THEN 'signal_before_decision' "
    "WHEN NOT is_live THEN 'not_live' "
    "WHEN key <> 'decision' AND epoch(event_time) - epoch(decided_at) > 86400.0 * window_days THEN 'outside_attribution_window' END"
)
"""Why an outcome belongs to no decision; null where it does."""


def _joins(
    engine: duckdb.DuckDBPyConnection, windows: Sequence[OutcomeWindow], priced: frozenset[str], now: datetime
) -> tuple[OutcomeJoins, ...]:
    by_key = ", ".join(f"count(*) FILTER (reason IS NULL AND key = '{key}' AND NOT deleted)" for key in JOIN_KEYS)
    maturity = _days(windows, maturity=True)
    ripe = until_filter(f"(decided_at + INTERVAL 1 SECOND * CAST(86400.0 * ({maturity}) AS BIGINT))", now)
    rows = engine.execute(
        f"""
        SELECT source, name, count(*) FILTER (NOT deleted), count(*) FILTER (deleted), {by_key},
               count(*) FILTER (NOT deleted AND reason IS NULL AND eligible IS false),
               strftime(max(event_time), '%Y-%m-%dT%H:%M:%S.%gZ'), any_value(window_days), any_value({maturity}),
               count(*) FILTER (NOT deleted AND reason IS NULL AND {ripe})
        FROM told GROUP BY source, name ORDER BY source, name
        """
    ).fetchall()
    reasons: dict[tuple[str, str], dict[str, int]] = {}
    for source, name, reason, count in engine.execute(
        "SELECT source, name, reason, count(*) FROM told WHERE reason IS NOT NULL AND NOT deleted GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        reasons.setdefault((source, name), {})[reason] = int(count)
    corrected = _corrected(engine)
    return tuple(
        OutcomeJoins(
            source=row[0],
            name=row[1],
            outcomes=int(row[2]),
            deleted=int(row[3]),
            corrected=corrected.get((row[0], row[1]), 0),
            joined=dict(zip(JOIN_KEYS, (int(count) for count in row[4:7]), strict=True)),
            unjoined=reasons.get((row[0], row[1]), {}),
            ineligible=int(row[7]),
            last_event=row[8],
            attribution_days=float(row[9]),
            maturity_days=float(row[10]),
            mature=int(row[11]),
            is_priced=row[1] in priced,
        )
        for row in rows
    )


def _corrected(engine: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Revisions that gave way to a later one."""
    has = engine.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'revisions'").fetchone()
    if has is None or not has[0]:
        return {}
    found = engine.execute(
        "SELECT source, name, count(*) FROM revisions WHERE place > 1 AND revision < coalesce(latest, 0) GROUP BY ALL"
    ).fetchall()
    return {(source, name): int(count) for source, name, count in found}


def _unjoined(engine: duckdb.DuckDBPyConnection, limit: int) -> tuple[UnjoinedOutcome, ...]:
    rows = engine.execute(
        "SELECT signal_id, source, name, strftime(event_time, '%Y-%m-%dT%H:%M:%S.%gZ'), key, id, reason FROM told "
        "WHERE reason IS NOT NULL AND NOT deleted ORDER BY event_time DESC, signal_id LIMIT ?",
        [limit],
    ).fetchall()
    return tuple(UnjoinedOutcome(*row) for row in rows)
