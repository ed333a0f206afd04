"""Whether the confidence that a calibration states still holds on fresh labels."""

import itertools
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from undertow.detectors.reliability import watch_reliability
from undertow.records.cells import CHANGE_KINDS, CONFIDENCE_BINS, AuditCells
from undertow.records.label_grid import signal_units
from undertow.records.report import Alarm, AuditSettings
from undertow.records.segment import WHOLE
from undertow.services.drift_quantities import percent_text
from undertow.services.log_days import DAY_S, LogDays, version_starts

FloatArray = npt.NDArray[np.float64]


def calibrated_tiers(cells: AuditCells) -> list[int]:
    """Cheaper tiers with labels of answers whose confidence a calibration stated."""
    labelled = set(np.unique(cells.calibration.tier).tolist())
    return [t for t in range(len(cells.tiers) - 1) if t in labelled and _calibrated_from(cells, t) is not None]


def reliability_warnings(
    cells: AuditCells, axis: LogDays, settings: AuditSettings, tier: int, alpha: float
) -> Iterable[Alarm]:
    """Whether the stated confidence still holds on fresh labels: those of people and exact checks, else those of a judge."""
    units = [u for u in signal_units(cells) if u.shows_level]
    trusted = [u for u in units if u.basis in {"human", "exact"}] or units
    table = cells.calibration.take(cells.calibration.tier == tier)
    held = [u for u in trusted if (table.signal == u.code).any()]
    if not held:
        return
    signal = max(held, key=lambda u: float(table.n[table.signal == u.code].sum()))
    table = table.take(table.signal == signal.code)
    row = axis.rows(table.bucket, cells.bucket_s)
    days = max(axis.size, int(row.max()) + 1)
    begin = _calibrated_from(cells, tier)
    assert begin is not None
    first = max(int(begin * cells.bucket_s // DAY_S) - axis.first, 0)
    later = [b for b in version_starts(cells, axis, frozenset({"calibration_version"})) if b > first]
    flat = row * CONFIDENCE_BINS + table.bin

    def grid(values: FloatArray) -> FloatArray:
        summed = np.bincount(flat, weights=values, minlength=days * CONFIDENCE_BINS)
        return summed.astype(np.float64).reshape(days, CONFIDENCE_BINS)

    largest = np.zeros(days * CONFIDENCE_BINS)
    np.maximum.at(largest, flat, table.weight_max)
    n, weight, failed, stated = map(grid, (table.n, table.weight, table.weighted_failures, table.weighted_confidence))
    most = largest.reshape(days, CONFIDENCE_BINS)
    line = settings.horizon_days / alpha
    for start, stop in itertools.pairwise([first, *later, days]):
        part = slice(start, stop)
        found = watch_reliability(n[part], weight[part], failed[part], stated[part], most[part], line, settings.margin)
        if found.day is None or found.stated is None or found.observed is None:
            continue
        yield Alarm(
            monitor="calibration",
            signal=signal.name,
            tier=cells.tiers[tier],
            segment=WHOLE,
            cause="unknown",
            basis=signal.basis,
            detected_at=axis.time(start + found.day + 1),
            onset=None,
            onset_interval=None,
            loss=None,
            interval=None,
            evidence=float(np.log10(found.evidence[found.day])),
            kind="drift",
            note=f"{percent_text(found.observed)} of the answers failed whose confidence says {percent_text(found.stated)} "
            f"({found.labels:,} labels of the last four weeks): the confidence promises more than it keeps; no loss against the "
            "capable tier is measured by that: calibrate anew; a running keeper draws more reviews and shadow answers there",
        )


def _calibrated_from(cells: AuditCells, tier: int) -> int | None:
    """First bucket in which a calibration version served a tier, or None: a confidence without one promises nothing."""
    models = cells.models
    mine = models.bucket[(models.tier == tier) & (models.kind == CHANGE_KINDS.index("calibration_version"))]
    return int(mine.min()) if len(mine) else None
