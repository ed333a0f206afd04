"""What people may say, and what is refused."""

import pytest

from guard_factory import at, place, state, text, tier
from undertow.actions.by_person import accept_risk, approve, pause, reject, release, resume, route_back, take_off
from undertow.actions.controls import policies_of
from undertow.actions.entries import waiting
from undertow.actions.rollout import begin, step
from undertow.actions.standing import rollouts_of, stage_of
from undertow.errors import UsageError
from undertow.records.guard import TrailEntry
from undertow.records.serving import RolloutPlan

ASKED = TrailEntry(
    id="abc1", at=text(1), who="guard", kind="route_back", status="suggested", segment="intent=a", why="an alarm"
)
BEGUN = (begin("auto", "v1", RolloutPlan(enabled=True), at(0)),)


def test_a_suggestion_that_is_approved_is_done_by_the_person():
    said, done = approve((ASKED,), "ab", "ada", "", at(2))
    assert (said.status, done.status, done.who, done.of, done.why) == ("approved", "done", "ada", "abc1", "an alarm")
    assert policies_of((ASKED, said, done))["auto"].restrictions[0].source == done.id
    with pytest.raises(UsageError, match="does not wait"):
        approve((ASKED, said, done), "abc1", "bob", "", at(3))


def test_a_suggestion_that_is_rejected_changes_nothing():
    (said,) = reject((ASKED,), "abc1", "ada", "known", at(2))
    assert (said.why, policies_of((ASKED, said)), waiting((ASKED, said))) == ("known", {}, ())


def test_ids_that_name_nothing_or_too_much_are_refused():
    other = TrailEntry(id="abc2", at=text(1), who="guard", kind="route_back", status="suggested")
    for which, words in (("x", "no suggestion"), ("", "no suggestion"), ("abc", "2 ids")):
        with pytest.raises(UsageError, match=words):
            approve((ASKED, other), which, "ada", "", at(2))


def test_a_move_that_was_overtaken_is_not_approved():
    plan = RolloutPlan(enabled=True, automatic=False)
    now = state()
    asked = step(now, [tier(now, whole=place(now))], (), plan, at(5))
    trail = (*BEGUN, *asked)
    moved = (*trail, *approve(trail, asked[0].id, "ada", "", at(6)))
    assert stage_of(rollouts_of(moved)["auto"], "") == 1
    stopped = (*trail, *pause(trail, "auto", "ada", "", at(6)))
    with pytest.raises(UsageError, match="moved on"):
        approve(stopped, asked[0].id, "ada", "", at(7))


def test_release():
    routed = route_back((), "auto", "intent=a", "ada", "", at(1))
    freed = release(routed, routed[0].id, "bob", "fixed", at(2))
    assert policies_of((*routed, *freed)) == {}
    with pytest.raises(UsageError, match="released already"):
        release((*routed, *freed), routed[0].id, "bob", "", at(3))
    with pytest.raises(UsageError, match="no action"):
        release((ASKED,), "abc1", "bob", "", at(3))


@pytest.mark.parametrize("label", ["billing", "=a", "intent=", "a" * 300 + "=b", "intent=\x1b[31m"])
def test_what_is_no_label_is_refused(label):
    with pytest.raises(UsageError, match="no label"):
        route_back((), "auto", label, "ada", "", at(1))


def test_a_segment_is_routed_back_once():
    routed = route_back((), "auto", "intent=a", "ada", "", at(1))
    with pytest.raises(UsageError, match="already"):
        route_back(routed, "auto", "intent=a", "bob", "", at(2))


def test_accepting_needs_a_rollout_a_segment_and_a_reason():
    for trail, segment, why, words in (
        ((), "intent=a", "yes", "no rollout"),
        (BEGUN, "", "yes", "name the segment"),
        (BEGUN, "intent=a", "", "--why"),
    ):
        with pytest.raises(UsageError, match=words):
            accept_risk(trail, "auto", segment, "ada", why, at(1))
    accepted = (*BEGUN, *accept_risk(BEGUN, "auto", "intent=a", "ada", "yes", at(1)))
    with pytest.raises(UsageError, match="already"):
        accept_risk(accepted, "auto", "intent=a", "ada", "yes", at(2))


def test_rollouts_are_held_resumed_and_taken_off_only_where_that_makes_sense():
    with pytest.raises(UsageError, match="not stopped"):
        resume(BEGUN, "auto", "ada", "", at(1))
    held = (*BEGUN, *pause(BEGUN, "auto", "ada", "", at(1)))
    with pytest.raises(UsageError, match="stopped already"):
        pause(held, "auto", "ada", "", at(2))
    off = (*held, *take_off(held, "auto", "ada", "", at(2)))
    with pytest.raises(UsageError, match="anew"):
        resume(off, "auto", "ada", "", at(3))
    done = (*BEGUN, *release(BEGUN, BEGUN[0].id, "ada", "", at(1)))
    with pytest.raises(UsageError, match="finished"):
        take_off(done, "auto", "ada", "", at(2))
