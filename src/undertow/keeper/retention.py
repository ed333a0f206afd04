"""The job that removes texts that have been kept for long enough: those drawn for review, pairs of answers, and a report that quotes some.

Segments are removed whole. One holds at most a day of rows, and goes when its first row may be as old as is allowed, so nothing is
kept longer than was said; what a living writer has open stays until that has closed it, a day after it began at most.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from undertow.adapters.store.row_log import PAIRS, SAMPLED, SEGMENT_S, remove_older
from undertow.adapters.telemetry.json_logs import fields
from undertow.records.runtime_files import WATCH_REPORT

log = logging.getLogger("undertow.keeper")

WITH_TEXT = (SAMPLED, PAIRS)


class Retention:
    """Keeps to `retention.sampled_text_days` in one store.

    Args:
        store: The store's root folder.
        text_days: Days that texts are kept, at least 0.
        now: The time, aware.
    """

    def __init__(
        self, store: Path, text_days: float, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:  # fmt: skip
        self._store, self._now = store, now
        self._kept = timedelta(seconds=max(86_400.0 * text_days - SEGMENT_S, 0.0))
        self._report_kept = timedelta(days=max(text_days, 1.0))

    def run(self) -> Mapping[str, int]:
        """Run of the job `retention`.

        Raises:
            OSError: A file cannot be removed.
        """
        before = self._now() - self._kept
        removed = sum(remove_older(self._store, folder, before) for folder in WITH_TEXT) + self._remove_report()
        if removed:
            log.info("texts_removed", extra=fields(files=removed))
        return {"text_files_removed": removed}

    def _remove_report(self) -> int:
        """Remove a report that nobody makes anew any more; whether there was one. It may quote texts that are gone."""
        report = self._store / WATCH_REPORT
        try:
            if datetime.fromtimestamp(report.stat().st_mtime, UTC) >= self._now() - self._report_kept:
                return 0
            report.unlink()
        except FileNotFoundError:
            return 0
        return 1
