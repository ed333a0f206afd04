from dataclasses import replace

import numpy as np

from undertow.records.label_grid import SignalUnit
from undertow.records.stream import MonitoredStream


def test_streams_of_one_signal_and_role_have_names_of_their_own():
    unit = SignalUnit(0, "review.accuracy", "sampled", "human", 10.0, 0.0)
    stream = MonitoredStream(
        unit, 0, 3, "segment", "change", "quality", np.zeros(4), 0, np.zeros((4, 1)), np.zeros((4, 1))
    )
    others = [
        replace(stream, tier=1),
        replace(stream, segment=4),
        replace(stream, kind="level"),
        replace(stream, monitor="shadow"),
    ]
    assert stream.name == "quality/change/0/3"
    assert len({s.name for s in (stream, *others)}) == 5
