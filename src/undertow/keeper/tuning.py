"""The job that tunes thresholds: one run of `undertow tune` every so often, while nobody else tunes the store."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from undertow.adapters.telemetry.json_logs import fields
from undertow.records.serving import TuningPlan

log = logging.getLogger("undertow.keeper")


class Tuning:
    """Tunes one store.

    Args:
        store: Its root folder.
        plan: Of `[tuning]`.
        calibrations: Paths of artefacts, by policy name. They are read at each run: a new one begins anew.
        tiers: All tiers, cheapest first.
        committing: Names of the policies that serve streams from their first tokens on.
        now: The time, aware.
    """

    def __init__(
        self,
        store: Path,
        plan: TuningPlan,
        calibrations: Mapping[str, tuple[str, ...]],
        tiers: tuple[str, ...],
        committing: frozenset[str] = frozenset(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._plan, self._calibrations, self._tiers, self._now = store, plan, calibrations, tiers, now
        self._committing = committing

    def run(self) -> Mapping[str, int]:
        """Run of the job `tuning`.

        Raises:
            UndertowError: An artefact or a file of the store cannot be used, or somebody else is tuning.
            OSError: The store cannot be written.
        """
        # numpy, scipy and pydantic: only a keeper that tunes loads them, and only once it does.
        from undertow.bootstrap.tuning import audit_settings_of, targets_of, tune_store  # noqa: PLC0415
        from undertow.services.tune import Bounds  # noqa: PLC0415
        from undertow.services.tuning_run import Run  # noqa: PLC0415

        plan = self._plan
        report = tune_store(
            self._store,
            targets_of(self._calibrations, self._committing),
            Bounds(plan.step, plan.max_step, plan.window_days),
            Run("keeper", self._now()),
            audit_settings_of(plan, self._tiers),
        )
        for group in report.groups:
            if group.is_changed:
                log.warning(
                    "threshold_tuned",
                    extra=fields(
                        policy=group.policy,
                        tier=group.tier,
                        group=group.group,
                        before=group.before,
                        after=group.after,
                        version=report.version,
                        why=group.why,
                    ),
                )
        return {
            "thresholds_changed": report.changed,
            "labels_tuned_on": sum(group.labels for group in report.groups),
        }
