"""What the dashboard reads: a log, as it was last read, and as it looked on an earlier day.

Reading a log of ten million decisions takes seconds, so pages never wait for it: they show the last reading, and a thread reads anew once
the log has changed. What was read is kept in a file of the store, so that a dashboard that is started again has something to show at once.
An earlier day is audited from the same cells, cut at its end (`undertow.records.cut`).
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.adapters.cells_file import load_cells, save_cells
from undertow.adapters.log_state import log_state
from undertow.adapters.store.watching_calls import store_roots
from undertow.bootstrap.audit import AuditRequest, audit_cells, read_cells
from undertow.bootstrap.store_notes import StoreNotes, store_notes
from undertow.errors import DataError, UndertowError
from undertow.records.cells import AuditCells
from undertow.records.cut import cut_cells
from undertow.records.report import AuditReport

if TYPE_CHECKING:
    from undertow.services.topic_memory import TopicMemory

log = logging.getLogger("undertow.dashboard")

CELLS = "state/dashboard/cells.msgpack"
"""Where a store keeps its cells."""

REFRESH_S = 30.0
"""Seconds between two looks whether the log has changed."""

REST = 10.0
"""A log that changes all the time is read anew after so many times what the last reading took: a busy gateway needs its processors."""

LAST_STEP_S = 0.5
"""Seconds that the end waits for a reading: it ends between two of its steps."""

DAYS_KEPT = 64
"""Audits as of earlier days that are kept."""


class StoppedError(Exception):
    """A reading was given up since the dashboard ends."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A log as it was read.

    Attributes:
        cells: Its sufficient statistics.
        report: The audit of them.
        at: When it was read, aware.
        notes: What the store says beside its log.
        memory: What was found of its texts: earlier days have the same topics.
    """

    cells: AuditCells
    report: AuditReport
    at: datetime
    notes: StoreNotes = field(default_factory=StoreNotes)
    memory: "TopicMemory | None" = None


@dataclass(frozen=True, slots=True)
class Reading:
    """Where reading stands.

    Attributes:
        is_reading: A reading is under way.
        what: What it does, in words; empty: nothing.
        done, total: How much of it; `total` None: unknown.
        problem: Why the last one failed, in one line; empty: it did not.
    """

    is_reading: bool = False
    what: str = ""
    done: float = 0
    total: float | None = None
    problem: str = ""


class LogView:
    """A log that pages are made from. Its methods may be called from any thread.

    Args:
        request: What is audited and how.
        refresh_s: Seconds between two looks whether the log has changed.
        now: The time, aware.
    """

    def __init__(
        self,
        request: AuditRequest,
        refresh_s: float = REFRESH_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.request = request
        self._refresh_s, self._now = refresh_s, now
        roots = store_roots(request.inputs)
        self._file: Path | None = roots[0] / CELLS if len(roots) == len(request.inputs) == 1 else None
        self._seen: Seen | None = None
        self._key = ""
        self._reading = Reading()
        self._lock = threading.Lock()
        self._work = threading.Lock()
        self._day_work = threading.Lock()
        self._by_day: OrderedDict[date, AuditReport] = OrderedDict()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def seen(self) -> Seen | None:
        """The last reading, or None: there is none yet."""
        return self._seen

    @property
    def reading(self) -> Reading:
        """Where reading stands."""
        return self._reading

    def start(self) -> None:
        """Read in the background, and again whenever the log has changed, until `stop`."""
        self._thread = threading.Thread(target=self._run, name="log-view", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the background reading: one that is under way is given up."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(LAST_STEP_S)

    def refresh(self) -> None:
        """Read the log anew if it has changed. What goes wrong is told by `reading`, and the last reading stays."""
        with self._work:
            try:
                self._restore()
                key = log_state(self.request.inputs)
                if self._seen is not None and key == self._key:
                    self._reading = Reading()
                    return
                self._reading = Reading(is_reading=True, what="reading the log")
                cells = read_cells(replace(self.request, now=self._now()), self._tell)
                self._take(key, cells, self._now())
                self._keep(key, cells)
            except StoppedError:
                self._reading = Reading()
            except UndertowError as error:
                self._reading = Reading(problem=str(error))
            except OSError as error:
                self._reading = Reading(problem=f"the log cannot be read ({error.strerror or type(error).__name__})")
            except Exception as error:  # pages go on showing the last reading
                log.exception("log_not_read")
                self._reading = Reading(problem=f"the log could not be read ({type(error).__name__}); the dashboard's log says why")  # fmt: skip

    def as_of(self, day: date) -> AuditReport:
        """The audit of what was known at the end of a day (UTC).

        Raises:
            DataError: Nothing has been read yet, or nothing was there by then.
        """
        seen = self._seen
        if seen is None:
            raise DataError("the log has not been read yet")
        until = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        if until > seen.report.period[1]:
            return seen.report
        if until <= seen.report.period[0]:
            raise DataError(f"nothing was known on {day}: the log begins on {seen.report.period[0]:%Y-%m-%d}")
        # One at a time: two would take twice as long both, and who asks for the same day waits for it.
        with self._day_work:
            found = self._day_kept(seen, day)
            return self._day_made(seen, day, until) if found is None else found

    def _day_kept(self, seen: Seen, day: date) -> AuditReport | None:
        with self._lock:
            if self._seen is not seen or day not in self._by_day:
                return None
            self._by_day.move_to_end(day)
            return self._by_day[day]

    def _day_made(self, seen: Seen, day: date, until: datetime) -> AuditReport:
        cut = cut_cells(seen.cells, int(until.timestamp() // seen.cells.bucket_s))
        report = audit_cells(replace(self.request, until=until, baseline_until=None), cut, seen.notes, seen.memory)
        with self._lock:
            if self._seen is seen:  # else the log was read anew meanwhile
                self._by_day[day] = report
                while len(self._by_day) > DAYS_KEPT:
                    self._by_day.popitem(last=False)
        return report

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            self.refresh()
            self._stop.wait(max(self._refresh_s, REST * (time.monotonic() - began)))

    def _restore(self) -> None:
        """What an earlier process has kept, until the log has been read."""
        if self._seen is not None or self._file is None:
            return
        kept = load_cells(self._file)
        if kept is None:
            return
        self._reading = Reading(is_reading=True, what="weighing the evidence")
        try:
            self._take(kept[0], kept[1], datetime.fromtimestamp(self._file.stat().st_mtime, UTC))
        except (UndertowError, OSError, ValueError, IndexError, KeyError):
            self._seen = None  # of another version, or of somebody else's making: the log says it better

    def _take(self, key: str, cells: AuditCells, at: datetime) -> None:
        self._tell("weighing the evidence", 0, None)
        from undertow.services.topic_memory import TopicMemory  # noqa: PLC0415 (scipy: the process listens before that)

        notes, memory = store_notes(self.request.inputs), TopicMemory()
        seen = Seen(cells, audit_cells(self.request, cells, notes, memory), at, notes, memory)
        with self._lock:
            self._seen, self._key = seen, key
            self._by_day.clear()
        self._reading = Reading()

    def _keep(self, key: str, cells: AuditCells) -> None:
        if self._file is None:
            return
        try:
            save_cells(self._file, key, cells)
        except OSError as error:  # a store that may only be read is read again after each start
            log.warning("cells_not_kept", extra={"why": error.strerror})

    def _tell(self, stage: str, done: float, total: float | None) -> None:
        if self._stop.is_set():
            raise StoppedError
        self._reading = Reading(True, stage, done, total)
