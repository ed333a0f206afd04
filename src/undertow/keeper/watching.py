"""The job that looks at the gateway's own log: it writes the audit down, tells of new alarms, and plans what is drawn next."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.adapters.telemetry.json_logs import fields
from undertow.records.runtime_files import WATCH_REPORT
from undertow.records.serving import ReviewPlan, ShadowPlan, TuningPlan

if TYPE_CHECKING:
    from undertow.bootstrap.watching import Watched
    from undertow.records.report import Alarm, AuditReport
    from undertow.records.segment import Segment

log = logging.getLogger("undertow.keeper")

FIRST_PAUSE_S = 60.0
"""Until the first look, and twice as long from each to the next while a store is young: its first rates are guesses."""


class Watching:
    """Looks at one store.

    Args:
        store: Its root folder.
        monitors: What holds for the audit.
        review: Reviews a day and how they are spent.
        shadow: Second answers.
        tiers: All tiers, cheapest first.
        calibrations: Artefacts of the policy `auto`.
        every_s: Longest pause between two looks.
        now: The time, aware.
        after: Called with the audit of each look that succeeded (None: there is nothing to audit yet); returns what it counted.
        guard: Called before that with what a look found; returns what it counted.
        id_key: Key of the store's ids and sketches, or None.
    """

    def __init__(
        self,
        store: Path,
        monitors: TuningPlan,
        review: ReviewPlan,
        shadow: ShadowPlan,
        tiers: tuple[str, ...],
        calibrations: tuple[str, ...],
        every_s: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        after: "Callable[[AuditReport | None], Mapping[str, int]]" = lambda _: {},
        guard: "Callable[[Watched], Mapping[str, int]]" = lambda _: {},
        id_key: bytes | None = None,
    ) -> None:
        self._id_key = id_key
        self._store, self._monitors, self._tiers, self._now = store, monitors, tiers, now
        self._after, self._guard = after, guard
        self._review, self._shadow = review, shadow
        self._calibrations, self._every_s = calibrations, every_s
        self._pause_s = min(FIRST_PAUSE_S, every_s)
        self._due_at: datetime | None = None
        self._told: set[tuple[str, ...]] = set()

    def run(self) -> Mapping[str, int]:
        """Run of the job `watching`; most runs find that it is not time yet.

        Raises:
            UndertowError: The store cannot be audited.
            OSError: It cannot be read or written.
        """
        now = self._now()
        pause = timedelta(seconds=self._pause_s)
        if self._due_at is None or self._due_at - now > pause:  # the latter: the clock was set back
            self._due_at = now + pause
        if now < self._due_at:
            return {}
        counted = self.look()
        self._pause_s = min(self._every_s, 2.0 * self._pause_s)
        self._due_at = self._now() + timedelta(seconds=self._pause_s)
        return counted

    def look(self) -> Mapping[str, int]:
        """Look now; see `run`."""
        # numpy, scipy, DuckDB and pydantic: loaded once the job runs.
        from undertow.adapters.whole_file import PRIVATE, write_whole  # noqa: PLC0415
        from undertow.bootstrap.calibration_files import scores_of  # noqa: PLC0415
        from undertow.bootstrap.tuning import audit_settings_of  # noqa: PLC0415
        from undertow.bootstrap.watching import watch_store  # noqa: PLC0415
        from undertow.reports.json import to_json  # noqa: PLC0415

        settings = audit_settings_of(self._monitors, self._tiers)
        seen = watch_store(
            self._store,
            settings,
            self._review,
            self._shadow,
            self._tiers,
            self._now(),
            scores_of(self._calibrations),
            self._id_key,
        )
        counted = {"looks": 1}
        if seen.is_changed and seen.rates is not None:
            log.info(
                "sampling_rates_changed",
                extra=fields(version=seen.rates.version, reasons="; ".join(seen.rates.reasons)),
            )
            counted["sampling_rates_changed"] = 1
        for suspicion in (each for each in seen.suspicions if each.is_suspect):
            log.info(
                "reviews_steered",
                extra=fields(
                    tier=suspicion.tier,
                    segment=suspicion.segment,
                    stratum=suspicion.stratum,
                    evidence=round(suspicion.evidence, 1),
                ),
            )
        if seen.report is not None:
            path = self._store / WATCH_REPORT
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, to_json(seen.report), PRIVATE)  # names and examples of slices are words of users
            counted["alarms_raised"] = self._tell(seen.report)
        counted |= self._guard(seen)
        return {**counted, **self._after(seen.report)}

    def _tell(self, report: "AuditReport") -> int:
        """Log alarms that were not told before by this process; how many."""
        fresh = [alarm for alarm in report.alarms if _key(alarm) not in self._told]
        for alarm in fresh:
            self._told.add(_key(alarm))
            log.warning(
                "alarm",
                extra=fields(
                    monitor=alarm.monitor,
                    tier=alarm.tier,
                    segment=_logged(alarm.segment),
                    cause=alarm.cause,
                    signal=alarm.signal,
                    loss=alarm.loss,
                    detected_at=alarm.detected_at.isoformat(),
                ),
            )
        return len(fresh)


def _logged(segment: "Segment") -> str:
    """A segment as it stands in a log: a topic's name is made of words that users wrote, so it stays in the report."""
    from undertow.services.topics import KEY, OTHER_KEY  # noqa: PLC0415 (numpy)

    return f"{segment.key} (named in {WATCH_REPORT})" if segment.key in (KEY, OTHER_KEY) else str(segment)


def _key(alarm: "Alarm") -> tuple[str, ...]:
    return alarm.monitor, alarm.kind, alarm.tier, str(alarm.segment), alarm.signal
