"""How policies would have sorted logged answers."""

import math

import numpy as np
import pytest

from tuning_factory import calibration, group
from undertow.records.calibration import GroupState, PolicyState
from undertow.records.labelled_answers import LabelledAnswers
from undertow.services.gate_choices import Side, compared, keys_of, rule_of, serving
from undertow.services.tuning_run import Target

TIERS = ("cheap", "capable")
CONFIDENCE = np.array([0.95, 0.85, 0.75, np.nan])


def answers(**more):
    return LabelledAnswers(
        {"mean_logprob": np.log(CONFIDENCE)},
        np.array([True, False, True, False]),
        np.ones(4),
        segments=({"task": "a"}, {"task": "b"}, {"task": "a"}, {}),
        **more,
    )


def cascade(threshold=0.8, **more):
    given = calibration(group(threshold=threshold))
    return Side("cascade", TIERS, targets={"cheap": Target("auto", given, "v1")}, **more)


def test_a_threshold_of_uncalibrated_confidence():
    assert serving(Side("cascade", TIERS, threshold=0.8), "cheap", answers()).tolist() == [1, 1, 0, 0]


def test_a_calibrated_threshold_and_the_one_that_was_tuned():
    assert serving(cascade(), "cheap", answers()).tolist() == [1, 1, 0, 0]
    tuned = PolicyState(calibration_version="v1", version=2, groups=(GroupState(threshold=0.9),))
    assert serving(cascade(states={"cheap": tuned}), "cheap", answers()).tolist() == [1, 0, 0, 0]
    of_another = PolicyState(calibration_version="v0", version=2, groups=(GroupState(threshold=0.9),))
    assert serving(cascade(states={"cheap": of_another}), "cheap", answers()).tolist() == [1, 1, 0, 0]


def test_a_strict_policy_serves_nothing_without_a_certificate():
    assert serving(cascade(strict=True), "cheap", answers()).tolist() == [0, 0, 0, 0]


def test_answers_that_are_served_whatever_the_threshold():
    always = np.array([False, False, False, True])
    for side in (cascade(), Side("cascade", TIERS, threshold=0.8)):
        assert serving(side, "cheap", answers(always_served=always)).tolist() == [1, 1, 0, 1]


def test_constraints_come_first():
    assert serving(cascade(never_cheap=("task=b",)), "cheap", answers()).tolist() == [1, 0, 0, 0]


def test_other_kinds():
    assert serving(Side("fixed", TIERS, tier="cheap"), "cheap", answers()).tolist() == [1, 1, 1, 1]
    assert serving(Side("split", TIERS, shares={"cheap": 0.25}), "cheap", answers()).tolist() == [0.25] * 4
    rules = Side("classifier", TIERS, rules=True, cheap_segments=("task=a",))
    assert serving(rules, "cheap", answers()).tolist() == [1, 0, 1, 0]
    assert "not kept" in serving(Side("classifier", TIERS), "cheap", answers())
    assert serving(Side("fixed", TIERS, tier="cheap"), "middle", answers()).tolist() == [0] * 4


def test_only_labelled_failures_count_and_unlabelled_ones_are_between():
    found = compared(
        np.array([0, 1, 0, 0.0]), np.array([1, 0, 0, 1.0]), answers(known=np.array([True, True, True, False]))
    )
    assert found.low.tolist() == [0, -1, 0, 0]
    assert found.high.tolist() == [0, -1, 0, 1]
    assert found.most.tolist() == [1, 0, 0, 1]
    assert found.least.tolist() == [0, -1, 0, 0]


@pytest.mark.parametrize(
    ("side", "kind", "share"),
    [
        (Side("fixed", TIERS, tier="capable"), "share", 0.0),
        (Side("split", TIERS, shares={"cheap": 0.3}), "share", 0.3),
        (Side("cascade", TIERS, threshold=0.6), "threshold", 0.0),
        (Side("classifier", TIERS, rules=True), "rules", 0.0),
    ],
)
def test_rules_by_what_every_request_shows(side, kind, share):
    rule = rule_of(side)
    assert (rule.kind, rule.share) == (kind, share)


def test_a_calibrated_choice_is_none_of_them():
    assert "only where the cheap tier was asked" in rule_of(cascade())


def test_keys():
    many = [{"intent": "a", "id": str(number)} for number in range(100)]
    assert keys_of(many, None) == ["intent"]
    assert math.isfinite(len(keys_of(many, ("id",))))
    assert keys_of(many, ("id",)) == ["id"]
