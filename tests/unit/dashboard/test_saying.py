"""What a form says is said of what its page showed, with a name and a reason, or not at all."""

from datetime import UTC, datetime

import msgspec
import pytest

from undertow.actions.rollout import begin
from undertow.dashboard.saying import LONGEST_WHY, NOTES, saying
from undertow.errors import UsageError
from undertow.records.guard import TrailEntry
from undertow.records.serving import RolloutPlan

NOW = datetime(2026, 4, 1, tzinfo=UTC)
ASKED = TrailEntry(id="abcdef", at="2026-03-01T00:00:00.000Z", who="guard", kind="route_back", status="suggested", segment="intent=a")  # fmt: skip
DONE = msgspec.structs.replace(ASKED, id="fedcba", status="done", segment="intent=b")
BEGUN = begin("auto", "v1", RolloutPlan(enabled=True), datetime(2026, 3, 2, tzinfo=UTC), "guard")
TRAIL = (ASKED, DONE, BEGUN)


def said(trail=TRAIL, lost=None, **form):
    return saying({"why": "tickets", **form}, "ada", NOW, lambda: lost or {})(trail)


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        (
            {"do": "approve", "id": "abcdef"},
            [("route_back", "approved", "intent=a"), ("route_back", "done", "intent=a")],
        ),
        ({"do": "reject", "id": "abcdef"}, [("route_back", "rejected", "intent=a")]),
        ({"do": "release", "id": "fedcba"}, [("release", "done", "intent=b")]),
        ({"do": "route_back", "segment": " intent=c "}, [("route_back", "done", "intent=c")]),
        ({"do": "route_back", "segment": "all"}, [("route_back", "done", "")]),
        ({"do": "pause", "version": "v1"}, [("stop_rollout", "done", "")]),
        ({"do": "take_off", "version": "v1"}, [("step_back", "done", ""), ("stop_rollout", "done", "")]),
        ({"do": "accept_risk", "version": "v1", "segment": "intent=c"}, [("accept_risk", "done", "intent=c")]),
    ],
)
def test_what_can_be_said(form, lines):
    found = said(**form)
    assert [(e.kind, e.status, e.segment) for e in found] == lines
    assert {(e.who, e.why) for e in found} == {("ada", "tickets")}


def test_a_held_rollout_goes_on():
    held = (*TRAIL, *said(do="pause", version="v1"))
    (line,) = said(held, do="resume", version="v1")
    assert (line.kind, line.evidence["resumes"]) == ("start", 1)


def test_everything_that_can_be_said_is_tried_here():
    assert set(NOTES) == {"approve", "reject", "release", "route_back", "pause", "resume", "take_off", "accept_risk"}


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"do": ""}, "is nothing that can be done here"),
        ({"do": "start"}, "is nothing that can be done here"),
        ({"do": "approve", "id": "abcdef", "why": " "}, "a reason is missing"),
        ({"do": "reject"}, "the id of a line is missing"),
        ({"do": "route_back", "segment": " "}, "a segment is missing"),
        ({"do": "route_back", "segment": "billing"}, "is no label"),
        ({"do": "accept_risk", "segment": "all"}, "is no label"),
    ],
)
def test_what_says_nothing_is_refused_before_anything_is_read(form, why):
    with pytest.raises(UsageError, match=why):
        saying({"why": "tickets", **form}, "ada", NOW, dict)


@pytest.mark.parametrize(
    ("trail", "form", "why"),
    [
        (TRAIL, {"do": "approve", "id": "abc"}, "has no line 'abc' any more"),
        ((), {"do": "release", "id": "fedcba"}, "has no line"),
        (TRAIL, {"do": "approve", "id": "fedcba"}, "does not wait for anybody"),
        ((*TRAIL, *said(do="reject", id="abcdef")), {"do": "approve", "id": "abcdef"}, "ada rejected that already, on 2026-04-01 at 00:00 UTC"),
        ((*TRAIL, *said(do="approve", id="abcdef")), {"do": "reject", "id": "abcdef"}, "ada approved that already"),
        ((*TRAIL, *said(do="release", id="fedcba")), {"do": "release", "id": "fedcba"}, "ada released that already"),
        (TRAIL, {"do": "pause", "version": "v0"}, "version v1 is rolled out by now"),
        (TRAIL, {"do": "accept_risk", "segment": "intent=c"}, "version v1 is rolled out by now"),
        (TRAIL[:2], {"do": "pause", "version": "v1"}, "has no rollout"),
    ],
)  # fmt: skip
def test_what_changed_meanwhile_is_refused(trail, form, why):
    with pytest.raises(UsageError, match=why):
        said(trail, **form)


def test_what_the_trail_has_lost_is_released_by_its_source():
    (line,) = said(do="release", id="gone", lost={"gone": "auto"})
    assert (line.kind, line.of, line.policy) == ("release", "gone", "auto")


def test_a_reason_is_kept_within_bounds_and_harmless():
    (line,) = said(do="reject", id="abcdef", why="\x1b[31m" + "x" * 5_000)
    assert len(line.why) <= LONGEST_WHY
    assert "\x1b" not in line.why
