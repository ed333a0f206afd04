"""Undoing an entry restores what was before it, whatever came after; the controls follow from the trail alone."""

from itertools import permutations

from guard_factory import at, state, text
from undertow.actions.by_person import release
from undertow.actions.controls import kept_policies, next_controls, policies_of, rollout_restrictions, undo_entry
from undertow.actions.rollout import begin
from undertow.records.guard import Controls, PolicyControls, Restriction, TrailEntry
from undertow.records.serving import RolloutPlan


def entry(name, kind="route_back", segment="intent=billing", day=1.0, status="done", **evidence):
    return TrailEntry(id=name, at=text(day), who="guard", kind=kind, segment=segment, status=status, evidence=evidence)


ROUTED = entry("a")
TIGHT = entry("b", "tighten", raised_by=0.05)
PINNED = entry("c", "roll_back", "", bad="v3", good="v2")
AGAIN = entry("d", "roll_back", "", bad="v3", good="v1")


def test_undoing_any_entry_leaves_what_the_others_put_there():
    trail = (ROUTED, TIGHT, PINNED)
    for undone in permutations(trail, 2):
        after = trail
        for each in undone:
            after = (*after, *release(after, each.id, "ada", "", at(2)))
        kept = [each for each in trail if each not in undone]
        assert policies_of(after) == policies_of(kept)
    for each in trail:
        whole = policies_of(trail)["auto"]
        assert undo_entry(whole, each.id) == policies_of([e for e in trail if e is not each])["auto"]


def test_a_pin_that_was_replaced_comes_back():
    both = (PINNED, AGAIN)
    assert policies_of(both)["auto"].pin.good == "v1"
    assert policies_of((*both, *release(both, "d", "ada", "", at(2))))["auto"].pin.good == "v2"


def test_what_was_only_suggested_failed_or_dry_is_not_in_force():
    for status in ("suggested", "failed", "dry", "approved", "rejected"):
        assert policies_of([entry("a", status=status)]) == {}


def test_a_pin_to_itself_or_to_nothing_is_none():
    assert policies_of([entry("a", "roll_back", bad="v1", good="v1")]) == {}
    assert policies_of([entry("a", "roll_back", bad="v1")]) == {}


def test_raises_stay_within_what_they_may_be():
    (held,) = policies_of([entry("a", "tighten", raised_by=7.0)])["auto"].restrictions
    assert held.raised_by == 1.0


def test_a_rollout_holds_back_and_lets_go():
    assert rollout_restrictions(state({"": 4})) == ()
    front = Restriction(exposure=0.05, reason="not_exposed", source="rollout")
    assert rollout_restrictions(state({"": 0, "intent=a": 3})) == (front,), "no place is further than all are"
    assert rollout_restrictions(state({"": 2}, status="stopped"))[0].exposure == 0.25, "stopped: where it stands"
    assert rollout_restrictions(state({"": 0}, status="finished")) == ()


def test_the_version_that_was_rolled_back_to_is_not_held_back_by_the_rollout_of_the_bad_one():
    trail = (begin("auto", "v3", RolloutPlan(enabled=True), at(0)), PINNED)
    assert policies_of(trail)["auto"].restrictions == ()
    assert policies_of((*trail, *release(trail, "c", "ada", "", at(2))))["auto"].restrictions[0].exposure == 0.05


def test_controls_are_numbered_and_written_only_when_they_change():
    policies = policies_of([ROUTED])
    first = next_controls(None, policies, text(1))
    assert (first.version, first.at) == (1, text(1))
    assert next_controls(first, policies, text(2)) is None
    assert next_controls(first, {}, text(2)).version == 2
    shuffled = Controls(version=5, at="", policies={"auto": policies["auto"], "other": PolicyControls()})
    assert next_controls(shuffled, policies, text(2)) is None, "an empty policy restricts nothing"


def test_a_lost_trail_undoes_nothing_and_what_it_lost_can_be_released():
    trail = (begin("auto", "v3", RolloutPlan(enabled=True), at(0)), ROUTED, PINNED)
    held = Controls(version=4, at="", policies=policies_of(trail[1:]) | {"other": policies_of(trail[:1])["auto"]})
    assert kept_policies(held, ()) == held.policies
    freed = release((), "a", "ada", "", at(2), {"a": "auto"})
    assert [each.source for each in kept_policies(held, freed)["auto"].restrictions] == []
    assert kept_policies(held, freed)["auto"].pin.source == "c"
    begun = (begin("other", "v1", RolloutPlan(enabled=True), at(3)),)
    assert len(kept_policies(held, begun)["other"].restrictions) == 1, (
        "a rollout that begins anew replaces the lost one"
    )
