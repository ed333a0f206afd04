"""The lowest threshold that labels certify while the policy runs."""

import math

import msgspec
import pytest

from tuning_factory import label, odds
from undertow.calibration.floors import WITHHELD_PART, certified, confidence_at, log_odds, share_of


def rising(count=400, every=16, **other):
    return [label(i, 0.5 + i / 1000, fails=i % every == 0, **other) for i in range(count)]


def test_labels_of_a_share_certify_against_the_margin_of_that_share():
    found = rising()
    assert certified(found, 0.03, 0.1) > log_odds(0.5)
    halved = rising(share=0.3)
    assert certified(halved, 0.03, 0.1) < certified(found, 0.03, 0.1)
    assert certified([], 0.03, 0.1) is None
    assert certified(found[:10], 0.03, 0.1) is None
    assert (share_of(halved), share_of([])) == (pytest.approx(0.3), 1.0)


def test_nothing_is_certified_below_what_labels_can_be_of():
    good = [label(i, 0.6 + i / 1000, share=0.5) for i in range(300)]
    assert certified(good, 0.03, 0.1) == pytest.approx(odds(0.6))
    assert certified([msgspec.structs.replace(one, share=1.0) for one in good], 0.03, 0.1) <= odds(0.6)


def test_withheld_answers_are_failures_and_may_take_a_part_of_the_margin():
    good = [label(i, 0.5 + i / 1000, share=0.4) for i in range(400)]
    far = [label(i, 0.1) for i in range(600)]
    assert certified(good, 0.03, 0.1, far) == pytest.approx(odds(0.5))
    allowed = int(WITHHELD_PART * 0.03 * 1000)
    for above, lowest in ((allowed, 0.5), (allowed + 1, 0.7)):
        withheld = [label(i, 0.7 if i < above else 0.1) for i in range(600)]
        assert certified(good, 0.03, 0.1, withheld) == pytest.approx(odds(lowest))
    assert certified(good, 0.03, 0.1, withheld) > odds(0.7)
    # Where nothing was withheld, labels stand for all requests.
    assert certified(rising(share=0.3), 0.03, 0.1, []) == pytest.approx(certified(rising(), 0.03, 0.1))
    unmeasured = [label(i, None) for i in range(600)]
    assert certified(good, 0.03, 0.1, unmeasured) == pytest.approx(odds(0.5))


def test_labels_that_are_still_to_come_do_not_make_the_share_smaller():
    half = rising(share=0.4)[::2]
    withheld = [label(i, 0.1) for i in range(600)]
    assert 200 / 800 < 0.4
    alone = certified(rising(share=0.4)[::2], 0.03 * (1.0 - WITHHELD_PART), 0.1)
    assert certified(half, 0.03, 0.1, withheld) == pytest.approx(alone)


def test_confidences_of_0_and_1_are_kept_off_the_ends_and_near_them_they_are_told_apart():
    assert math.isfinite(log_odds(0.0))
    assert log_odds(1.0) == pytest.approx(-log_odds(0.0), rel=1e-2)
    assert log_odds(1.0 - 1e-8) < log_odds(1.0 - 1e-9) < log_odds(1.0)
    assert confidence_at(log_odds(1.0 - 1e-8)) == pytest.approx(1.0 - 1e-8, abs=1e-15)
    assert log_odds(1e-8) == pytest.approx(-log_odds(1.0 - 1e-8), rel=1e-6)
