"""One look of the keeper at its own log: the audit, what is suspected, and the sampling rates that follow from it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.adapters.store.layout import utc_text
from undertow.adapters.store.rates_file import read_rates, write_rates
from undertow.adapters.store.volumes import measure_volumes
from undertow.errors import DataError, LogError
from undertow.records.sampling import SamplingRates
from undertow.records.serving import ReviewPlan, ShadowPlan
from undertow.records.trained import TrainedScores
from undertow.sampling.hints import steering_hints

if TYPE_CHECKING:
    from undertow.config.settings import Settings
    from undertow.records.cells import AuditCells
    from undertow.records.report import AuditReport
    from undertow.services.suspicion import Suspicion


TOLD = timedelta(days=14)
"""After an alarm reviews go on being steered to its segment for so long: enough to tell how large the loss is."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What one look found.

    Attributes:
        report: The audit, or None: there is nothing to audit yet.
        suspicions: Where the judge suspects a loss.
        rates: Rates in force now, or None: none are planned.
        is_changed: Whether they are new.
        cells: What the audit was made of, or None likewise.
    """

    report: "AuditReport | None"
    suspicions: "tuple[Suspicion, ...]"
    rates: SamplingRates | None
    is_changed: bool
    cells: "AuditCells | None" = None


def watch_store(
    store: Path,
    settings: "Settings",
    review: ReviewPlan,
    shadow: ShadowPlan,
    tiers: tuple[str, ...],
    now: datetime,
    trained: TrainedScores | None = None,
    id_key: bytes | None = None,
) -> Watched:
    """Look at a store, and plan what is drawn from it next.

    Args:
        store: Its root folder.
        settings: For the audit.
        review: Reviews a day and how they are spent.
        shadow: Second answers.
        tiers: All tiers, cheapest first.
        now: The time, aware.
        trained: Scores that the policy's calibration was fitted on, or None.
        id_key: Key of the store's ids and sketches, or None.

    Raises:
        OSError: The store cannot be read or written.
    """
    from undertow.services.sampling_rates import next_cuts, next_rates, suspects_of  # noqa: PLC0415 (scipy)

    report, found, cells = _audited(store, settings, trained, now, id_key)
    if not tiers or (review.per_day <= 0 and shadow.share <= 0):
        return Watched(report, found, None, is_changed=False, cells=cells)
    previous = read_rates(store)
    cuts, design = (dict(previous.tail_cuts), previous.design) if previous is not None else ({}, 1)
    volumes = measure_volumes(store, tiers[-1], now, cuts)
    new_cuts, design = next_cuts(previous, volumes.tail_shares, volumes.cuts)
    if new_cuts != cuts:
        volumes = measure_volumes(store, tiers[-1], now, new_cuts)
    rates = next_rates(
        previous,
        volumes.cells,
        tail_cuts=new_cuts,
        design=design,
        capable_usd=volumes.capable_usd,
        review=review,
        shadow=shadow,
        tiers=tiers,
        labels=settings.monitors.segments,
        suspects=suspects_of(found, () if report is None else steering_hints(report.warnings, now, tiers[:-1])),
        at=utc_text(now.timestamp()),
    )
    is_changed = previous is None or rates.version != previous.version
    if is_changed:
        write_rates(store, rates)
    return Watched(report, found, rates, is_changed, cells)


def _audited(
    store: Path, settings: "Settings", trained: TrainedScores | None, now: datetime, id_key: bytes | None
) -> "tuple[AuditReport | None, tuple[Suspicion, ...], AuditCells | None]":
    from undertow.bootstrap.audit import AuditRequest, audit_cells, read_cells  # noqa: PLC0415 (scipy, pydantic)
    from undertow.services.suspicion import suspicions  # noqa: PLC0415

    request = AuditRequest((str(store),), format="undertow", settings=settings, trained=trained, now=now, id_key=id_key)
    try:
        cells = read_cells(request)
        report = audit_cells(request, cells)
        # A judge that has changed itself is no guide.
        has_changed = any(each.monitor == "judge" and each.kind == "drift" for each in report.warnings)
        told = {(each.tier, str(each.segment)) for each in report.alarms if each.detected_at < now - TOLD}
        return report, () if has_changed else suspicions(cells, told), cells
    except (DataError, LogError):
        return None, (), None  # nothing was served yet
