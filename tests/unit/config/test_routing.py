import json

import pytest
from pydantic import TypeAdapter, ValidationError

from undertow.config.routing import (
    CascadePolicy,
    ClassifierPolicy,
    ConstraintsSettings,
    FixedPolicy,
    HoldoutSettings,
    Policy,
    SplitPolicy,
)


def policy(**values):
    return TypeAdapter(Policy).validate_json(json.dumps(values))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, CascadePolicy),
        ({"threshold": 0.9}, CascadePolicy),
        ({"kind": "classifier"}, ClassifierPolicy),
        ({"kind": "fixed"}, FixedPolicy),
        ({"kind": "split", "shares": {"a": 1.0}}, SplitPolicy),
    ],
)
def test_the_kind_tells_policies_apart_and_cascade_is_the_default(values, kind):
    assert isinstance(policy(**values), kind)


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "x"},
        {"kind": "fixed", "threshold": 0.5},
        {"threshold": 1.5},
        {"kind": "split"},
        {"margin": 0},
        {"kind": 3},
        {"kind": "fixed", "calibration": "c.json"},
        {"calibration": 5},
        {"calibration": ["c.json", 5]},
        {"calibration": ""},
        {"streaming": "early"},
        {"race_below": 1.1},
        {"samples": 11},
        {"hysteresis": -0.1},
        {"stay_turns": -1},
        {"evidence": "all"},
        {"prefix_tokens": 5000},
    ],
)
def test_wrong_policies_are_refused(values):
    with pytest.raises(ValidationError):
        policy(**values)


def test_the_defaults_fail_towards_quality():
    assert FixedPolicy(kind="fixed").tier == "capable"
    assert HoldoutSettings().share == 0.05
    assert ConstraintsSettings().cheap_images is False


@pytest.mark.parametrize("share", [-0.1, 0.51])
def test_a_holdout_is_at_most_half(share):
    with pytest.raises(ValidationError):
        HoldoutSettings(share=share)


def test_a_cascade_names_one_calibration_or_several():
    assert policy(calibration="c.json").calibration == "c.json"
    assert policy(calibration=["a.json", "b.json"]).calibration == ("a.json", "b.json")


def test_a_cascade_asks_nothing_further_and_shows_nothing_early_unless_told_to():
    plain = policy()
    assert (plain.streaming, plain.self_check, plain.samples, plain.predictive) == ("hold", False, 0, None)
    assert (plain.hysteresis, plain.stay_turns, plain.evidence, plain.prefix_tokens) == (0.02, 3, "sum", 0)
