"""Shares become frequencies, over what can be used."""

import pytest

from conformance.check_policy import World, drive
from undertow.policies.base import Setting
from undertow.policies.split import SplitPolicy, drawn, usable_shares
from undertow.records.answer import AnswerFacts
from undertow.records.request import RequestFacts

FACTS = RequestFacts("chat.completions", "auto")
ALL = ("small", "medium", "large")
SHARES = {"small": 0.2, "medium": 0.3, "large": 0.5}
WORLD = World(dict.fromkeys(ALL, AnswerFacts()))


def served(draw, usable=ALL, *, is_holdout=False, treated=1.0, world=WORLD):
    setting = Setting(usable, len(usable) > 1, is_holdout, treated, draw)
    return drive(SplitPolicy("auto", "v", SHARES), FACTS, setting, world).served


@pytest.mark.parametrize(
    ("draw", "tier", "propensity"),
    [(0.0, "small", 0.2), (0.19, "small", 0.2), (0.2, "medium", 0.3), (0.99, "large", 0.5)],
)
def test_the_draw_decides(draw, tier, propensity):
    answer = served(draw)
    assert (answer.tier, answer.reason) == (tier, "split")
    assert answer.propensity == pytest.approx(propensity)


def test_shares_are_taken_over_what_can_be_used():
    assert served(0.39, ("small", "medium")).tier == "small"
    assert served(0.39, ("small", "medium")).propensity == pytest.approx(0.4)


def test_the_holdout_counts_in_the_propensity():
    assert served(0.0, treated=0.9).propensity == pytest.approx(0.18)
    assert served(0.9, treated=0.9).propensity == pytest.approx(0.55)
    assert served(0.0, treated=0.9, is_holdout=True).propensity == pytest.approx(0.55)


def test_a_failure_goes_up_never_down():
    assert served(0.3, world=World({"small": AnswerFacts()})) is None
    assert served(0.0, world=World({"medium": AnswerFacts()})).tier == "medium"


def test_odd_shares():
    assert usable_shares({}, ("small", "large")) == (0.0, 1.0)
    assert usable_shares({"small": -1.0, "large": 2.0}, ("small", "large")) == (0.0, 1.0)
    assert drawn((0.1,) * 9 + (0.1, 0.0), 0.999_999_999_999_999_9) == 9
