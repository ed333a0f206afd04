"""Why a place may not go further, each reason with its word."""

import pytest

from guard_factory import place, state, text, tier
from undertow.actions.gates import fresh_labels, segment_gates, whole_gate
from undertow.records.serving import RolloutPlan

PLAN = RolloutPlan(enabled=True, margin=0.02, risk_budget=0.02, pool_segments=False)
NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("stage", "tiers", "alarmed", "code"),
    [
        (0, [{}], NONE, ""),
        (-1, [{}], NONE, "off"),
        (0, [], NONE, "labels"),
        (0, [{}], frozenset({""}), "alarm"),
        (0, [{"half": 0.03}], NONE, "margin"),
        (0, [{}, {"fresh": 0}], NONE, "labels"),
    ],
)
def test_the_whole(stage, tiers, alarmed, code):
    now = state({"": stage})
    gate = whole_gate(now, [tier(now, whole=place(now, **each)) for each in tiers], PLAN, alarmed)
    assert (gate.code, gate.is_open) == (code, not code)


@pytest.mark.parametrize(("stage", "is_open"), [(1, True), (2, True), (3, False)])
def test_a_segment_is_held_to_its_budget_at_the_next_exposure(stage, is_open):
    now = state({"": stage})
    unsure = place(now, "intent=a", share=0.2, half=0.15)  # .15 * .2 = .03 at full exposure, .015 at half
    gate = segment_gates(now, [tier(now, unsure)], PLAN, NONE)["intent=a"]
    assert gate.is_open == is_open
    assert gate.bound == pytest.approx(min(0.02 / 0.2 / now.stages[stage + 1], 1.0))


def test_a_segment_that_is_held_back_weighs_what_it_will_at_full_exposure():
    """It is served a twentieth while the others are served half: a small part of the tier now, a third of it later."""
    now = state({"": 3, "intent=a": 0})
    unknown = {"share": 0.04, "half": 1.0}
    assert segment_gates(now, [tier(now, place(now, "intent=a", **unknown))], PLAN, NONE)["intent=a"].is_open
    gate = segment_gates(now, [tier(now, place(now, "intent=a", share_at_full=0.3, **unknown))], PLAN, NONE)["intent=a"]
    assert (gate.code, gate.bound) == ("budget", pytest.approx(0.02 / 0.3 / now.stages[1]))
    assert "30% of the traffic" in gate.why


def test_a_segment_that_is_shown_to_lose_more_than_the_margin_goes_no_further_though_the_budget_would_bear_it():
    now = state({"": 1})
    small = {"share": 0.01, "loss": 0.06}  # .07 * .01 = .0007
    for shown, code in (({"half": 0.01}, "worse"), ({"half": 0.05}, ""), ({"half": 0.05, "fresh_low": 0.03}, "worse")):
        gate = segment_gates(now, [tier(now, place(now, "intent=a", **small, **shown))], PLAN, NONE)["intent=a"]
        assert gate.code == code
    accepted = state({"": 1}, accepted=("intent=a",))
    assert segment_gates(accepted, [tier(accepted, place(accepted, "intent=a", **small, half=0.01))], PLAN, NONE)["intent=a"].is_open  # fmt: skip


def test_the_worst_tier_decides_for_a_segment():
    now = state({"": 3})
    fine, bad = place(now, "intent=a", share=0.2), place(now, "intent=a", share=0.2, half=0.9)
    for order in ([fine, bad], [bad, fine]):
        assert segment_gates(now, [tier(now, each) for each in order], PLAN, NONE)["intent=a"].code == "budget"


def test_segments_without_evidence_that_stand_apart_are_told_of():
    now = state({"": 2, "intent=a": -1, "intent=b": 1})
    gates = segment_gates(now, [tier(now)], PLAN, frozenset({"intent=c"}))
    assert {name: gate.code for name, gate in gates.items()} == {
        "intent=a": "off",
        "intent=b": "labels",
        "intent=c": "alarm",
    }


def test_accepted_segments_skip_bound_and_alarm():
    now = state({"": 3}, accepted=("intent=a",))
    bad = place(now, "intent=a", share=0.2, half=0.9)
    assert segment_gates(now, [tier(now, bad)], PLAN, frozenset({"intent=a"}))["intent=a"].is_open


def test_labels_of_another_stage_are_not_fresh():
    now = state()
    assert fresh_labels(now, place(now)) == 200
    assert fresh_labels(now, place(now, stage_since=text(-3))) == 0
