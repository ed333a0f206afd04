"""Rollouts for people: what each place needs, what it borrows, when the next decision comes, and how it got here."""

from dataclasses import replace

import pytest

from guard_factory import at, place, state, text, tier
from undertow.actions.outlook import outlook
from undertow.actions.rollout import begin
from undertow.bootstrap.guarding import RolloutStanding
from undertow.dashboard.rollouts import SHOWN_PLACES, expected, rollout_view, steps_of
from undertow.records.guard import TrailEntry
from undertow.records.serving import RolloutPlan

PLAN = RolloutPlan(enabled=True, margin=0.02)


def places_of(found, *tiers, alarmed=frozenset()):
    return outlook(found, tiers, PLAN, alarmed, at(10))


def move(name, day, kind="advance", segment="", **evidence):
    return TrailEntry(
        id=name, at=text(day), who="guard", kind=kind, segment=segment, evidence={"version": "v1", **evidence}
    )


BEGUN = begin("auto", "v1", PLAN, at(0), "ada")


def view(*places, status="running", trail=(BEGUN,), note="", **more):
    return rollout_view(RolloutStanding(state(status=status, **more), places, (), note), trail)


def test_a_place_says_what_it_needs_and_when_that_is_expected():
    of = state({"": 1})
    (whole,) = places_of(of, tier(of, whole=place(of, n=400, loss=0.0, half=0.05)))
    row = view(whole).places[0]
    assert (row.place, row.stage, row.exposure, row.next_exposure) == ("all requests", "2 of 5", 0.1, 0.25)
    assert not row.is_ready
    assert row.high > row.bound
    assert row.decided_at > at(10)
    assert "more labels" in row.expected
    assert not row.may_accept, "the risk of the whole tier is not for accepting"


def test_what_was_borrowed_is_told_apart():
    of = state({"": 1})
    (whole,) = places_of(of, tier(of, whole=place(of)))
    row = view(replace(whole, segment="intent=a", high=0.03, borrowed=0.02)).places[0]
    assert (row.high, row.own_high) == (0.03, 0.05)
    assert view(replace(whole, high=0.03, borrowed=0.0001)).places[0].own_high is None
    assert view(replace(whole, high=None, borrowed=0.02)).places[0].own_high is None


@pytest.mark.parametrize(
    ("status", "changes", "said"),
    [
        ("stopped", {}, "held until a person lets it go on"),
        ("finished", {}, ""),
        ("running", {"next_exposure": None}, ""),
        ("running", {"is_ready": True}, "at the next look"),
        ("running", {"is_ready": True, "segment": "intent=a"}, "with the next step of all requests"),
        ("running", {"code": "off"}, "not by labels: a person decides"),
        ("running", {"code": "alarm"}, "not by labels alone"),
        ("running", {"missing": None}, "not by more labels, if the loss stays what it is estimated to be"),
        (
            "running",
            {"missing": 10, "decided_at": None},
            "after about 10 more labels; not within two years at today's rate",
        ),
        ("running", {"missing": 1, "decided_at": at(12)}, "after about 1 more label"),
    ],
)
def test_expectations_in_words(status, changes, said):
    of = state({"": 1})
    (whole,) = places_of(of, tier(of, whole=place(of, half=0.05)))
    assert expected(replace(whole, **changes), status) == said


def test_all_requests_come_first_then_what_is_not_ready_and_no_more_than_can_be_looked_at():
    of = state({"": 1})
    (whole,) = places_of(of, tier(of, whole=place(of)))
    many = [replace(whole, segment=f"k={i:05}", is_ready=i % 2 == 0) for i in range(1_000)]
    found = view(*many, whole)
    assert [row.segment for row in found.places[:3]] == ["", "k=00001", "k=00003"]
    assert (len(found.places), found.left_out) == (SHOWN_PLACES, 1_001 - SHOWN_PLACES)


def test_nobody_exposed_is_said():
    assert view(stage={"": -1}, status="stopped").is_off
    assert view(stage={"": -1}, status="stopped").exposure == 0.0


def test_moves_are_those_of_the_rollout_latest_first():
    other = TrailEntry(id="r", at=text(1), who="ada", kind="route_back", segment="intent=a")
    released = TrailEntry(id="s", at=text(2), who="ada", kind="release", of="r")
    trail = (BEGUN, other, released, move("m1", 3, **{"from": 0, "to": 1}), move("m2", 4, "step_back", **{"from": 1, "to": 0}))  # fmt: skip
    assert [line.id for line in view(trail=trail).moves] == ["m2", "m1", BEGUN.id]


def test_the_steps_of_each_place_since_the_rollout_began():
    trail = (
        begin("auto", "v0", PLAN, at(-9), "ada"), BEGUN, move("m1", 3, **{"from": 0, "to": 1}),
        move("m2", 5, "step_back", "intent=a", **{"from": 1, "to": -1}), move("m3", 7, **{"from": 1, "to": 2}),
        TrailEntry(id="r", at=text(8), who="ada", kind="release", of="m3"),
    )  # fmt: skip
    found = steps_of(trail, "auto")
    assert [(step.at, step.exposure) for step in found[""]] == [(at(0), 0.05), (at(3), 0.1), (at(5), 0.1), (at(7), 0.25), (at(8), 0.1)]  # fmt: skip
    assert [step.exposure for step in found["intent=a"]] == [0.05, 0.1, 0.0, 0.0, 0.0], (
        "it went with all until it was taken off"
    )
    assert steps_of((), "auto") == {}
    assert steps_of((BEGUN,), "other") == {}
