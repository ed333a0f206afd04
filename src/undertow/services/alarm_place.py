"""Where: the segment that bears a loss, or the tier as a whole.

A tier whose one bad segment alarms is loud as a whole, too. Which of them it is may be known at the alarm, or only from labels that
come later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from undertow.detectors.locating import Rest, segment_of_rise
from undertow.detectors.quality_gap import STAYS_S
from undertow.estimators.by_stratum import StratumCounts, StratumSums, design_scale, stratum_sums
from undertow.records.label_grid import LabelGrid, label_grid
from undertow.records.stream import MonitoredStream
from undertow.services.alarm_onset import onset_of
from undertow.services.alarm_scene import Scene
from undertow.services.crossings import Crossing
from undertow.services.evidence import Evidence

FloatArray = npt.NDArray[np.float64]


def place_of(scene: Scene, evidence: Evidence, crossing: Crossing) -> MonitoredStream:
    """The stream to tell the first alarm about: the most specific segment that explains it, else the tier as a whole.

    Later alarms passed by themselves and are told where they are.
    """
    family = _siblings(evidence, crossing.stream, crossing.bucket)
    whole = family.get(0, crossing.stream)
    if crossing.stream.role == "capable" or (crossing.stream.segment != 0 and crossing.passes_alone):
        return crossing.stream
    if crossing.stream.role == "topic":
        return crossing.stream if _bears_most(evidence, crossing) else whole
    if len(family) < 2:
        return whole
    onset = int(onset_of(scene, whole, crossing.bucket + 1).day)
    return Rises.of(scene, family).named(onset, crossing.bucket) or whole


def located_later(scene: Scene, evidence: Evidence, crossing: Crossing) -> Crossing | None:
    """The bucket, if any, at which labels since the alarm tell which segment bears it."""
    family = _siblings(evidence, crossing.stream, crossing.bucket)
    if 0 not in family or len(family) < 2:
        return None
    onset = int(onset_of(scene, family[0], crossing.bucket + 1).day)
    rises = Rises.of(scene, family)
    for bucket in range(crossing.bucket + 1, scene.buckets):
        named = rises.named(onset, bucket)
        if named is not None:
            return Crossing(bucket, named, float(np.log10(evidence.summed[bucket])), is_first=False, passes_alone=False)
    return None


def _siblings(evidence: Evidence, stream: MonitoredStream, bucket: int) -> dict[int, MonitoredStream]:
    """Streams of the same signal and tier: the whole tier's under 0, segments under their codes."""
    return {
        s.segment: s
        for s in evidence.streams
        if s.unit == stream.unit
        and s.tier == stream.tier
        and s.role not in {"tail", "capable", "topic"}
        and s.kind == stream.kind
        and s.monitor == stream.monitor
        and s.anchored_by == stream.anchored_by
        and bucket >= s.first_seen
    }


def _bears_most(evidence: Evidence, crossing: Crossing) -> bool:
    """Whether a stream makes up more than half of the summed evidence."""
    weighted = evidence.at(crossing.bucket) * evidence.weights
    own = next(i for i, stream in enumerate(evidence.streams) if stream is crossing.stream)
    return bool(2.0 * weighted[own] > weighted.sum())


@dataclass(frozen=True, slots=True)
class Rises:
    """Weighted labels of a tier, of each of its segments and of the rest, by availability: rises are told from these.

    Labels of one stratum are drawn at different rates (least numbers, stakes, steering). Counted plainly, a segment whose hard requests are
    drawn more often would look worse than it is.

    Attributes:
        family: Streams by segment code, 0 for the whole tier.
        start: First bucket of routing.
        strata: Strata of the tier.
        whole: Labels of the whole tier.
        own: Of each segment, by code.
        rest: Of the tier without the segment.
        keys: A number per segment, the same for segments of one key.
    """

    family: dict[int, MonitoredStream]
    start: int
    strata: int
    whole: StratumSums
    own: dict[int, StratumSums]
    rest: dict[int, StratumSums]
    keys: list[int]

    @classmethod
    def of(cls, scene: Scene, family: dict[int, MonitoredStream]) -> Self:
        """Of a family of streams, the whole tier's among them."""
        stream = family[0]
        codes = [code for code in family if code != 0]
        stays = max(1, STAYS_S // scene.cells.bucket_s)

        def grid(code: int) -> LabelGrid:
            return label_grid(
                scene.cells, stream.unit, code, first_bucket=scene.first, buckets=scene.buckets, apart=True
            )

        everything = grid(0)
        scale = design_scale(everything, stream.tier, stays)
        whole = stratum_sums(everything, stream.tier, scale)
        own, rest = {}, {}
        for code in codes:
            part = grid(code)
            own[code] = stratum_sums(part, stream.tier, design_scale(part, stream.tier, stays))
            rest[code] = whole.minus(stratum_sums(part, stream.tier, scale))
        names = [scene.cells.segments[code].key for code in codes]
        return cls(
            family,
            scene.periods.routing_start,
            everything.strata,
            whole,
            own,
            rest,
            [names.index(name) for name in names],
        )

    def named(self, onset: int, bucket: int) -> MonitoredStream | None:
        """The segment that bears a change since `onset`, by labels available at the end of `bucket`; None: the whole tier."""
        split = int(np.clip(onset, self.start + 1, max(bucket, self.start + 1)))
        before, after = (
            [each.counts(*window, self.strata) for each in (self.whole, *self.own.values())]
            for window in ((self.start, split), (split, bucket + 1))
        )
        rest_before, rest_after = (
            [each.counts(*window, self.strata) for each in self.rest.values()]
            for window in ((self.start, split), (split, bucket + 1))
        )
        named = segment_of_rise(
            *_stacked(before),
            *_stacked(after),
            self.keys,
            np.array([each.requests for each in after]),
            Rest(*_stacked(rest_before), *_stacked(rest_after)),
        )
        return None if named is None else self.family[list(self.own)[named]]


def _stacked(counts: Sequence[StratumCounts]) -> tuple[FloatArray, FloatArray]:
    return np.array([each.failures for each in counts]), np.array([each.n for each in counts])
