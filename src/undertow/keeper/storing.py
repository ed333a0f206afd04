"""The jobs that keep the store in order: recovery of dead writers, conversion to Parquet, and length ratios."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from undertow.adapters.store.compaction import Compacted, compact
from undertow.adapters.store.layout import utc_text
from undertow.adapters.store.length_ratios import measure_length_ratios, write_length_ratios
from undertow.adapters.store.recovery import Recovered, recover
from undertow.adapters.telemetry.json_logs import fields
from undertow.records.runtime_files import LengthRatios

log = logging.getLogger("undertow.keeper")

FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 900.0
"""Between two measurements of length ratios: often while the log is young, later seldom, for each reads days of it."""


class Storing:
    """What is done to one store. Each method is a job's run, or a part of it.

    Args:
        store: The store's root folder.
        tiers: All tiers, cheapest first; empty: no length ratios.
        before_compaction: Called before segments are converted.
        now: The time, aware.
    """

    def __init__(
        self,
        store: Path,
        tiers: Sequence[str],
        before_compaction: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._tiers, self._before_compaction, self._now = store, tuple(tiers), before_compaction, now
        self._measure_at: datetime | None = None
        self._pause_s = FIRST_PAUSE_S

    def recover_now(self) -> Recovered:
        """Settle what dead writers have left.

        Raises:
            OSError: The store cannot be read or written.
        """
        return recover(self._store, utc_text(self._now().timestamp()))

    def compact_now(self) -> Compacted:
        """Convert sealed segments.

        Raises:
            OSError: The store cannot be read or written.
        """
        self._before_compaction()
        return compact(self._store)

    def measure_now(self) -> LengthRatios | None:
        """Measure and write the length ratios; None where no tiers are known.

        Raises:
            OSError: The store cannot be read or written.
        """
        if len(self._tiers) < 2:
            return None
        ratios = measure_length_ratios(self._store, self._tiers, self._now())
        write_length_ratios(self._store, ratios)
        return ratios

    def recovery(self) -> Mapping[str, int]:
        """Run of the job `recovery`."""
        found = self.recover_now()
        if found != Recovered():
            # A process died. That is worth a look each time.
            log.warning(
                "dead_writer_recovered",
                extra=fields(orphans=found.orphans, torn=found.torn, segments=found.segments),
            )
        return {"orphans": found.orphans, "torn_lines": found.torn}

    def compaction(self) -> Mapping[str, int]:
        """Run of the job `compaction`."""
        done = self.compact_now()
        if done.segments:
            log.info("segments_converted", extra=fields(segments=done.segments, rows=done.rows))
        if done.rejected or done.failed:
            log.warning("lines_not_converted", extra=fields(rejected=done.rejected, failed_segments=done.failed))
        return {
            "segments_converted": done.segments,
            "rows_converted": done.rows,
            "lines_rejected": done.rejected,
            "conversions_failed": done.failed,
        }

    def length_ratios(self) -> Mapping[str, int]:
        """Run of the job `length_ratios`; most runs find that it is not time yet."""
        now = self._now()
        if self._measure_at is not None and now < self._measure_at:
            return {}
        self.measure_now()
        self._measure_at = now + timedelta(seconds=self._pause_s)
        self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)
        return {"length_ratios_measured": 1}
