"""Where rollouts stand follows from the trail: moves, holds, acceptance, ends, and releases of each."""

from guard_factory import at, state, text
from undertow.actions.by_person import accept_risk, pause, release, resume, take_off
from undertow.actions.rollout import begin
from undertow.actions.standing import OFF, rollouts_of, since_of, stage_of
from undertow.records.guard import TrailEntry
from undertow.records.serving import RolloutPlan

PLAN = RolloutPlan(enabled=True)


def move(kind, segment, stage, to, day):
    evidence = {"version": "v1", "from": stage, "to": to}
    return TrailEntry(id=f"{kind}{day}", at=text(day), who="guard", kind=kind, segment=segment, evidence=evidence)


BEGUN = (begin("auto", "v1", PLAN, at(0)),)
ADVANCED = (*BEGUN, move("advance", "", 0, 1, 3), move("advance", "", 1, 2, 6))


def stands(trail):
    return rollouts_of(trail)["auto"]


def test_moves_and_their_beginnings():
    now = stands(ADVANCED)
    assert (stage_of(now, ""), since_of(now, "")) == (2, text(6))
    assert (stage_of(now, "intent=a"), since_of(now, "intent=a")) == (2, text(6)), "a place of its own it is not"


def test_a_place_is_never_further_than_all_are():
    now = stands((*ADVANCED, move("advance", "intent=a", 2, 3, 7)))
    assert stage_of(now, "intent=a") == 2


def test_entries_of_another_version_move_nothing():
    other = move("advance", "", 2, 3, 9)
    other.evidence["version"] = "v0"
    assert stands((*ADVANCED, other)) == stands(ADVANCED)


def test_another_version_begins_anew():
    now = stands((*ADVANCED, begin("auto", "v2", PLAN, at(9))))
    assert (now.version, now.stage) == ("v2", {"": 0})


def test_releases():
    back = (*ADVANCED, *release(ADVANCED, "advance6", "ada", "", at(8)))
    assert stage_of(stands(back), "") == 1
    stepped = (*ADVANCED, move("step_back", "intent=a", 2, OFF, 7))
    assert stage_of(stands(stepped), "intent=a") == OFF
    again = (*stepped, *release(stepped, "step_back7", "ada", "", at(8)))
    assert stage_of(stands(again), "intent=a") == 2
    ended = (*ADVANCED, *release(ADVANCED, BEGUN[0].id, "ada", "", at(8)))
    assert stands(ended).status == "finished"


def test_a_released_advance_does_not_bring_back_what_stepped_back_further():
    trail = (*ADVANCED, move("step_back", "", 2, 1, 7), move("step_back", "", 1, 0, 8))
    assert stage_of(stands((*trail, *release(trail, "advance6", "ada", "", at(9)))), "") == 0


def test_a_person_accepts_pauses_goes_on_and_takes_off():
    off = (*ADVANCED, move("step_back", "intent=a", 2, OFF, 7))
    taken = (*off, *accept_risk(off, "auto", "intent=a", "ada", "we looked", at(8)))
    assert stands(taken).accepted == ("intent=a",)
    assert stage_of(stands(taken), "intent=a") == 0, "from the first stage"
    paused = (*taken, *pause(taken, "auto", "ada", "", at(9)))
    assert stands(paused).status == "stopped"
    on = (*paused, *resume(paused, "auto", "ada", "", at(10)))
    assert (stands(on).status, stage_of(stands(on), "")) == ("running", 2)
    assert since_of(stands(on), "") == text(10), "labels from before the pause are not fresh"
    gone = stands((*on, *take_off(on, "auto", "ada", "", at(11))))
    assert (gone.status, stage_of(gone, "")) == ("stopped", OFF)


def test_a_place_with_no_rollout_stands_nowhere():
    assert rollouts_of((move("advance", "", 0, 1, 3),)) == {}
    assert state().status == "running"
