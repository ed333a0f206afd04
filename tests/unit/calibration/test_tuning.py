"""The rules by which labels may move a threshold that is in force."""

import msgspec
import pytest

from tuning_factory import group, label, labels, odds
from undertow.calibration.online import begin
from undertow.calibration.tuning import LEAST_MOVE, Limits, retune
from undertow.records.calibration import GroupState

LIMITS = Limits(margin=0.03, delta=0.1, step=0.15, max_step=1.0)


def stricter(at=2.5):
    return msgspec.structs.replace(begin(0.8), log_odds=at, seen_until="2026-03-01T00:00:00.000Z")


def state_at(log_odds):
    return GroupState(threshold=1 / (1 + 2.718281828459045**-log_odds))


def test_failures_make_it_stricter_and_say_so():
    found = retune(group(), None, None, [label(i, 0.95, fails=i % 5 == 0) for i in range(30)], "none", LIMITS)
    assert found.is_changed
    assert found.threshold > 0.8
    assert found.labels == 30
    assert found.loss == pytest.approx(0.2)
    assert found.interval[0] < 0.2 < found.interval[1]
    assert "more served answers failed" in found.why


def test_one_run_moves_it_no_further_than_allowed_and_the_next_goes_on():
    many = [label(i, 0.999, fails=True) for i in range(60)]
    first = retune(group(), None, None, many, "none", LIMITS)
    assert odds(first.threshold) == pytest.approx(odds(0.8) + 1.0)
    assert "no further" in first.why
    before = GroupState(threshold=first.threshold)
    second = retune(group(), before, first.controller, many, "none", LIMITS)
    assert second.labels == 0
    assert odds(second.threshold) == pytest.approx(odds(0.8) + 2.0)
    third = retune(group(), GroupState(threshold=0.999), first.controller, many, "none", LIMITS)
    assert third.threshold is None or third.threshold > 0.98


def test_at_the_cap_nothing_is_served():
    state, before = stricter(99.0), state_at(odds(0.8) + 3.5)
    found = retune(group(), before, state, [label(1)], "none", LIMITS)
    assert found.threshold is None
    back = retune(group(), GroupState(threshold=None), stricter(2.0), [label(1)], "none", LIMITS)
    assert odds(back.threshold) == pytest.approx(odds(0.8) + 3.0)


@pytest.mark.parametrize("alarm", ["open", "unknown"])
def test_under_an_alarm_or_without_a_look_for_one_it_only_rises(alarm):
    good = [label(i, 0.95) for i in range(300)]
    calm = retune(group(), state_at(2.5), stricter(), good, "none", LIMITS)
    assert odds(calm.threshold) < 2.5
    held = retune(group(), state_at(2.5), stricter(), good, alarm, LIMITS)
    assert not held.is_changed
    assert held.controller.floor == stricter().floor
    lost = [label(i, 0.99, fails=True) for i in range(5)]
    assert retune(group(), state_at(2.5), stricter(), lost, alarm, LIMITS).threshold > state_at(2.5).threshold


def test_a_controller_that_wants_less_than_is_in_force_is_held_under_an_alarm_and_says_why():
    found = retune(group(), state_at(3.0), stricter(2.0), [label(1)], "open", LIMITS)
    assert not found.is_changed
    assert "an alarm is open" in found.why


def test_a_void_group_and_one_without_certificate_are_left_alone():
    lost = [label(i, 0.99, fails=True) for i in range(50)]
    void = retune(group(), GroupState(threshold=0.8, is_void=True, why="an alarm"), None, lost, "none", LIMITS)
    assert (void.is_changed, void.labels, void.controller) == (False, 0, None)
    assert "an alarm" in void.why
    assert not retune(group(threshold=None), None, None, lost, "none", LIMITS).is_changed


def test_without_new_labels_nothing_moves():
    none = retune(group(), None, None, [], "none", LIMITS)
    assert (none.threshold, none.is_changed) == (0.8, False)
    seen = [label(i) for i in range(5)]
    first = retune(group(), None, None, seen, "none", LIMITS)
    again = retune(group(), None, first.controller, seen, "none", LIMITS)
    assert again.controller == first.controller
    assert again.why == "there are no new labels"


def test_small_moves_wait_unless_they_lead_back_to_the_certified_threshold():
    at = odds(0.8) + LEAST_MOVE / 2
    waits = retune(group(), state_at(2.0), stricter(2.0 + LEAST_MOVE / 2), [label(1)], "none", LIMITS)
    assert not waits.is_changed
    back = retune(group(), state_at(at), stricter(odds(0.8)), [label(1)], "none", LIMITS)
    assert odds(back.threshold) == pytest.approx(odds(0.8))
    assert "comes to the certified threshold" in back.why


def test_the_weight_of_a_typical_label_is_that_of_the_first_ones():
    found = [label(i, weight=20.0) for i in range(9)] + [label(9, weight=200.0)]
    assert retune(group(), None, None, found, "none", LIMITS).controller.weight == 20.0


def test_fresh_labels_lower_the_floor_and_the_threshold_follows_by_steps():
    found = retune(group(threshold=0.95), None, None, labels(2000, 0.0), "none", LIMITS)
    assert found.controller.floor < odds(0.6)
    assert not found.is_changed
    more = retune(
        group(threshold=0.95), None, found.controller, labels(2000, 0.0) + labels(300, 0.0, 2, 2000), "none", LIMITS
    )
    assert more.threshold < 0.95
    assert odds(more.threshold) >= odds(0.95) - 300 * LIMITS.step * LIMITS.margin - 1e-9
