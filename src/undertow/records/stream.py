"""A monitored stream: one signal in one tier, segment or stratum, with the evidence gathered so far."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from undertow.records.label_grid import SignalUnit

FloatArray = npt.NDArray[np.float64]
Role = Literal["tier", "tail", "segment", "capable", "level", "level_segment", "topic"]


@dataclass(frozen=True, slots=True)
class MonitoredStream:
    """One e-detector and what it watches.

    Attributes:
        unit: The signal.
        tier: Tier code.
        segment: Segment code; 0 is the whole tier.
        role: Part of the signal's false-alarm budget that it draws on.
        kind: `level` (against a reference plus the margin) or `change` (against its own past).
        monitor: `quality`, or `shadow` for pairs.
        evidence: M per bucket, 0 before its first label. Shape (T,).
        first_seen: Bucket from which it counts; it depends on counts of labels only.
        failures: Failures per bucket and stratum, by availability. Shape (T, H).
        n: Labels per bucket and stratum. Shape (T, H).
        warmup: Buckets that only train a change detector.
        earliest: First bucket at which a change may begin.
        anchored_by: Signal of the judge whose verdicts on many more pairs narrow this signal's, or None.
    """

    unit: SignalUnit
    tier: int
    segment: int
    role: Role
    kind: Literal["level", "change"]
    monitor: Literal["quality", "shadow"]
    evidence: FloatArray
    first_seen: int
    failures: FloatArray
    n: FloatArray
    warmup: int = 0
    earliest: int = 0
    anchored_by: int | None = None

    @property
    def name(self) -> str:
        """Tells streams of one signal and role apart."""
        return f"{self.monitor}/{self.kind}/{self.tier}/{self.segment}" + (
            "" if self.anchored_by is None else f"/by {self.anchored_by}"
        )
