"""Mode observe: the caller gets what was asked for, and the record says what the policy would have done, at no further cost."""

import pytest

from undertow.policies.base import Ask, Release, Sample, SelfCheck
from undertow.ports.upstream import UpstreamFailedError
from undertow.records.answer import Evidence
from unit.services.stage import Answer, Flow, Scripted, Stage, plan, stream, whole
from unit.services.test_classifying import Classifier

HOLD = Ask("cheap", hold=True, reason="cascade")
KEEP = Release("cheap", "confident")
NEEDS = Evidence(logprobs=True, text=True)


def test_observing_serves_what_was_asked_for_and_says_what_the_policy_would_have_done():
    stage = Stage(plan(mode="observe", threshold=0.95), cheap=[whole("hm", probability=0.5)])
    record = stage.request(model="cheap")
    assert (record.mode, record.tier, record.decided_tier, record.reason) == ("observe", "cheap", "capable", "observed")
    assert record.confidence == pytest.approx(0.5)
    assert record.arm is None


def test_observing_a_dearer_choice_than_the_cascade_begins_with_leaves_open_what_it_would_have_done():
    stage = Stage(plan(mode="observe"), capable=[whole()])
    record = stage.request(model="auto")
    assert (record.tier, record.decided_tier) == ("capable", None)


def test_observing_a_classifier_needs_no_further_call():
    stage = Stage(
        plan(mode="observe", kind="classifier", method="text"), capable=[whole()], classifier=Classifier(0.99)
    )
    record = stage.request(model="capable")
    assert (record.tier, record.decided_tier, record.confidence) == ("capable", "cheap", 0.99)


def test_observing_an_answer_that_was_cut_decides_nothing_by_its_beginning():
    chunks = stream("a", "b", probability=0.99)[:2]
    stage = Stage(
        plan(mode="observe", threshold=0.7), cheap=[Answer(chunks, events=True, fails=UpstreamFailedError("cut"))]
    )
    record = stage.request(model="cheap", stream=True)
    assert (record.status, record.decided_tier, record.confidence) == ("error", None, None)


def test_who_only_watches_pays_for_no_further_call():
    policy = Scripted(HOLD, SelfCheck("cheap"), Sample("cheap", 3), KEEP, needs=NEEDS)
    stage = Stage(plan(mode="observe"), cheap=[whole("yes")], policy=policy)
    record = stage.request(model="cheap")
    assert [type(event).__name__ for event in policy.events] == ["Held", "Checked", "Sampled"]
    assert (policy.events[1].p_true, policy.events[2].agreement) == (None, None)
    assert (record.decided_tier, record.tier, len(record.calls)) == ("cheap", "cheap", 1)


def test_who_only_watches_is_told_of_no_beginning():
    policy = Scripted(Ask("cheap", hold=True, reason="cascade", begun_tokens=1), KEEP, needs=NEEDS)
    stage = Stage(plan(mode="observe"), cheap=[Flow(stream("a", "b", "c"))], policy=policy)
    record = stage.request(model="cheap", stream=True)
    assert [type(event).__name__ for event in policy.events] == ["Held"]
    assert (record.decided_tier, record.committed_tokens) == ("cheap", None)
