"""Where drift is watched, and how the budget is shared out."""

import numpy as np

from cells_factory import build, confidence, served
from drift_logs import DAYS, MOVED, SETTINGS, histograms
from undertow.records.segment import WHOLE, Segment
from undertow.services.drift import drift_warnings
from undertow.services.drift_places import place_weights, watched_places


def test_small_segments_are_watched_together():
    rest = [f"intent=s{i}" for i in range(8)]
    parts = [
        served("cheap", 500, days=DAYS, segment="intent=big"),
        confidence("cheap", histograms(DAYS, 0.7), segment="intent=big"),
    ]
    for i, name in enumerate(rest):
        centre = np.where(MOVED, 0.55, 0.7)
        parts += [
            served("cheap", 20, days=DAYS, segment=name),
            confidence("cheap", histograms(DAYS, centre, seed=40 + i, n=20), segment=name),
        ]
    cells = build(*parts)
    places = watched_places(cells, int(cells.traffic.bucket.min()), DAYS)
    assert [(p.segment, p.rest_of) for p in places] == [
        (WHOLE, ""), (Segment("intent", "big"), ""), (WHOLE, "intent")
    ]  # fmt: skip
    assert len(places[2].codes) == 8
    (warning,) = drift_warnings(cells, SETTINGS)
    assert warning.segment == WHOLE


def test_the_budget_is_shared_out_and_a_later_segment_changes_no_part_of_it():
    cells = build(
        served("cheap", 500, days=DAYS, segment="intent=a"), served("cheap", 500, days=DAYS, segment="intent=b"),
        served("cheap", 500, days=20, start=50, segment="intent=late"),
    )  # fmt: skip
    places = watched_places(cells, int(cells.traffic.bucket.min()), DAYS)
    weights = dict(zip([p.segment.value for p in places], place_weights(places), strict=True))
    assert sum(weights.values()) <= 1.0
    early = [p for p in places if p.segment.value != "late"]
    assert dict(zip([p.segment.value for p in early], place_weights(early), strict=True)) == {
        name: weight for name, weight in weights.items() if name != "late"
    }
    assert 0 < weights["late"] < weights["a"]
