"""Pulls outcomes: reads what is new of a source, settles each row against what is known, and writes signals.

Whatever happens in between, a pull may be run again: a row that is known as it is writes nothing. A place (a file, a query) counts as
read only once all of its rows are on the disk; one that fails is told and does not stop the others.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from undertow.errors import ConfigError, DataError, LogError
from undertow.joins.outcomes import Rules, Settled, settle, signal_id
from undertow.ports.audit_source import Progress, silent
from undertow.ports.decision_log import SignalLog
from undertow.ports.outcomes import OutcomeBook, OutcomeSource, Place, StillWritten
from undertow.records.moment import rfc3339
from undertow.records.outcome import KnownOutcome, OutcomeRow, Pulled, Refused, SetAside, SourceState
from undertow.records.serving import SourcePlan

OVERLAP = timedelta(minutes=15)
"""A query asks again for what was changed this long before the last pull: a transaction may have ended after it began."""

MOST_ROWS = 100_000_000
"""Rows of one place; more is a mistake in a query."""


class SyncedSignalLog(SignalLog, Protocol):
    """A log of signals that can say when they are on the disk."""

    def sync(self) -> None:
        """Wait until the disk has everything."""
        ...


@dataclass(frozen=True, slots=True)
class PullRun:
    """One pull.

    Attributes:
        at: Now, aware: when the rows are received.
        pseudonym: Applied to user and conversation ids.
        again: Read everything anew, also what has not changed.
    """

    at: datetime
    pseudonym: Callable[[str], str] = str
    again: bool = False


@dataclass(slots=True)
class _Tally:
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    last_event: str | None = None


@contextmanager
def alone(book: OutcomeBook) -> Iterator[None]:
    """Keep all others from pulling into the store.

    Raises:
        DataError: Another process is at it.
        OSError: The store cannot be written.
    """
    with book.locked() as is_mine:
        if not is_mine:
            raise DataError("another process is pulling outcomes into this store; wait until it is done")
        yield


def pull(
    plan: SourcePlan,
    source: OutcomeSource,
    book: OutcomeBook,
    signals: SyncedSignalLog,
    run: PullRun,
    progress: Progress = silent,
) -> Pulled:
    """Pull one source; only while `alone`.

    Args:
        plan: Of the source.
        source: What is read.
        book: What is known.
        signals: Where signals are written.
        run: When, and how.
        progress: Told of each place.

    Raises:
        OSError: The store cannot be written. What was written stays, and is known.
    """
    name = plan.name
    before = book.state(name)
    rules = Rules(name, plan.currency, run.at, run.pseudonym, plan.outcome or name)
    total = _Tally()
    places = unchanged = 0
    left: dict[str, str] = {}
    failed: dict[str, str] = {}
    try:
        for place in source.places(_since(before, run)):
            if not isinstance(place, Place):
                left[place[0]] = place[1]
                continue
            if not run.again and place.fingerprint is not None and book.seen(name, place.name) == place.fingerprint:
                unchanged += 1
                continue
            progress(f"{name}: {place.name}", places, None)
            try:
                _read(place, book, signals, rules, total)
            except StillWritten as error:
                left[place.name] = str(error)
            except (LogError, ConfigError) as error:
                failed[place.name] = str(error)
            else:
                book.finish(name, place.name, place.fingerprint)
                places += 1
    except (LogError, ConfigError) as error:
        failed[name] = str(error)
    counts = total.counts
    state = SourceState(
        pulls=before.pulls + 1,
        read=before.read + counts["read"],
        accepted=before.accepted + counts["accepted"],
        duplicates=before.duplicates + counts["duplicate"],
        corrected=before.corrected + counts["corrected"],
        deleted=before.deleted + counts["deleted"],
        tried_at=rfc3339(run.at),
        last_pull_at=before.last_pull_at if failed else rfc3339(run.at),
        last_event=max(filter(None, (before.last_event, total.last_event)), default=None),
        cursor=before.cursor if failed else rfc3339(run.at - OVERLAP),
        error=next(iter(failed.values()), None),
    )
    rejects = book.close_pull(name, state)
    return Pulled(
        name,
        places,
        unchanged,
        left,
        counts["read"],
        counts["accepted"],
        counts["duplicate"],
        counts["corrected"],
        counts["deleted"],
        dict(sorted(total.reasons.items())),
        failed,
        rejects,
    )


def _since(state: SourceState, run: PullRun) -> datetime | None:
    return None if run.again or state.cursor is None else datetime.fromisoformat(state.cursor)


def is_due(state: SourceState, every_minutes: float, now: datetime) -> bool:
    """Whether a source is to be pulled again.

    Args:
        state: Where it stands.
        every_minutes: Minutes between two pulls.
        now: The time, aware. A last pull that lies ahead of it (the clock was set back) does not hold it up.
    """
    if state.tried_at is None:
        return True
    since = now - datetime.fromisoformat(state.tried_at)
    return not timedelta(0) <= since < timedelta(minutes=every_minutes)


def _read(place: Place, book: OutcomeBook, signals: SyncedSignalLog, rules: Rules, total: _Tally) -> None:
    read = 0
    for batch in _batches(place):
        if read == 0 and place.fingerprint is not None:
            # A query may not give its rows again: what was set aside of them stays.
            book.begin(rules.source, place.name)
        read += len(batch)
        if read > MOST_ROWS:
            raise LogError(f"{place.name}: more than {MOST_ROWS:,} rows; narrow it down")
        known = book.known([signal_id(row, rules) for row in batch])
        fresh: list[KnownOutcome] = []
        aside: list[SetAside] = []
        for row in batch:
            key = signal_id(row, rules)
            match settle(row, known.get(key), rules):
                case Refused(reason, column):
                    aside.append(SetAside(place.name, row.key, row.number, reason, column))
                    total.reasons[reason] += 1
                case Settled(what, outcome):
                    total.counts[what] += 1
                    if outcome is not None:
                        known[key] = outcome
                        fresh.append(outcome)
                        total.last_event = max(filter(None, (total.last_event, outcome.record.event_time)))
        total.counts["read"] += len(batch)
        if fresh:
            signals.add(tuple(outcome.record for outcome in fresh))
            # The index may not know what the disk does not have: such rows would never be written again.
            signals.sync()
        book.note(fresh, aside, rules.source)


def _batches(place: Place) -> Iterator[Sequence[OutcomeRow]]:
    """The rows of a place; what its content makes go wrong in reading it is told as its own, and the others are read."""
    try:
        yield from place.rows
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        raise LogError(f"{place.name}: cannot be read ({type(error).__name__}); export it again") from error
