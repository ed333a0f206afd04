"""How drift is told: where, and once."""

import numpy as np

from cells_factory import build, confidence, model, served
from drift_logs import AT, DAYS, MOVED, SEGMENTS, SETTINGS, histograms, in_segments, log
from undertow.records.segment import WHOLE, Segment
from undertow.services.drift import drift_warnings


def test_a_drift_in_one_segment_is_told_there():
    (warning,) = drift_warnings(in_segments(["intent=c"]), SETTINGS)
    assert warning.segment == Segment("intent", "c")


def test_a_drift_everywhere_is_told_once():
    (warning,) = drift_warnings(in_segments(SEGMENTS), SETTINGS)
    assert warning.segment == WHOLE
    assert "in 6 of 6 segments by themselves too" in warning.note


def test_a_segment_that_is_renamed_does_not_drift():

    def of(name, n, centre, start, days, seed):
        return [
            served("cheap", n, days=days, start=start, segment=name),
            confidence("cheap", histograms(days, centre, seed=seed, n=n), start=start, segment=name),
        ]

    cells = build(
        *of("intent=a", 600, 0.7, 0, DAYS, 1),
        *of("intent=old", 300, 0.5, 0, AT, 2),
        *of("intent=new", 300, 0.5, AT, DAYS - AT, 3),
    )
    assert drift_warnings(cells, SETTINGS) == ()


def test_what_changed_just_before_is_named():
    swap = [model("cheap", "m1", 100, days=AT), model("cheap", "m2", 100, days=DAYS - AT, start=AT)]
    (warning,) = drift_warnings(log(np.where(MOVED, 0.6, 0.7), 0.6, DAYS, *swap), SETTINGS)
    assert warning.changed_nearby == ("model m2 began on 10 February",)
