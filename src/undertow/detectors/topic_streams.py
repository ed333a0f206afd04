"""Change streams of topics: groups of texts that no label names, each watched like a segment from the bucket in which it was found.

The detector is that of every other stream. There may be hundreds of topics, so all of a tier are run at once, and by days also where
the log is counted by hours: what a topic shows within a day is one label or none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.detectors.day_noise import SECONDS_PER_DAY, correlation_known, design_effect
from undertow.detectors.quality_gap import EARLIEST_S, WARMUP_S, StreamOptions
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.records.label_grid import LabelGrid, SignalUnit, effective_by_stratum
from undertow.records.stream import MonitoredStream

FloatArray = npt.NDArray[np.float64]

MIN_LABELS = 10.0
"""Labels in a tier by the bucket in which a topic is found, without which it is not watched there."""


@dataclass(frozen=True, slots=True, eq=False)
class Topic:
    """A topic and its labels.

    Attributes:
        segment: Its segment code.
        known_from: Bucket (counted from the log's first) at whose end it was found: its evidence counts from the next one on.
        grid: Its labels by availability, all of them.
    """

    segment: int
    known_from: int
    grid: LabelGrid


def topic_streams(
    unit: SignalUnit, whole: LabelGrid, topics: Mapping[int, Topic], options: StreamOptions
) -> list[MonitoredStream]:
    """Streams of all topics in the cheaper tiers.

    Args:
        unit: The signal.
        whole: Labels of the whole tiers by availability, of the plain sample.
        topics: Topics by segment code.
        options: See `StreamOptions`.

    Returns:
        Change streams of role `topic`. Their evidence is that of a daily restart whatever the bucket, so it is divided by the share of a
        day that a bucket has, which the caller multiplies all evidence by.
    """
    found: list[MonitoredStream] = []
    tiers = whole.n.shape[1] - 1
    per_day = max(1, SECONDS_PER_DAY // options.bucket_s)
    tier_k, tier_n = (x[:, :tiers].sum((2, 3, 4)) for x in (whole.failures, whole.n))
    correlation = correlation_known(tier_k, tier_n, options.bucket_s)
    for tier in range(tiers):
        own = [topic for topic in topics.values() if _labels_by(topic, tier) >= MIN_LABELS]
        if not own:
            continue
        unsplit = whole.n[:, tier, ..., 1:].sum((1, 2, 3)) <= 0
        if unit.strata:
            counts = [effective_by_stratum(topic.grid, tier, options.stays) for topic in own]
            k, n = (_side_by_side([each[i].sum(1) for each in counts]) for i in (0, 1))
        else:
            k = np.stack([_counted(topic.grid.failures[:, tier], unsplit) for topic in own], axis=1)
            n = np.stack([_counted(topic.grid.n[:, tier], unsplit) for topic in own], axis=1)
        effect = np.stack(
            [design_effect(n[:, i].sum(-1), correlation[:, tier], options.bucket_s) for i in range(len(own))], axis=1
        )[..., None]
        begin = (n.sum(-1) > 0).argmax(0)
        earliest = begin + max(2 * per_day, EARLIEST_S // options.bucket_s)
        warmup = max(per_day, WARMUP_S // options.bucket_s)
        if options.baseline_until is not None:
            earliest = np.maximum(options.baseline_until, begin + warmup)
        evidence = run_self_calibrating(
            _daily(k / effect, per_day),
            _daily(n / effect, per_day),
            warmup // per_day,
            -(-earliest // per_day),
        )
        evidence = _as_known(evidence, per_day, len(k)) * per_day
        for i, topic in enumerate(own):
            counted = np.where(np.arange(len(k)) > topic.known_from, evidence[:, i], 0.0)
            since = topic.known_from + 1
            found.append(
                MonitoredStream(
                    unit,
                    tier,
                    topic.segment,
                    "topic",
                    "change",
                    "quality",
                    counted,
                    since,
                    k[:, i],
                    n[:, i],
                    warmup,
                    int(earliest[i]),
                )
            )
    return found


def _labels_by(topic: Topic, tier: int) -> float:
    return float(topic.grid.n[: topic.known_from + 1, tier].sum())


def _side_by_side(counts: Sequence[FloatArray]) -> FloatArray:
    """Counts of topics by named stratum, each with a baseline of its own: steering looks at one stratum of what a topic cuts across. Shapes
    (T, strata) -> (T, topics, strata).
    """
    strata = max(values.shape[1] for values in counts)
    return np.stack([np.pad(values, ((0, 0), (0, strata - values.shape[1]))) for values in counts], axis=1)


def _counted(values: FloatArray, unsplit: npt.NDArray[np.bool_]) -> FloatArray:
    """Labels of all arms by design: buckets with the tier's labels divided into strata, and those without. Shape (T, 2).

    A tier whose reviews were once drawn alike and are now drawn more often from the long tail would else seem to change.
    """
    total = values.sum((1, 2, 3))
    return np.stack([np.where(unsplit, 0.0, total), np.where(unsplit, total, 0.0)], axis=-1)


def _daily(values: FloatArray, per_day: int) -> FloatArray:
    """Sums over whole days, the last one as far as it goes. Shape (T, ...) -> (days, ...)."""
    return values if per_day == 1 else np.add.reduceat(values, np.arange(0, len(values), per_day), axis=0)


def _as_known(evidence: FloatArray, per_day: int, buckets: int) -> FloatArray:
    """Evidence of days by buckets: known at the end of the day. Shape (days, ...) -> (T, ...)."""
    if per_day == 1:
        return evidence
    ended = (np.arange(buckets) + 1) // per_day
    return np.concatenate([np.zeros((1, *evidence.shape[1:])), evidence])[ended]
