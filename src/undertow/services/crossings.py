"""Which streams the summed evidence names, and when."""

from dataclasses import dataclass

import numpy as np

from undertow.detectors.multiplicity import locate
from undertow.records.stream import MonitoredStream
from undertow.services.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Crossing:
    """A stream that was named, and when.

    Attributes:
        bucket: Bucket at whose end the evidence sufficed.
        stream: What was named.
        log10_evidence: Summed evidence then.
        is_first: Whether this was the first bucket over the line: only then is the place looked for anew.
        passes_alone: Whether the stream's own weighted evidence reached the line.
    """

    bucket: int
    stream: MonitoredStream
    log10_evidence: float
    is_first: bool
    passes_alone: bool


def crossings(evidence: Evidence) -> list[Crossing]:
    """Streams in the order in which the evidence named them, largest contribution first; each (tier, segment) once a kind.

    In the first bucket over the line the streams that carry the sum are located (and always the largest contributor). Later
    buckets may add others that pass by themselves.
    """
    armed = np.arange(len(evidence.summed)) >= evidence.armed_from
    over = np.flatnonzero((evidence.summed >= evidence.line) & armed)
    found: list[Crossing] = []
    seen: set[tuple[int, int, str]] = set()
    for order, bucket in enumerate(over):
        values = evidence.at(int(bucket))
        weighted = values * evidence.weights
        named = np.asarray(locate(evidence.weights, values, evidence.line))
        if order > 0:
            # The largest contributor need not pass alone to explain the first alarm; afterwards it must.
            named &= weighted >= evidence.line / max(int(named.sum()), 1)
        for i in np.argsort(-weighted, kind="stable"):
            stream = evidence.streams[i]
            if named[i] and (stream.tier, stream.segment, stream.kind) not in seen:
                seen.add((stream.tier, stream.segment, stream.kind))
                level = float(np.log10(evidence.summed[bucket]))
                found.append(Crossing(int(bucket), stream, level, order == 0, bool(weighted[i] >= evidence.line)))
    return found
