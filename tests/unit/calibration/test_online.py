"""A threshold that follows its labels."""

import msgspec
import numpy as np
import pytest

from tuning_factory import label, labels, odds
from undertow.calibration.floors import confidence_at
from undertow.calibration.online import (
    CAP_ABOVE,
    FIRST_LOOK,
    WEIGHT_CAP,
    Rules,
    begin,
    follow,
    is_served,
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
    assert lowered.labels == 2


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
    assert relax(state, good, RULES, now="later").floor_since == "later"
    failing = labels(FIRST_LOOK, 0.2)
    looked = relax(state, failing, RULES)
    assert (looked.floor, looked.looks) == (state.floor, 1)
    assert relax(looked, labels(2 * FIRST_LOOK - 1, 0.0), RULES) is looked
    assert relax(looked, labels(2 * FIRST_LOOK, 0.0), RULES).floor < state.floor


def test_each_look_of_a_controller_has_less_of_the_error_probability_than_the_one_before():
    # 400 labels without a failure bound the loss by 1.52 % with an error probability of .0022: delta / (6 * 7) is more, delta / (7 * 8) less.
    rules = Rules.of(0.9, margin=0.0152, delta=0.1)
    good, more = labels(FIRST_LOOK, 0.0), labels(2 * FIRST_LOOK, 0.0)
    for spent, is_lower in ((0, True), (5, True), (6, False)):
        found = relax(msgspec.structs.replace(begin(0.9), spent=spent), good, rules)
        assert (found.floor < begin(0.9).floor) == is_lower
        assert found.spent == spent + 1
    assert relax(found, more, rules).floor < begin(0.9).floor


def test_neither_a_jump_nor_a_lower_floor_gives_back_what_was_spent():
    lower = relax(begin(0.9), labels(FIRST_LOOK, 0.0), RULES)
    assert (lower.looks, lower.spent) == (0, 1)
    jumped = follow(msgspec.structs.replace(lower, looks=3), [label(i, 0.95, fails=True) for i in range(50)], RULES)
    assert (jumped.jumps > 0, jumped.state.looks, jumped.state.spent) == (True, 0, 1)


def test_a_jump_counts_from_when_it_is_in_force():
    failing = [label(i, 0.95, fails=True) for i in range(50)]
    assert follow(begin(0.8), failing, RULES, now="later").state.floor_since == "later"
    assert follow(begin(0.8), failing, RULES).state.floor_since in {one.available_at for one in failing}


def test_labels_of_a_share_lower_no_floor_where_nobody_knows_what_was_withheld():
    state = begin(0.9)
    served = [msgspec.structs.replace(one, share=0.4) for one in labels(FIRST_LOOK, 0.0)]
    assert relax(state, served, RULES) is state
    withheld = [label(i, 0.3, fails=True) for i in range(300)]
    lower = relax(state, served, RULES, withheld=withheld)
    assert lower.floor < state.floor
    assert confidence_at(lower.floor) >= min(one.confidence for one in served)


def world(rng, n, *, late):
    """Answers with a confidence in [0, 1): below .8 they fail. The first `late` decisions were served from .7 on, all others from .8 on."""
    confidence = rng.random(n)
    served = confidence >= [0.7 if place < late else 0.8 for place in range(n)]
    share = float(served.mean())
    rows = [
        label(place, float(at), fails=bool(at < 0.8 and rng.random() < 0.4), share=share)
        for place, at in enumerate(confidence)
    ]
    known = [row for row, is_served in zip(rows, served, strict=True) if is_served]
    return known, [row for row, is_served in zip(rows, served, strict=True) if not is_served]


@pytest.mark.parametrize("late", [0, 100, 200, 300])
def test_labels_that_were_drawn_under_a_lower_threshold_do_not_lower_the_floor_to_it(late):
    violating, lost = 0, 0.0
    for seed in range(60):
        known, withheld = world(np.random.default_rng([7, seed]), 2000, late=late)
        state = relax(msgspec.structs.replace(begin(0.7), floor=odds(0.8)), known, RULES, withheld=withheld)
        lost = max(0.0, 0.8 - confidence_at(state.floor)) * 0.4
        violating += lost > RULES.margin
    assert violating <= 60 * RULES.delta
