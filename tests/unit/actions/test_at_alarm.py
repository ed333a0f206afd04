"""Actions at alarms: each bounded, once an episode, by evidence that may act, and only ever restricting."""

import msgspec
import numpy as np
import pytest

from guard_factory import at, episode, text
from undertow.actions.at_alarm import AlarmLook, WeighedPlace, at_alarm, mode_of, settle
from undertow.actions.by_person import reject, release
from undertow.actions.rollout import begin
from undertow.actions.versions import KnownVersion
from undertow.records.guard import GuardMemory
from undertow.records.serving import GuardPlan, RolloutPlan

AUTO = GuardPlan(route_back="automatic", tighten="off", roll_back="automatic", stop_rollout="automatic")
VERSIONS = (KnownVersion("auto", "v1", text(0)), KnownVersion("auto", "v2", text(16)))


def look(*episodes, acting=None, **more):
    return AlarmLook(episodes, frozenset(e.id for e in episodes) if acting is None else frozenset(acting), **more)


class Guard:
    """Looks one after another, as they would be written down."""

    def __init__(self, plan=AUTO, trail=()):
        self.plan, self.trail, self.controls = plan, tuple(trail), None
        self.memory = GuardMemory(at=text(0))
        if trail:
            self._take(settle(self.memory, None, (), tuple(trail), plan, at(0)))
            self.trail = tuple(trail)

    def look(self, seen, day):
        return self._take(at_alarm(seen, self.memory, self.controls, self.trail, self.plan, at(day)))

    def say(self, entries, day):
        return self._take(settle(self.memory, self.controls, self.trail, entries, self.plan, at(day)))

    def _take(self, outcome):
        self.trail = (*self.trail, *outcome.entries)
        self.memory, self.controls = outcome.memory, outcome.controls or self.controls
        return [(entry.kind, entry.segment, entry.status) for entry in outcome.entries]

    @property
    def restrictions(self):
        return () if self.controls is None else self.controls.policies["auto"].restrictions


def test_an_alarm_routes_its_segment_back_once():
    guard = Guard()
    assert guard.look(look(episode()), 20) == [("route_back", "intent=billing", "done")]
    (held,) = guard.restrictions
    assert (held.segment, held.exposure, held.reason, held.source) == (
        "intent=billing",
        0.0,
        "routed_back",
        guard.trail[0].id,
    )
    assert guard.trail[0].controls_version == guard.controls.version == 1
    assert guard.trail[0].evidence["loss"] == 0.08
    for day in (20, 21, 40):
        assert guard.look(look(episode()), day) == [], "one action an episode, whenever it is looked at again"
    assert guard.look(look(episode()), 3) == [], "nor with a clock that was set back"


def test_a_suggestion_changes_nothing_until_a_person_says_so():
    guard = Guard(GuardPlan(route_back="suggest", roll_back="off"))
    assert guard.look(look(episode()), 20) == [("route_back", "intent=billing", "suggested")]
    assert guard.controls is None
    assert guard.memory.suggested == (guard.trail[0].id,)
    assert guard.look(look(episode()), 21) == []
    guard.say(reject(guard.trail, guard.trail[0].id, "ada", "known", at(21)), 21)
    assert guard.memory.suggested == ()
    assert guard.look(look(episode()), 22) == [], "what was rejected is not suggested again for the same episode"


def test_off_does_nothing():
    assert Guard(GuardPlan(route_back="off", roll_back="off", stop_rollout="off")).look(look(episode()), 20) == []


def test_modes_of_segments_hold_whatever_the_action():
    plan = GuardPlan(route_back="off", roll_back="off", segments={"intent=billing": "automatic"})
    assert Guard(plan).look(look(episode()), 20)[0] == ("route_back", "intent=billing", "done")
    assert Guard(plan).look(look(episode(segment="intent=faq")), 20) == []
    assert (
        mode_of(GuardPlan(route_back="automatic", segments={"intent=billing": "off"}), "route_back", "intent=billing")
        == "off"
    )


@pytest.mark.parametrize("cause", ["mix", "provider"])
def test_what_routing_did_not_cause_is_not_acted_upon(cause):
    assert Guard().look(look(episode(cause=cause)), 20) == []


@pytest.mark.parametrize(
    "seen",
    [
        look(episode(cause="unknown")),
        look(episode(), acting=()),
        look(episode(kind="warning")),
    ],
    ids=["unknown cause", "a judge alone", "a warning"],
)
def test_weak_evidence_only_suggests(seen):
    guard = Guard()
    assert {status for *_, status in guard.look(seen, 20)} == {"suggested"}
    assert guard.controls is None


def test_a_suggestion_for_weak_evidence_is_done_once_people_have_confirmed_it():
    guard = Guard()
    guard.look(look(episode(), acting=()), 20)
    assert guard.look(look(episode()), 22) == [("route_back", "intent=billing", "done")]
    assert guard.trail[-1].of == guard.trail[0].id
    assert guard.memory.suggested == ()


def test_a_closed_episode_calls_for_nothing():
    assert Guard().look(look(episode(closed_at=text(21))), 22) == []


def test_no_more_than_so_many_a_day_are_done_without_asking():
    guard = Guard(msgspec.structs.replace(AUTO, max_actions_per_day=2))
    many = [episode(f"e{i}", f"intent=i{i}") for i in range(4)]
    done = guard.look(look(*many), 20)
    assert [status for *_, status in done] == ["done", "done", "suggested", "suggested"]
    assert guard.look(look(*many, episode("e9", "intent=i9")), 20.9) == [("route_back", "intent=i9", "suggested")]
    assert guard.look(look(*many, episode("e8", "intent=i8")), 21.1) == [("route_back", "intent=i8", "done")]


def test_nothing_of_a_kind_is_done_at_a_place_within_the_cool_down():
    guard = Guard(msgspec.structs.replace(AUTO, tighten="automatic", route_back="off", cooldown_hours=48.0))
    seen = {"tightens": frozenset({"auto"})}
    assert guard.look(look(episode("e1"), **seen), 20) == [("tighten", "intent=billing", "done")]
    assert guard.look(look(episode("e2"), **seen), 21) == []
    assert guard.look(look(episode("e2"), **seen), 22.1) == [("tighten", "intent=billing", "done")]
    assert max(each.raised_by for each in guard.restrictions) == pytest.approx(0.1)


def test_a_cool_down_from_a_clock_that_ran_ahead_ends():
    guard = Guard(msgspec.structs.replace(AUTO, tighten="automatic", route_back="off"))
    guard.memory = msgspec.structs.replace(guard.memory, cooling={"auto|intent=billing|tighten": text(400)})
    assert guard.look(look(episode(), tightens=frozenset({"auto"})), 20) == [("tighten", "intent=billing", "done")]


def test_a_threshold_is_raised_only_where_there_is_one_and_the_segment_is_not_routed_back():
    both = msgspec.structs.replace(AUTO, tighten="automatic")
    assert Guard(both).look(look(episode(), tightens=frozenset({"auto"})), 20) == [
        ("route_back", "intent=billing", "done")
    ]
    suggests = msgspec.structs.replace(both, route_back="suggest")
    assert Guard(suggests).look(look(episode()), 20) == [("route_back", "intent=billing", "suggested")]
    assert Guard(suggests).look(look(episode(), tightens=frozenset({"auto"})), 20)[1] == (
        "tighten",
        "intent=billing",
        "done",
    )


def test_places_that_were_weighed_are_routed_back_instead_of_the_whole_tier():
    guard = Guard()
    seen = look(
        episode(segment=""), weighed={"e1": (WeighedPlace("intent=a", 0.2, -0.5), WeighedPlace("intent=b", 0.1))}
    )
    assert guard.look(seen, 20) == [("route_back", "intent=a", "done"), ("route_back", "intent=b", "done")]


def test_an_episode_that_was_answered_goes_on_being_weighed_until_its_action_is_released():
    guard = Guard()
    guard.look(look(episode(), weighed={"e1": (WeighedPlace("intent=billing", 0.3, -0.6),)}), 20)
    answered = episode(closed_at=text(21), closed_by=guard.trail[0].id)
    more = {"weighed": {"e1": (WeighedPlace("intent=billing", 0.3), WeighedPlace("intent=faq", 0.1, -0.2))}}
    running = begin("auto", "v3", RolloutPlan(), at(22))
    guard.say((running,), 22)
    assert guard.look(look(answered, **more), 23) == [("route_back", "intent=faq", "done")], "and stops no rollout"
    said = guard.trail[-1]
    assert (said.evidence["expected_loss"], said.evidence["net_usd_request"]) == (0.1, -0.2)
    assert "in intent=faq a loss of 10.0% is expected, which costs more than it saves by $0.2 a request" in said.why
    guard.say(release(guard.trail, guard.trail[0].id, "ada", "mended", at(24)), 24)
    other = {"weighed": {"e1": (WeighedPlace("intent=other", 0.1),)}}
    assert guard.look(look(answered, **other), 25) == []


def test_what_no_segment_loses_enough_for_is_told_and_not_acted_upon():
    guard, seen = Guard(), look(episode(), weighed={"e1": ()})
    assert guard.look(seen, 20) == [("leave", "", "done")]
    assert guard.controls is None
    assert guard.look(seen, 21) == [], "once"
    later = look(episode(), weighed={"e1": (WeighedPlace("intent=faq", 0.2),)})
    assert guard.look(later, 22) == [("route_back", "intent=faq", "done")]


def test_a_new_version_within_the_onset_is_rolled_back_to_the_last_good_one_and_nothing_else_is_restricted():
    guard = Guard()
    seen = look(episode(), versions=VERSIONS, serving={"auto": "v2"})
    assert guard.look(seen, 20) == [("roll_back", "", "done")]
    pin = guard.controls.policies["auto"].pin
    assert (pin.bad, pin.good, pin.source) == ("v2", "v1", guard.trail[0].id)
    assert guard.look(look(episode(), versions=VERSIONS, serving={"auto": "v1"}), 21) == []


def test_without_a_good_version_it_routes_back():
    told = episode("e0", day=10, closed_at=text(12))  # under v1
    guard = Guard()
    assert guard.look(look(told, episode(), versions=VERSIONS, serving={"auto": "v2"}), 20) == [
        ("route_back", "intent=billing", "done")
    ]


def test_a_suggested_roll_back_does_not_keep_the_segment_from_being_protected():
    guard = Guard(msgspec.structs.replace(AUTO, roll_back="suggest"))
    done = guard.look(look(episode(), versions=VERSIONS, serving={"auto": "v2"}), 20)
    assert done == [("roll_back", "", "suggested"), ("route_back", "intent=billing", "done")]


def test_an_alarm_stops_a_rollout_where_it_stands():
    guard = Guard(AUTO, [begin("auto", "v2", RolloutPlan(enabled=True), at(0))])
    assert guard.look(look(episode()), 20)[0] == ("stop_rollout", "", "done")
    (rollout,) = guard.memory.rollouts
    assert (rollout.status, rollout.stage) == ("stopped", {"": 0})
    assert guard.look(look(episode("e2", "intent=faq")), 20.1) == [("route_back", "intent=faq", "done")]


def test_a_topic_names_no_label_so_people_are_asked():
    guard = Guard()
    assert guard.look(look(episode(segment="topic=my parcel")), 20) == [("route_back", "", "suggested")]
    assert "parcel" not in msgspec.json.encode(guard.trail).decode()


def test_a_person_is_asked_once_for_a_place_however_many_episodes_speak_of_it():
    guard = Guard(GuardPlan(route_back="suggest", roll_back="off"))
    both = look(episode("w", kind="warning"), episode("e1"), acting=("e1",))
    assert guard.look(both, 20) == [("route_back", "intent=billing", "suggested")]
    assert guard.trail[0].episode == "e1"
    assert guard.look(look(episode("e2")), 21) == []


def test_numbers_of_an_audit_can_be_written_down():
    guard = Guard()
    guard.look(look(episode(loss=np.float64(0.08), loss_interval=(np.float64(0.04), np.float64(0.12)))), 20)
    assert b'"loss":0.08' in msgspec.json.encode(guard.trail)
