"""Where: the segment that bears a loss."""

import numpy as np

from alarm_logs import BAD, PRE, drawn_unlike, heard, steered
from undertow.detectors.locating import segment_of_rise
from undertow.services.alarm_place import Rises


def segment_named(cells, after):
    """Segment code that bears the change, by what is known so many days after it; None: the whole tier."""
    scene, evidence = heard(cells)
    family = {s.segment: s for s in evidence.streams if s.kind == "change" and s.tier == 0 and s.role != "tail"}
    found = Rises.of(scene, family).named(BAD, BAD + after)
    return None if found is None else found.segment


def test_a_segment_is_named_where_it_bears_the_loss_and_not_where_steering_went():
    for seed in range(4):
        for after in (4, 8, 14):
            assert segment_named(steered((0.25, 0.25, 0.25), seed=seed), after) is None
            assert segment_named(steered((0.0, 0.25, 0.0), seed=seed), after) == 2


def test_a_segment_is_not_named_for_hard_requests_that_were_drawn_more_often():
    """Of its labels more fail by 20 points, of its requests none."""
    cells = drawn_unlike((0.0, 0.0, 0.15))
    _, evidence = heard(cells)
    family = {s.segment: s for s in evidence.streams if s.kind == "change" and s.tier == 0}
    plain = [np.stack([getattr(family[code], name) for code in range(4)]) for name in ("failures", "n")]
    windows = [x[:, PRE:BAD].sum(1) for x in plain], [x[:, BAD : BAD + 20].sum(1) for x in plain]
    assert segment_of_rise(*windows[0], *windows[1], keys=[0, 0, 0]) == 0
    assert segment_named(cells, 19) == 3
