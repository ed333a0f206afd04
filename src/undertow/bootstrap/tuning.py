"""What tuning a store needs: the calibrations in use, their labels, the book of thresholds, and what an audit says of alarms."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.adapters.calibrations import read_calibration
from undertow.adapters.tuning.answers import StoreAnswers
from undertow.adapters.tuning.book import StoreBook
from undertow.errors import DataError, LogError
from undertow.ports.audit_source import Progress, silent
from undertow.ports.tuning import AlarmView, OpenAlarm
from undertow.records.serving import TuningPlan
from undertow.services.tune import Bounds, tune
from undertow.services.tuning_run import Run, Target, TuneReport

LEAST_LABELS = 100
"""Of one signal in one tier: with fewer, that there is no alarm says nothing."""

if TYPE_CHECKING:
    from undertow.config.settings import Settings
    from undertow.records.report import AuditReport


def targets_of(calibrations: Mapping[str, tuple[str, ...]], committing: Collection[str] = ()) -> tuple[Target, ...]:
    """The calibrations that policies use.

    Args:
        calibrations: Paths of artefacts, by policy name.
        committing: Names of the policies that serve streams from their first tokens on.

    Raises:
        ConfigError: An artefact cannot be read, or was edited.
    """
    return tuple(
        Target(policy, *read_calibration(path), policy in committing)
        for policy, paths in calibrations.items()
        for path in paths
    )


def calibrations_of(settings: "Settings", folder: Path) -> dict[str, tuple[str, ...]]:
    """Absolute paths of the artefacts that settings name, by policy name.

    Args:
        settings: Settings as loaded.
        folder: Where relative paths in them start.
    """
    from undertow.bootstrap.calibration_files import calibration_files  # noqa: PLC0415 (pydantic)
    from undertow.bootstrap.serving_check import AUTO  # noqa: PLC0415
    from undertow.config.routing import CascadePolicy  # noqa: PLC0415

    return {
        name: tuple(str(folder / file) for file in calibration_files(policy))
        for name, policy in {AUTO: settings.policy, **settings.policies}.items()
        if isinstance(policy, CascadePolicy)
    }


def committing_of(settings: "Settings") -> frozenset[str]:
    """Names of the policies that serve streams from their first tokens on.

    Args:
        settings: Settings as loaded.
    """
    from undertow.bootstrap.serving_check import AUTO  # noqa: PLC0415 (pydantic)
    from undertow.config.routing import CascadePolicy  # noqa: PLC0415

    return frozenset(
        name
        for name, policy in {AUTO: settings.policy, **settings.policies}.items()
        if isinstance(policy, CascadePolicy) and policy.streaming == "commit"
    )


def tune_store(
    store: Path,
    targets: tuple[Target, ...],
    bounds: Bounds,
    run: Run,
    settings: "Settings",
    progress: Progress = silent,
) -> TuneReport:
    """One run of tuning over a store.

    Args:
        store: Its root folder.
        targets: Calibrations in use.
        bounds: How far a run may go.
        run: Who and when.
        settings: For the audit that looks for alarms.
        progress: Told what is done.

    Raises:
        DataError: Another process is tuning.
        LogError: The store cannot be read.
        ConfigError: A file of the book cannot be used.
        OSError: The store cannot be written.
    """
    alarms = alarms_of(store, settings, progress)
    return tune(targets, StoreAnswers(store, progress), alarms, StoreBook(store), bounds, run)


def alarms_of(store: Path, settings: "Settings", progress: Progress = silent) -> AlarmView:
    """What an audit of the store says of alarms now."""
    from undertow.bootstrap.audit import AuditRequest, run_audit  # noqa: PLC0415 (scipy, pydantic)

    try:
        report = run_audit(AuditRequest((str(store),), format="undertow", settings=settings), progress)
    except (DataError, LogError) as error:
        return AlarmView(unknown=str(error))
    return open_alarms(report)


def open_alarms(report: "AuditReport") -> AlarmView:
    """The alarms of an audit that are open: of which the labels since have not shown the loss to be within the margin."""
    labels = max((estimate.n for tier in report.tiers for estimate in tier.signals.values()), default=0)
    if not report.evidence_series or labels < LEAST_LABELS:
        return AlarmView(unknown=f"the audit has {labels:,} labels of the best signal, and needs {LEAST_LABELS}")
    margin = report.settings.margin
    still = [alarm for alarm in report.alarms if alarm.latest_interval is None or alarm.latest_interval[1] > margin]
    return AlarmView(tuple(OpenAlarm(alarm.tier, alarm.segment.as_dict()) for alarm in still))


def audit_settings_of(plan: TuningPlan, tiers: tuple[str, ...]) -> "Settings":
    """Settings for the audit, from what a serving plan holds of them."""
    from undertow.config.settings import Settings  # noqa: PLC0415 (pydantic)
    from undertow.config.tiers import TierSettings  # noqa: PLC0415
    from undertow.config.watching import MonitorsSettings  # noqa: PLC0415

    return Settings(
        tiers={name: TierSettings(rank=rank) for rank, name in enumerate(tiers)},
        monitors=MonitorsSettings(
            margin=plan.monitors_margin, alpha=plan.alpha, bucket=plan.bucket, segments=plan.segments
        ),
    )
