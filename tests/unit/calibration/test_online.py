"""A threshold that follows its labels."""

import math

import msgspec
import pytest

from tuning_factory import label, labels, odds
from undertow.calibration.online import (
    CAP_ABOVE,
    FIRST_LOOK,
    WEIGHT_CAP,
    Rules,
    begin,
    certified,
    confidence_at,
    follow,
    is_served,
    log_odds,
    relax,
    threshold_of,
)

RULES = Rules.of(0.8, margin=0.03, delta=0.1)


def after(state, found, **options):
    return follow(state, found, RULES, **options).state


def test_a_served_failure_raises_the_threshold_by_a_step_and_every_other_label_lowers_it_by_the_margins_part():
    start = begin(0.8)
    raised = after(start, [label(0, 0.9, fails=True)])
    assert raised.log_odds == pytest.approx(odds(0.8) + RULES.step * 0.97)
    lowered = after(raised, [label(1, 0.99)])
    assert lowered.log_odds == pytest.approx(raised.log_odds - RULES.step * 0.03)
    assert (lowered.labels, lowered.seen_until) == (2, label(1).available_at)


def test_a_failure_that_was_not_served_is_no_loss():
    above = msgspec.structs.replace(begin(0.8), log_odds=odds(0.9))
    for lost in (label(0, 0.85, fails=True), label(0, None, fails=True)):
        assert after(above, [lost]).log_odds < above.log_odds


def test_it_does_not_fall_below_the_certified_threshold_nor_at_all_where_it_may_not():
    assert after(begin(0.8), labels(500, 0.0)).log_odds == pytest.approx(odds(0.8))
    above = msgspec.structs.replace(begin(0.8), log_odds=2.0)
    assert after(above, labels(50, 0.0), may_loosen=False).log_odds == 2.0
    assert after(above, labels(50, 0.0)).log_odds == pytest.approx(2.0 - 50 * RULES.step * 0.03)


def test_where_everything_fails_nothing_is_served_and_it_comes_back_by_the_margins_steps():
    state = after(begin(0.8), [label(i, 0.9999, fails=True) for i in range(400)])
    assert state.log_odds >= odds(0.8) + CAP_ABOVE - 0.1 * RULES.step
    at_cap = msgspec.structs.replace(state, log_odds=RULES.cap)
    assert threshold_of(at_cap, RULES) is None
    assert not is_served(label(0, 0.999999), RULES.cap, RULES)
    assert threshold_of(msgspec.structs.replace(at_cap, log_odds=2.0), RULES) == pytest.approx(confidence_at(2.0))


def test_a_rare_label_counts_more_but_no_more_than_the_cap():
    weighted = begin(0.8, weight=10.0)
    steps = [
        after(weighted, [label(0, 0.9, fails=True, weight=w)]).log_odds - odds(0.8) for w in (10.0, 20.0, 50.0, 1e6)
    ]
    assert steps == pytest.approx([RULES.step * 0.97 * w for w in (1, 2, 5, WEIGHT_CAP)])


def test_labels_of_served_answers_alone_count_by_the_share_that_is_served():
    raised = after(begin(0.8), [label(0, 0.9, fails=True, share=0.5)])
    assert raised.log_odds == pytest.approx(odds(0.8) + RULES.step * (0.5 - 0.03))


def test_evidence_against_the_floor_lifts_threshold_and_floor_to_where_the_window_certifies():
    bad = [label(i, 0.82 if i % 4 == 0 else 0.95, fails=i % 4 == 0) for i in range(200)]
    found = follow(begin(0.8), bad, RULES)
    assert found.jumps >= 1
    assert found.evidence >= 3.0
    assert found.state.floor >= odds(0.82)
    assert found.state.floor_since is not None
    assert found.state.log_odds >= found.state.floor
    # Losses at the margin give no evidence.
    calm = follow(begin(0.8), labels(1000, 0.02), RULES)
    assert (calm.jumps, calm.state.floor) == (0, begin(0.8).floor)


def test_a_window_that_certifies_nothing_sends_the_floor_above_its_failures():
    few = [label(i, 0.85 + 0.001 * i, fails=True) for i in range(20)]
    state = follow(begin(0.8), few, RULES).state
    assert 0.85 < confidence_at(state.floor) < 0.95


def test_a_jump_looks_back_on_labels_of_earlier_runs():
    bad = [label(i, 0.82 if i % 4 == 0 else 0.95, fails=i % 4 == 0) for i in range(200)]
    whole = follow(begin(0.8), bad, RULES).state
    state = begin(0.8)
    for place in range(0, 200, 10):
        state = follow(state, bad[place : place + 10], RULES, earlier=bad[:place]).state
    assert state == whole


def test_a_lower_floor_needs_a_certificate_and_is_looked_for_at_doubling_counts():
    good = labels(FIRST_LOOK - 1, 0.0)
    state = begin(0.9)
    assert relax(state, good, RULES) is state
    good = labels(FIRST_LOOK, 0.0)
    lower = relax(state, good, RULES)
    assert lower.floor < odds(0.55)
    assert lower.log_odds == state.log_odds  # it comes down by its own steps
    assert (lower.floor_since, lower.looks) == (good[-1].available_at, 0)
    failing = labels(FIRST_LOOK, 0.2)
    looked = relax(state, failing, RULES)
    assert (looked.floor, looked.looks) == (state.floor, 1)
    assert relax(looked, labels(2 * FIRST_LOOK - 1, 0.0), RULES) is looked
    assert relax(looked, labels(2 * FIRST_LOOK, 0.0), RULES).floor < state.floor


def test_labels_of_a_share_certify_against_the_margin_of_that_share():
    found = [label(i, 0.5 + i / 1000, fails=i % 16 == 0) for i in range(400)]
    assert certified(found, 0.03, 0.1) > log_odds(0.5)
    halved = [msgspec.structs.replace(one, share=0.3) for one in found]
    assert certified(halved, 0.03, 0.1) < certified(found, 0.03, 0.1)
    assert certified([], 0.03, 0.1) is None
    assert certified(found[:10], 0.03, 0.1) is None


def test_confidences_of_0_and_1_are_kept_off_the_ends():
    assert math.isfinite(log_odds(0.0))
    assert log_odds(1.0) == pytest.approx(-log_odds(0.0))
