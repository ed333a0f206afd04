"""The classifier of a policy: whatever becomes of it, the request is answered."""

import asyncio

import pytest

from undertow.ports.classifier import ClassifierError
from unit.services.stage import Stage, plan, whole


class Classifier:
    version = "c1"

    def __init__(self, result):
        self.result = result

    async def probability(self, _):
        if isinstance(self.result, Exception):
            raise self.result
        if self.result == "slow":
            await asyncio.sleep(5)
        return self.result


@pytest.mark.parametrize(
    ("classifier", "tier", "reason"),
    [
        (Classifier(0.9), "cheap", "easy"),
        (Classifier(0.1), "capable", "hard"),
        (None, "capable", "classifier_absent"),
        (Classifier("slow"), "capable", "classifier_late"),
        (Classifier(ClassifierError("x")), "capable", "classifier_error"),
        (Classifier(RuntimeError("secret text")), "capable", "classifier_error"),
    ],
    ids=["easy", "hard", "absent", "late", "failing", "broken"],
)
def test_a_classifier_that_is_absent_late_or_failing_means_the_capable_tier(classifier, tier, reason):
    stage = Stage(
        plan(kind="classifier", method="text", deadline_ms=20),
        cheap=[whole()],
        capable=[whole()],
        classifier=classifier,
    )
    record = stage.request()
    assert (record.tier, record.reason) == (tier, reason)


def test_a_classifier_that_computes_past_its_deadline_is_late_too():
    ticks = iter([0.0, 0.1] + [0.2] * 100)  # its two readings lie 100 ms apart
    stage = Stage(
        plan(kind="classifier", method="text", deadline_ms=20),
        capable=[whole()],
        classifier=Classifier(0.9),
        clock=ticks.__next__,
    )
    assert stage.request().reason == "classifier_late"
