"""The rules by which labels may move a threshold that is in force."""

import msgspec
import pytest

from tuning_factory import group, label, labels, odds
from undertow.calibration import tuning
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


def test_a_typical_label_counts_as_one_whatever_factor_weights_have_at_a_reading():
    calm = [label(i, weight=20.0) for i in range(9)] + [label(9, weight=200.0)]
    first = retune(group(), None, None, calm, "none", LIMITS).controller
    assert first.weight == 20.0
    found = []
    for factor in (1.0, 7.0):
        new = [*calm, label(10, fails=True, weight=20.0)]
        again = [msgspec.structs.replace(one, weight=factor * one.weight) for one in new]
        found.append(retune(group(), None, first, again, "none", LIMITS).controller.log_odds)
    assert found[0] == found[1] == pytest.approx(odds(0.8) + 0.97 * LIMITS.step)


def test_a_label_that_comes_late_counts_when_it_comes_and_each_decision_counts_once():
    first = retune(group(), None, None, [label(100)], "none", LIMITS)
    late = [label(i, 0.9, fails=True, decision_id=f"late{i}") for i in range(40)]
    same = [label(100, 0.9, fails=True, decision_id=f"same{i}") for i in range(40)]
    for more in (late, same):
        both = sorted([label(100), *more], key=lambda one: (one.available_at, one.decision_id))
        found = retune(group(), None, first.controller, both, "none", LIMITS)
        assert found.labels == 40
        assert found.threshold > 0.8
        again = retune(group(), GroupState(threshold=found.threshold), found.controller, both, "none", LIMITS)
        assert again.labels == 0
    # A second opinion on a decision makes its label available later; it is no second decision.
    revised = msgspec.structs.replace(label(100), available_at=label(500).available_at)
    assert retune(group(), None, first.controller, [revised], "none", LIMITS).labels == 0


def test_a_controller_knows_so_many_labels_by_name_and_of_the_others_until_when_they_came(monkeypatch):
    monkeypatch.setattr(tuning, "REMEMBERED", 10)
    many = [label(i) for i in range(30)]
    state = retune(group(), None, None, many, "none", LIMITS).controller
    assert list(state.seen) == [one.decision_id for one in many[20:]]
    assert state.seen_until == many[19].available_at
    late = [label(i, 0.9, fails=True, decision_id=f"late{i}") for i in (19, 20)]
    found = retune(group(), None, state, [*many, *late], "none", LIMITS)
    assert found.labels == 1
    assert retune(group(), None, found.controller, [*many, *late], "none", LIMITS).labels == 0


def test_near_one_no_lower_number_than_the_certified_one_comes_into_force():
    certified = 1.0 - 1e-8
    failing = [label(i, 1.0 - 1e-9, fails=i < 3) for i in range(5)]
    raised = retune(group(threshold=certified), None, None, failing, "none", LIMITS)
    assert raised.threshold > certified
    calm = [label(60 + i, 0.5) for i in range(190)]
    held = GroupState(threshold=raised.threshold)
    back = retune(group(threshold=certified), held, raised.controller, failing + calm, "none", LIMITS)
    assert (back.threshold, back.is_certified) == (certified, False)


@pytest.mark.parametrize("certified", [0.8, 0.123456789, 0.9999999, 1.0 - 1e-12, 1.0])
def test_back_at_the_floor_the_certified_number_itself_is_in_force(certified):
    above = msgspec.structs.replace(begin(certified), seen_until="2026-03-01T00:00:00.000Z")
    above = msgspec.structs.replace(above, log_odds=above.log_odds + 0.01)
    held = GroupState(threshold=None)
    found = retune(group(threshold=certified), held, above, [label(i, 0.05) for i in range(9)], "none", LIMITS)
    for _ in range(5):
        held = GroupState(threshold=found.threshold)
        found = retune(group(threshold=certified), held, found.controller, [], "none", LIMITS)
    assert found.threshold == certified


@pytest.mark.parametrize("alarm", ["none", "open"])
def test_a_number_that_no_label_vouches_for_goes_at_once(alarm):
    found = retune(group(), GroupState(threshold=0.01), None, [label(1)], alarm, LIMITS)
    assert (found.threshold, found.is_changed, found.is_certified) == (0.8, True, False)


def test_what_fresh_labels_certified_is_said_to_be():
    state = msgspec.structs.replace(begin(0.95), log_odds=odds(0.9), floor=odds(0.85))
    found = retune(group(threshold=0.95), None, state, [label(1)], "none", LIMITS)
    assert found.threshold < 0.95
    assert found.is_certified


def jumped():
    """Labels that lead to a jump, and the controller after a run at noon of the next day."""
    bad = [label(i, 0.95, fails=True) for i in range(60)]
    return bad, retune(group(), None, None, bad, "none", LIMITS, now="2026-03-03T12:00:00.000Z")


def test_labels_are_fresh_by_when_their_answers_were_served():
    bad, found = jumped()
    assert found.controller.floor_since == "2026-03-03T12:00:00.000Z"
    held = GroupState(threshold=found.threshold)
    for hour, is_lower in (("09", False), ("13", True)):
        # All of them become known after the jump.
        late = [
            label(
                i, 0.5 + i / 1250, available_at=f"2026-03-04T00:{i // 60:02}:{i % 60:02}.000Z", event_time=f"2026-03-03T{hour}:00:00.000Z"
            )
            for i in range(125, 575)
        ]  # fmt: skip
        later = retune(group(), held, found.controller, bad + late, "none", LIMITS, now="2026-03-05T00:00:00.000Z")
        assert (later.controller.floor < found.controller.floor) == is_lower
        assert (later.controller.spent > found.controller.spent) == is_lower
        unknown = [msgspec.structs.replace(one, event_time=None) for one in late]
        assert retune(group(), held, found.controller, bad + unknown, "none", LIMITS).controller.spent == 0


def test_withheld_answers_of_the_same_time_count_against_a_lower_floor():
    bad, found = jumped()
    held = GroupState(threshold=found.threshold)
    served = [
        label(
            i, 0.5 + i / 1250, share=0.6, available_at=f"2026-03-04T00:{i // 60:02}:{i % 60:02}.000Z"
        )
        for i in range(125, 575)
    ]  # fmt: skip
    after = [label(i, 0.85, event_time="2026-03-04T00:00:00.000Z") for i in range(300)]
    floors = [
        retune(group(), held, found.controller, bad + served, "none", LIMITS, withheld=withheld).controller.floor
        for withheld in (None, [label(i, 0.3, event_time="2026-03-04T00:00:00.000Z") for i in range(300)], after)
    ]
    assert floors[0] == found.controller.floor
    assert floors[1] == pytest.approx(odds(0.6))
    assert floors[2] == pytest.approx(odds(0.85))
    # Those that were withheld before the jump say nothing of the time after it.
    before = [label(i, 0.85) for i in range(300)]
    told = retune(group(), held, found.controller, bad + served, "none", LIMITS, withheld=before)
    assert told.controller.floor < odds(0.65)


def test_fresh_labels_lower_the_floor_and_the_threshold_follows_by_steps():
    found = retune(group(threshold=0.95), None, None, labels(2000, 0.0), "none", LIMITS)
    assert found.controller.floor < odds(0.6)
    assert not found.is_changed
    more = retune(
        group(threshold=0.95), None, found.controller, labels(2000, 0.0) + labels(300, 0.0, 2, 2000), "none", LIMITS
    )
    assert more.threshold < 0.95
    assert odds(more.threshold) >= odds(0.95) - 300 * LIMITS.step * LIMITS.margin - 1e-9
