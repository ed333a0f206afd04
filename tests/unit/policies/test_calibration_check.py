"""A calibration with a broken number is refused, and a sound one of every kind is not."""

import math

import pytest

from sound_calibrations import calibration, certificate, changed, group, prefix
from undertow.policies.calibration_check import calibration_problems
from undertow.policies.novelty import pack_seen
from undertow.records.calibration import ConfidenceMap, FeatureWeight, ScoreDistribution

BETA = ConfidenceMap(method="beta", slope=0.0, slope_above=1.0)
KNOTS = ConfidenceMap(method="isotonic", xs=(-1.0, 0.0), ys=(0.2, 0.2))
SCORES = ScoreDistribution(edges=tuple(range(11)), mean=0.0, sd=1.0, n=10)


def weight(**changes):
    return FeatureWeight(**{"name": "mean_logprob"} | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"groups": (group(map=BETA), group("faq", None, map=KNOTS)), "group_key": "intent"},
        {"features": (weight(), weight(name="answer=b"), weight(name="p_true", link="probability"))},
        {"prefix": prefix()},
        {"distribution": changed(SCORES, seen_words=pack_seen(["where is my card"]))},
        {"distribution": changed(SCORES, edges=(0.0,) * 11)},
    ],
)
def test_sound(changes):
    assert list(calibration_problems(calibration(**changes))) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"intercept": math.nan}, "not finite: intercept"),
        ({"features": (weight(center=math.inf),)}, "not finite: features.center"),
        ({"groups": (group(threshold=math.nan),)}, "not finite: groups.threshold"),
        ({"groups": (group(certificate=certificate(upper=math.nan)),)}, "not finite: groups.certificate.upper"),
        ({"margin": 0.0}, "margin 0 and delta"),
        ({"delta": 1.0}, "delta 1 must"),
        ({"capable_tier": "cheap"}, "with itself"),
        ({"features": ()}, "no features"),
        ({"features": (weight(name="vibes"),)}, "'vibes' is unknown"),
        ({"features": (weight(name="prefix.mean_logprob"),)}, "'prefix.mean_logprob' is unknown"),
        ({"features": (weight(scale=0.0),)}, "scale of 'mean_logprob' is 0"),
        ({"features": (weight(), weight())}, "stands twice"),
        ({"groups": (group("faq"),), "group_key": "intent"}, "0 groups without a value"),
        ({"groups": (group(), group()), "group_key": "intent"}, "2 groups without a value"),
        ({"groups": (group(), group("a"), group("a")), "group_key": "intent"}, "same value"),
        ({"groups": (group(), group("a"))}, "no group_key"),
        ({"groups": (group(threshold=1.5),)}, "threshold 1.5 is not in"),
        ({"groups": (group(certificate=certificate(acceptance=2.0)),)}, "acceptance 2 is not in"),
        ({"groups": (group(map=ConfidenceMap(method="platt", slope=-1.0)),)}, "slope of its map is -1"),
        ({"groups": (group(map=changed(BETA, slope=-0.1)),)}, "slopes of its map"),
        ({"groups": (group(map=changed(BETA, slope_above=0.0)),)}, "slopes of its map"),
        ({"groups": (group(map=changed(KNOTS, ys=(0.2,))),)}, "2 scores and 1 confidences"),
        ({"groups": (group(map=changed(KNOTS, xs=(), ys=())),)}, "0 scores"),
        ({"groups": (group(map=changed(KNOTS, xs=(0.0, 0.0))),)}, "do not rise"),
        ({"groups": (group(map=changed(KNOTS, ys=(0.5, 0.2))),)}, "do not rise"),
        ({"groups": (group(map=changed(KNOTS, method="spline", ys=(0.5, 0.2))),)}, "do not rise"),
        ({"groups": (group(map=changed(KNOTS, ys=(0.5, 1.2))),)}, "not in [0, 1]"),
        ({"distribution": changed(SCORES, edges=(0.0, 1.0))}, "no 11 numbers"),
        ({"distribution": changed(SCORES, edges=tuple(range(11))[::-1])}, "no 11 numbers"),
        ({"distribution": changed(SCORES, seen_words="AAAA")}, "seen words is broken"),
        ({"monitors_margin": 0.0}, "monitors_margin 0"),
        ({"prefix": prefix(tokens=0)}, "0 tokens"),
        ({"prefix": prefix(features=(weight(name="prefix.p_true"),))}, "none that the first tokens"),
        ({"prefix": prefix(groups=(group(), group("faq")))}, "prefix are not those"),
        ({"prefix": prefix(groups=(group(threshold=-1.0),))}, "prefix group of all other requests: threshold -1"),
    ],
)  # fmt: skip
def test_broken(changes, problem):
    found = list(calibration_problems(calibration(**changes)))
    assert any(problem in each for each in found), found
    assert not any("\n" in each for each in found)
