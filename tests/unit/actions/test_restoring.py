"""Restrictions are given up by suggestion alone, and later than they were taken."""

from guard_factory import at, episode, text
from undertow.actions.by_person import approve, reject
from undertow.actions.controls import policies_of
from undertow.actions.restoring import restorable
from undertow.records.guard import TrailEntry

ROUTED = TrailEntry(
    id="a",
    at=text(20),
    who="guard",
    kind="route_back",
    segment="intent=billing",
    episode="e1",
    before="policy",
    after="capable",
)


def suggestions(day, *episodes, trail=(ROUTED,), after=14.0):
    return list(restorable(episodes, trail, after, at(day)))


def test_it_is_suggested_once_the_cause_is_gone_for_so_long():
    closed = episode(closed_at=text(22))
    assert suggestions(35.9, closed) == []
    (asked,) = suggestions(36, closed)
    assert (asked.kind, asked.status, asked.of, asked.segment) == ("release", "suggested", "a", "intent=billing")
    assert (asked.before, asked.after) == ("capable", "policy")
    assert suggestions(37, closed, trail=(ROUTED, asked)) == [], "it waits already"


def test_never_while_something_speaks_for_it():
    assert suggestions(400, episode()) == []
    assert suggestions(400, episode(closed_at=text(22)), episode("e2", "")) == [], "the whole tier is its place, too"
    assert suggestions(400, episode(closed_at=text(22)), episode("e2", "intent=faq")) != []
    assert suggestions(400, episode(closed_at=text(22)), episode("w", kind="warning")) != []


def test_not_unless_the_settings_say_so():
    assert suggestions(400, after=None) == []


def test_an_episode_that_is_forgotten_counts_from_the_action():
    assert suggestions(33.9) == []
    assert len(suggestions(34)) == 1


def test_a_no_is_asked_again_as_late_and_a_yes_takes_just_that_away():
    (asked,) = suggestions(36, episode(closed_at=text(22)))
    said = reject((ROUTED, asked), asked.id, "ada", "not yet", at(38))
    assert suggestions(51, trail=(ROUTED, asked, *said)) == []
    assert len(suggestions(52, trail=(ROUTED, asked, *said))) == 1
    yes = approve((ROUTED, asked), asked.id, "ada", "", at(38))
    assert policies_of((ROUTED, asked, *yes)) == {}
    assert suggestions(400, trail=(ROUTED, asked, *yes)) == []
