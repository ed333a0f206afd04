"""Since when, and how much: the onset of what a stream shows, and the loss since then."""

import numpy as np
import numpy.typing as npt

from undertow.detectors.onset import Onset, estimate_common_onset
from undertow.estimators.loss import LossEstimate, loss_estimate, own_change
from undertow.estimators.periods import ReferenceKind, reference_kind
from undertow.records.label_grid import ALL_ARMS, HOLDOUT_ARM
from undertow.records.stream import MonitoredStream
from undertow.services.alarm_scene import Scene

FloatArray = npt.NDArray[np.float64]


def onset_of(scene: Scene, stream: MonitoredStream, known_before: int) -> Onset:
    """When the change began, from labels by decision day; a level that was there from the start began with routing.

    A change is set against the stream's own first days, a level against what the reference says of the same requests.
    """
    grid = scene.labels(stream.unit, stream.segment, known_before, plain=True)
    start = 0 if stream.role == "capable" else scene.periods.routing_start
    stop = min(known_before, scene.buckets)
    k = grid.failures[:, stream.tier].sum((1, 2))
    n = grid.n[:, stream.tier].sum((1, 2))
    if stream.kind == "level" or not stream.unit.strata:
        k, n = k.sum(1, keepdims=True), n.sum(1, keepdims=True)
    baseline_end = int(np.clip(stream.earliest, start + 1, stop))
    rate = _smoothed(k[start:baseline_end].sum(0), n[start:baseline_end].sum(0), np.asarray(0.1))
    size = n[start:baseline_end].sum(0)
    if stream.kind == "level":
        everything = Onset(*(np.asarray(start),) * 3)
        found = loss_since(scene, stream, everything, known_before)
        if found.reference_quality is not None:
            rate, size = np.clip([1.0 - found.reference_quality], 1e-3, 0.9), np.array([found.reference_n])
    # By stratum: how labels divide over them moves with the sampling rates, above all where steering set in after the onset.
    found_onset = estimate_common_onset(k[start:stop], n[start:stop], rate, np.maximum(size, 1.0))
    return Onset(found_onset.day + start, found_onset.low + start, found_onset.high + start)


def loss_since(scene: Scene, stream: MonitoredStream, onset: Onset, known_before: int | None) -> LossEstimate:
    """Loss since the onset, against the best reference known then; else against the tier's own past."""
    grid = scene.labels(stream.unit, stream.segment, known_before)
    traffic = scene.traffic(stream.segment)
    kind: ReferenceKind = reference_kind(stream.unit, grid, scene.periods)
    if stream.monitor == "shadow":
        kind = "pairs"
    if stream.tier == len(scene.cells.tiers) - 1 or stream.role == "topic" or kind in {"own_first_period", "none"}:
        return own_change_since(scene, stream, onset, known_before)
    return loss_estimate(
        kind,
        grid,
        traffic,
        stream.tier,
        scene.periods,
        scene.level,
        bucket_s=scene.cells.bucket_s,
        start=int(onset.day),
        stop=known_before,
    )


def own_change_since(scene: Scene, stream: MonitoredStream, onset: Onset, known_before: int | None) -> LossEstimate:
    """Loss since the onset against the stream's own past; the capable tier's only where the policy does not choose."""
    grid = scene.labels(stream.unit, stream.segment, known_before)
    if stream.role == "capable":
        grid, arms = grid.as_holdout(scene.periods.routing_start), HOLDOUT_ARM
    else:
        arms = ALL_ARMS
    return own_change(grid, stream.tier, int(onset.day), arms, scene.level)


def _smoothed(failures: FloatArray, n: FloatArray, prior_rate: FloatArray, prior_n: float = 20.0) -> FloatArray:
    """Rates shrunk towards a prior worth some labels, so that a thin baseline is no certainty."""
    return np.clip((failures + prior_rate * prior_n) / (n + prior_n), 1e-4, 0.9)
