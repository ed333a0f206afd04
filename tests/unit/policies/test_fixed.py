"""One tier for everything, or the next dearer one."""

import pytest

from conformance.check_policy import World, drive
from undertow.policies.base import Setting
from undertow.policies.fixed import FixedPolicy
from undertow.records.answer import AnswerFacts
from undertow.records.request import RequestFacts

FACTS = RequestFacts("chat.completions", "auto")
ALL = ("small", "medium", "large")
WORLD = World(dict.fromkeys(ALL, AnswerFacts()))


def served(tier, usable=ALL, *, is_holdout=False, world=WORLD):
    setting = Setting(usable, len(usable) > 1, is_holdout, 0.9, 0.0)
    return drive(FixedPolicy("auto", "v", ALL, tier), FACTS, setting, world).served


@pytest.mark.parametrize(
    ("tier", "usable", "by", "reason", "propensity"),
    [
        ("large", ALL, "large", "fixed", 1.0),
        ("small", ALL, "small", "fixed", 0.9),
        ("small", ("medium", "large"), "medium", "constraint", 0.9),
        ("small", ("large",), "large", "constraint", 1.0),
        ("large", ("large",), "large", "fixed", 1.0),
        ("large", ("small",), "small", "constraint", 1.0),
    ],
)
def test_who_serves(tier, usable, by, reason, propensity):
    answer = served(tier, usable)
    assert (answer.tier, answer.reason, answer.propensity) == (by, reason, propensity)


def test_the_holdout_is_served_by_the_dearest():
    assert served("small", is_holdout=True).tier == "large"
    assert served("small", is_holdout=True).propensity == pytest.approx(0.1)
    assert served("large", is_holdout=True).propensity == 1.0


def test_a_failure_goes_up():
    answer = served("small", world=World({"medium": AnswerFacts()}))
    assert (answer.tier, answer.reason, answer.propensity) == ("medium", "upstream_error", None)
