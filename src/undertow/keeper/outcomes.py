"""The job that pulls outcomes: each source of `[sources.NAME]` once its `every_minutes` have passed."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from undertow.adapters.telemetry.json_logs import fields
from undertow.errors import DataError
from undertow.records.serving import SourcePlan, StorePlan

log = logging.getLogger("undertow.keeper")


class Outcomes:
    """Pulls into one store.

    Args:
        store: The store.
        sources: Where outcomes come from.
        env: Environment with the id key and addresses of databases.
        now: The time, aware.
    """

    def __init__(
        self,
        store: StorePlan,
        sources: Sequence[SourcePlan],
        env: Mapping[str, str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._sources, self._env, self._now = store, tuple(sources), env, now
        self._told: dict[tuple[str, str], str] = {}

    def run(self) -> Mapping[str, int]:
        """Run of the job `outcomes`; most runs find that no source is due.

        Raises:
            ConfigError: The id key is named and not set.
            OSError: The store cannot be written.
        """
        # DuckDB and SQLite: only a keeper that pulls loads them, and only once it does.
        from undertow.bootstrap.outcomes import PullOptions, pull_sources  # noqa: PLC0415

        try:
            done = pull_sources(self._store, self._sources, PullOptions(only_due=True), env=self._env, now=self._now)
        except DataError:
            return {"outcome_pulls_busy": 1}  # somebody pulls by hand: what is due is so the next time, too
        for pulled in done:
            self._tell(pulled.source, pulled.failed)
            if pulled.accepted or pulled.corrected or pulled.deleted or pulled.set_aside:
                log.info(
                    "outcomes_pulled",
                    extra=fields(
                        source=pulled.source,
                        accepted=pulled.accepted,
                        corrected=pulled.corrected,
                        deleted=pulled.deleted,
                        set_aside=sum(pulled.set_aside.values()),
                    ),
                )
        return {
            "outcomes_accepted": sum(pulled.accepted for pulled in done),
            "outcomes_corrected": sum(pulled.corrected + pulled.deleted for pulled in done),
            "outcomes_set_aside": sum(sum(pulled.set_aside.values()) for pulled in done),
            "outcome_places_failed": sum(len(pulled.failed) for pulled in done),
        }

    def _tell(self, source: str, failed: Mapping[str, str]) -> None:
        """Log what failed, once for each reason: a file that cannot be read is tried at each pull."""
        for place, why in failed.items():
            if self._told.get((source, place)) != why:
                self._told[source, place] = why
                log.warning("outcomes_not_read", extra=fields(source=source, place=place, error=why))
