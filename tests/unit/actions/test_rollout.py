"""A stage ends by evidence alone; segments stay behind alone; harm steps back."""

import pytest

from guard_factory import at, place, state, text, tier
from undertow.actions.gates import LEAST_FRESH
from undertow.actions.rollout import Trouble, begin, step
from undertow.actions.standing import OFF, moved, stage_of
from undertow.records.serving import RolloutPlan

PLAN = RolloutPlan(enabled=True, margin=0.02, risk_budget=0.02, pool_segments=False)


def after(begin_state, entries):
    for entry in entries:
        begin_state = moved(begin_state, entry) or begin_state
    return begin_state


def moves(entries):
    return [(entry.kind, entry.segment, entry.status) for entry in entries if entry.kind != "hold" or entry.segment]


def test_a_rollout_begins_at_the_first_stage():
    entry = begin("auto", "v1", PLAN, at(0))
    assert moved(None, entry) == state()


def test_a_tier_shown_below_the_margin_advances_one_stage():
    now = state()
    entries = step(now, [tier(now)], (), PLAN, at(5))
    assert moves(entries) == [("advance", "", "done")]
    new = after(now, entries)
    assert stage_of(new, "") == 1
    assert new.since[""] == text(5)
    assert entries[0].evidence["high"] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("whole", "code"),
    [
        ({"loss": 0.015}, "margin"),
        ({"fresh": LEAST_FRESH - 1}, "labels"),
        ({"stage_since": text(-1)}, "labels"),
        ({"fresh_loss": 0.03}, "worse"),
    ],
)
def test_it_holds_while_anything_is_missing_and_says_so_once(whole, code):
    now = state()
    look = [tier(now, whole=place(now, **whole))]
    entries = step(now, look, (), PLAN, at(5))
    assert [entry.kind for entry in entries] == ["hold"]
    assert code in entries[0].evidence["code"]
    assert after(now, entries) == now
    assert step(now, look, (), PLAN, at(500), entries) == (), "neither time nor another look says it again or moves it"


def test_a_tier_without_a_reference_from_elsewhere_never_advances():
    now = state()
    entries = step(now, [tier(now, shows_level=False)], (), PLAN, at(5))
    assert [entry.kind for entry in entries] == ["hold"]
    assert "holdout" in entries[0].why


def test_without_any_tier_it_holds():
    assert [entry.kind for entry in step(state(), [], (), PLAN, at(5))] == ["hold"]


def test_the_same_input_twice_moves_once():
    now = state()
    look = [tier(now)]
    first = step(now, look, (), PLAN, at(5))
    new = after(now, first)
    assert moves(step(new, look, (), PLAN, at(5), first)) == []


def test_every_tier_has_to_be_shown():
    now = state()
    bad = tier(now, whole=place(now, loss=0.03))
    assert moves(step(now, [tier(now), bad], (), PLAN, at(5))) == []


def test_a_segment_beyond_its_budget_stays_behind_alone_and_follows_by_its_own_labels():
    now = state({"": 3})
    dear = place(now, "intent=billing", share=0.3, loss=0.05, half=0.06)  # .11 * .3 * 1.0 > .02
    fine = place(now, "intent=faq", share=0.7)
    entries = step(now, [tier(now, dear, fine)], (), PLAN, at(9))
    assert moves(entries) == [("hold", "intent=billing", "done"), ("advance", "", "done")]
    new = after(now, entries)
    assert (stage_of(new, ""), stage_of(new, "intent=billing"), stage_of(new, "intent=faq")) == (4, 3, 4)
    assert new.since["intent=billing"] == text(0), "its stage goes on"
    assert new.status == "running"
    known = place(new, "intent=billing", share=0.3, loss=0.01, half=0.02)
    again = step(new, [tier(new, known, place(new, "intent=faq", share=0.7))], (), PLAN, at(20), entries)
    assert [entry.kind for entry in again] == ["advance", "finish"]
    assert after(new, again).status == "finished"


def test_a_segment_shown_to_lose_too_much_stays_behind_while_the_rest_goes_on_and_does_not_come_and_go():
    """It has no labels at this exposure yet, so it does not step back; nor does it go further, small as it is."""
    now = state({"": 1})
    bad = place(now, "intent=a", share=0.01, loss=0.06, fresh=0)
    on = step(now, [tier(now, bad)], (), PLAN, at(5))
    assert moves(on) == [("hold", "intent=a", "done"), ("advance", "", "done")]
    behind = after(now, on)
    assert (stage_of(behind, ""), stage_of(behind, "intent=a")) == (2, 1)
    back = step(
        behind, [tier(behind, place(behind, "intent=a", share=0.01, loss=0.06, tier_fresh=200))], (), PLAN, at(9)
    )
    assert ("step_back", "intent=a", "done") in moves(back)
    further = after(behind, back)
    again = step(
        further,
        [tier(further, place(further, "intent=a", share=0.01, loss=0.06, fresh=0, tier_fresh=200))],
        (),
        PLAN,
        at(12),
    )
    assert not [each for each in moves(again) if each[1] == "intent=a"]


def test_a_segment_that_lags_needs_labels_at_its_own_exposure():
    now = state({"": 4, "intent=billing": 2}, {"": text(9), "intent=billing": text(9)})
    seg = place(now, "intent=billing", share=0.3, tier_fresh=10)
    assert moves(step(now, [tier(now, seg)], (), PLAN, at(10))) == []


def test_an_accepted_segment_skips_the_bound_but_not_the_step():
    now = state({"": 3}, accepted=("intent=billing",))
    dear = place(now, "intent=billing", share=0.3, loss=0.05, half=0.06)
    assert moves(step(now, [tier(now, dear)], (), PLAN, at(9)))[0] == ("advance", "", "done")


def test_harm_in_the_whole_tier_steps_back_one_stage_and_not_again_without_labels():
    now = state({"": 2})
    look = [tier(now, whole=place(now, loss=0.06))]
    entries = step(now, look, (), PLAN, at(9))
    assert moves(entries) == [("step_back", "", "done")]
    new = after(now, entries)
    assert stage_of(new, "") == 1
    assert moves(step(new, look, (), PLAN, at(9.1), entries)) == []
    assert moves(step(new, [tier(new, whole=place(new, loss=0.06))], (), PLAN, at(11), entries)) == [
        ("step_back", "", "done")
    ]


def test_stepping_back_is_possible_at_the_first_stage_and_only_a_person_starts_again():
    now = state()
    gone = after(now, step(now, [tier(now, whole=place(now, loss=0.06))], (), PLAN, at(9)))
    assert stage_of(gone, "") == OFF
    assert moves(step(gone, [tier(gone)], (), PLAN, at(30))) == []


def test_an_alarm_takes_its_segment_off_once_an_episode_and_the_rest_goes_on():
    now = state({"": 2})
    alarm = (Trouble("e1", "intent=billing"),)
    look = [tier(now, place(now, "intent=billing", share=0.3), place(now, "intent=faq", share=0.7))]
    entries = step(now, look, alarm, PLAN, at(9))
    assert ("step_back", "intent=billing", "done") in moves(entries)
    new = after(now, entries)
    assert stage_of(new, "intent=billing") == OFF
    assert stage_of(new, "") == 3
    assert entries[0].episode == "e1"
    assert moves(step(new, [tier(new)], alarm, PLAN, at(10), entries)) != [("step_back", "intent=billing", "done")]


def test_an_alarm_about_the_whole_tier_steps_back_once_and_holds_while_it_is_open():
    now = state({"": 2})
    alarm = (Trouble("e1"),)
    entries = step(now, [tier(now)], alarm, PLAN, at(9))
    new = after(now, entries)
    assert stage_of(new, "") == 1
    assert moves(step(new, [tier(new)], alarm, PLAN, at(19), entries)) == []
    assert moves(step(new, [tier(new)], (), PLAN, at(29), entries)) == [("advance", "", "done")]


def test_where_a_person_decides_moves_are_suggested_once_and_withdrawn_when_they_no_longer_hold():
    plan = RolloutPlan(enabled=True, margin=0.02, risk_budget=0.02, automatic=False)
    now = state()
    asked = step(now, [tier(now)], (), plan, at(5))
    assert moves(asked) == [("advance", "", "suggested")]
    assert after(now, asked) == now
    assert step(now, [tier(now)], (), plan, at(6), asked) == ()
    taken_back = step(now, [tier(now, whole=place(now, loss=0.018))], (), plan, at(7), asked)
    assert (taken_back[0].kind, taken_back[0].status, taken_back[0].of) == ("advance", "rejected", asked[0].id)
    again = step(now, [tier(now)], (), plan, at(8), (*asked, *taken_back))
    assert moves(again) == [("advance", "", "suggested")]


def test_a_stopped_rollout_does_nothing():
    now = state(status="stopped")
    assert step(now, [tier(now)], (Trouble("e1"),), PLAN, at(5)) == ()
