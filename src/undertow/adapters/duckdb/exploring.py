"""Finds single decisions of a log in Undertow's own format: newest first, filtered, with what signals say of each.

The search goes back through windows of days that double, so that a page of the newest decisions reads one day's files and a rare kind is still
found within a few looks. Time and memory of a look are bounded; one that runs out of time says how far it came.
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb

from undertow.adapters.duckdb.connection import open_engine
from undertow.adapters.duckdb.decision_rows import (
    ROW,
    columns_of,
    conditions_of,
    cursor_after,
    day_of,
    files_near,
    naive,
    record_of,
    row_of,
    start_of,
)
from undertow.adapters.duckdb.decision_signals import ABOUT, WHOLE, label_tables, nobody_is, signals_of, values_of
from undertow.adapters.duckdb.inputs import FoundFiles, LogFile, LogInputs, Role, find_files
from undertow.adapters.duckdb.row_views import rows_sql
from undertow.adapters.duckdb.views import IS_LIVE
from undertow.errors import LogError
from undertow.records.columns import LOG_COLUMNS, SIGNAL_COLUMNS
from undertow.records.decision import DecisionRecord
from undertow.records.exploring import (
    Cursor,
    DecisionFilter,
    DecisionPage,
    DecisionRow,
    FoundDecision,
)

LIMIT_S = 4.0
MEMORY = "512MB"
THREADS = 2
AT_ONCE = 2
"""Looks at the same time: each may take `MEMORY`."""

WAIT_S = 5.0
LISTINGS = 3
EXCERPT_CHARS = 160
MAX_ROWS = 500

_NEVER = datetime(2200, 1, 1, tzinfo=UTC)
"""Where a look begins that was over before it knew the log's days."""

_FILTERED = ("origin",)
_EXCERPT = (
    "CASE WHEN len(list_filter(draws, lambda each: each.purpose = 'review' AND each.chosen)) > 0 THEN NULL "
    f"ELSE left(prompt, {EXCERPT_CHARS}) END"
)
"""What was drawn for review is judged blind: its text never stands beside its tier in a list."""


class OutOfTimeError(Exception):
    """A look took longer than it may."""


class DuckDbDecisionBook:
    """Implements `undertow.ports.exploring.DecisionBook`.

    Args:
        inputs: The log, in Undertow's own format.
        limit_s: Seconds that one look may take.
    """

    def __init__(self, inputs: LogInputs, limit_s: float = LIMIT_S) -> None:
        self._inputs, self._limit_s = inputs, limit_s
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def page(self, wanted: DecisionFilter, after: Cursor | None, limit: int, *, with_text: bool) -> DecisionPage:
        """Decisions that are like that, newest first."""
        return self._look(lambda look: look.page(wanted, after, min(limit, MAX_ROWS), with_text=with_text))

    def one(self, decision_id: str, day: date | None) -> FoundDecision | None:
        """One decision, or None: there is none, or it was not found in the time that a look may take."""
        return self._look(lambda look: look.one(decision_id, day))

    def _look(self, act: Any) -> Any:
        if not self._turns.acquire(timeout=WAIT_S):
            raise LogError("too many look for decisions at once; try again in a moment")
        try:
            for listing in range(LISTINGS):
                try:
                    with _engine(self._limit_s) as engine:
                        return act(_Look(engine, find_files(self._inputs), time.monotonic() + self._limit_s))
                except duckdb.OutOfMemoryException as error:
                    raise LogError("this look needs more memory than it may take; name a day or a tier") from error
                except (duckdb.IOException, duckdb.InvalidInputException) as error:
                    # A segment that was sealed, converted or compacted between listing and reading is found under its new name.
                    if listing == LISTINGS - 1:
                        raise LogError("the log's files cannot be read; `undertow audit` says which and why") from error
        finally:
            self._turns.release()
        raise AssertionError


@contextlib.contextmanager
def _engine(limit_s: float) -> Iterator[duckdb.DuckDBPyConnection]:
    engine = open_engine(MEMORY, THREADS, None)
    timer = threading.Timer(limit_s, _interrupt, (engine,))
    timer.daemon = True
    timer.start()
    try:
        yield engine
    finally:
        timer.cancel()
        engine.close()


def _interrupt(engine: duckdb.DuckDBPyConnection) -> None:
    with contextlib.suppress(duckdb.Error):  # it was closed at this very moment
        engine.interrupt()


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at a log.

    Attributes:
        engine: Interrupted once the time is over.
        files: The log's files.
        until: When that is, by the monotonic clock.
    """

    engine: duckdb.DuckDBPyConnection
    files: FoundFiles
    until: float

    def page(self, wanted: DecisionFilter, after: Cursor | None, limit: int, *, with_text: bool) -> DecisionPage:
        found: list[tuple[Any, ...]] = []
        reached = _NEVER
        try:
            first, last = self._days(wanted, after)
            if last is None or first is None:
                return DecisionPage(())
            if wanted.label:
                for statement in label_tables(self._signals(first, ABOUT, "signals")):
                    self._rows(statement)
                if wanted.label != "none" and self._rows(nobody_is(wanted.label))[0][0]:
                    return DecisionPage(())
            span, is_full = 1, False
            reached = start_of(last + timedelta(days=1))
            while last >= first and not is_full:
                begin = max(first, last - timedelta(days=span - 1))
                asked = limit + 1 - len(found)
                more = self._window(wanted, after, begin, last, asked, with_text=with_text)
                is_full = len(more) >= asked
                # A record that was written twice, as after a crash, is one decision.
                found = list({row[0]: row for row in [*found, *more]}.values())
                reached = start_of(begin)
                last, span = begin - timedelta(days=1), span * 2
        except (duckdb.InterruptException, OutOfTimeError):
            edge = Cursor(reached) if after is None or reached < after.at else after
            return DecisionPage(self._with_signals(found[:limit]), edge, edge.at)
        rows = self._with_signals(found[:limit])
        return DecisionPage(rows, cursor_after(rows) if is_full else None)

    def one(self, decision_id: str, day: date | None) -> FoundDecision | None:
        files = self.files.of("decisions")
        near = files_near(files, day, day) if day is not None else ()
        record = None
        # First where it should be, then everywhere: an address may name a wrong day.
        for group in ([near] if near else []) + [tuple(file for file in files if file not in near)]:
            try:
                record = self._record(group, decision_id)
            except (duckdb.InterruptException, OutOfTimeError):
                return None
            if record is not None:
                break
        if record is None:
            return None
        try:
            day = date.fromisoformat(record.event_time[:10])
            signals, more = signals_of(self._rows, self._signals(day, WHOLE, "signals", "outcomes"), record)
        except (duckdb.InterruptException, OutOfTimeError):
            signals, more = (), 0
        return FoundDecision(record, signals, more)

    def _in_time(self) -> None:
        # An interrupt that came between two statements is not remembered by the engine.
        if time.monotonic() > self.until:
            raise OutOfTimeError

    def _rows(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        self._in_time()
        return self.engine.execute(statement, values).fetchall()

    def _days(self, wanted: DecisionFilter, after: Cursor | None) -> tuple[date | None, date | None]:
        """First and last day in which there may be something."""
        files = self.files.of("decisions")
        days = [day for file in files if (day := day_of(file)) is not None]
        ends = [min(days) - timedelta(days=1), max(days) + timedelta(days=1)] if days else []
        source = rows_sql(self.engine, [file for file in files if day_of(file) is None], columns_of(("event_time",)))
        if source is not None:
            low, high = self._rows(f"SELECT min(event_time), max(event_time) FROM {source}")[0]
            ends += [moment.date() for moment in (low, high) if moment is not None]
        if not ends:
            return None, None
        lows, highs = [min(ends)], [max(ends)]
        lows += [wanted.first_day] if wanted.first_day is not None else []
        highs += [wanted.last_day] if wanted.last_day is not None else []
        highs += [after.at.astimezone(UTC).date()] if after is not None else []
        return max(lows), min(highs)

    def _signals(self, first: date, names: Sequence[str], *roles: Role) -> str | None:
        """Signals that came on a day or later, with some columns; a signal never comes before its decision."""
        return rows_sql(self.engine, files_near(self.files.of(*roles), first, None), columns_of(names, SIGNAL_COLUMNS))

    def _window(
        self, wanted: DecisionFilter, after: Cursor | None, begin: date, end: date, limit: int, *, with_text: bool
    ) -> list[tuple[Any, ...]]:
        files = files_near(self.files.of("decisions"), begin, end)
        names = (*ROW, *_FILTERED, *(("prompt", "draws") if with_text else ()))
        source = rows_sql(self.engine, files, columns_of(names))
        if source is None:
            return []
        tests, values = conditions_of(wanted)
        tests += ["event_time >= ? AND event_time < ?", "decision_id IS NOT NULL", IS_LIVE]
        values += [naive(start_of(begin)), naive(start_of(end + timedelta(days=1)))]
        if after is not None:
            tests.append("(event_time < ? OR (event_time = ? AND decision_id < ?))")
            values += [naive(after.at), naive(after.at), after.decision_id]
        shown = ", ".join(ROW) + f", {_EXCERPT if with_text else 'CAST(NULL AS VARCHAR)'}"
        return self._rows(
            f"SELECT {shown} FROM {source} WHERE {' AND '.join(tests)} ORDER BY event_time DESC, decision_id DESC LIMIT {int(limit)}",
            values,
        )

    def _with_signals(self, found: Sequence[tuple[Any, ...]]) -> tuple[DecisionRow, ...]:
        rows = tuple(row_of(each) for each in found)
        if not rows:
            return ()
        keys = [(each[ROW.index("decision_id")], each[ROW.index("conversation_id")]) for each in found]
        try:
            said = values_of(self._rows, self._signals(rows[-1].event_time.date(), ABOUT, "signals"), keys)
        except (duckdb.InterruptException, OutOfTimeError):
            return rows
        return tuple(
            replace(row, signals=len(values), worst=min(values, default=None))
            for row, values in zip(rows, said, strict=True)
        )

    def _record(self, files: Sequence[LogFile], decision_id: str) -> DecisionRecord | None:
        source = rows_sql(self.engine, files, LOG_COLUMNS)
        if source is None:
            return None
        names = ", ".join(
            f"strftime({each.name}, '%Y-%m-%dT%H:%M:%S.%gZ') AS {each.name}"
            if each.sql_type == "TIMESTAMP"
            else each.name
            for each in LOG_COLUMNS
        )
        found = self._rows(
            f"SELECT to_json(r) FROM (SELECT {names} FROM {source} WHERE decision_id = ? AND event_time IS NOT NULL LIMIT 1) r",
            [decision_id],
        )
        return record_of(found[0][0]) if found else None
