"""What status shows: stage, what is missing, what is borrowed, when."""

import pytest

from guard_factory import at, place, state, tier
from undertow.actions.outlook import outlook
from undertow.records.serving import RolloutPlan

PLAN = RolloutPlan(enabled=True, margin=0.02, risk_budget=0.02)
NONE: frozenset[str] = frozenset()


def test_a_tier_that_needs_labels_says_how_many_and_when():
    now = state()
    (whole,) = outlook(now, [tier(now, whole=place(now, n=1000, loss=0.0, half=0.03))], PLAN, NONE, at(5))
    assert not whole.is_ready
    assert (whole.stage, whole.exposure, whole.next_exposure, whole.bound) == (0, 0.05, 0.1, 0.02)
    assert 1000 < whole.missing < 3000
    assert (whole.decided_at - at(5)).days == pytest.approx(whole.missing / 100, abs=1)


def test_never_is_said_where_the_estimate_lies_beyond():
    now = state()
    (whole,) = outlook(now, [tier(now, whole=place(now, loss=0.03))], PLAN, NONE, at(5))
    assert (whole.missing, whole.decided_at) == (None, None)


def test_what_is_missing_at_this_exposure_alone():
    now = state()
    (whole,) = outlook(now, [tier(now, whole=place(now, fresh=20))], PLAN, NONE, at(5))
    assert whole.missing == 30


def test_segments_show_what_they_borrow():
    now = state({"": 3})
    small, rest = place(now, "intent=a", share=0.1, n=10, loss=0.0, half=1.0), place(now, "intent=b", share=0.9)
    found = {each.segment: each for each in outlook(now, [tier(now, small, rest)], PLAN, NONE, at(5))}
    assert list(found) == ["", "intent=a", "intent=b"]
    assert found["intent=a"].borrowed == pytest.approx(1.0 - found["intent=a"].high)
    assert found["intent=a"].borrowed > 0.5


def test_of_a_segment_that_is_shown_to_lose_too_much_no_number_of_labels_is_missing():
    now = state({"": 1})
    bad = place(now, "intent=a", share=0.01, loss=0.06)
    found = {each.segment: each for each in outlook(now, [tier(now, bad)], PLAN, NONE, at(5))}["intent=a"]
    assert (found.code, found.missing, found.decided_at) == ("worse", None, None)


def test_at_the_end_nothing_is_missing():
    now = state({"": 4}, status="finished")
    (whole,) = outlook(now, [tier(now)], PLAN, NONE, at(5))
    assert (whole.next_exposure, whole.missing) == (None, None)
    assert whole.needs.startswith("nothing")


def test_who_was_taken_off_by_hand_is_not_said_to_have_done_harm():
    now = state({"": -1}, status="stopped")
    (whole,) = outlook(now, [tier(now)], PLAN, NONE, at(5))
    assert (whole.code, whole.exposure, whole.missing) == ("off", 0.0, None)
    assert "start --anew" in whole.needs
    assert "harm" not in whole.needs
