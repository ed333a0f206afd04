"""From features to a score and from a score to a confidence, in plain Python: what `undertow.calibration` does in NumPy, number for number."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from undertow.policies.evidence import CONSTANT, ON_REQUEST, PREFIX
from undertow.records.calibration import ConfidenceMap, FeatureWeight, Link

EPSILON = 1e-6
"""Probabilities are kept this far from 0 and 1, as where the maps are fitted."""


def score_of(
    features: Sequence[FeatureWeight], intercept: float, found: Mapping[str, float], group: str | None = None
) -> float | None:
    """The score of an answer; None where a feature is missing that may not be, or the numbers leave what floats hold.

    Args:
        features: Parts of the score.
        intercept: Its constant.
        found: Features of the answer by their plain names: those of a prefix without `prefix.`.
        group: Value of the group label whose group the request is in, or None: that of all other requests.

    Examples:
        >>> score_of([FeatureWeight(name="mean_logprob"), FeatureWeight(name="p_true", missing_weight=-1.0)], 0.5, {"mean_logprob": -0.25})
        -0.75
        >>> score_of([FeatureWeight(name="mean_logprob")], 0.5, {}) is None
        True
    """
    total = intercept
    for feature in features:
        if feature.within is not None and feature.within != group:
            continue
        value = _value_of(feature, found)
        part = feature.missing_weight if value is None else _part(feature, value)
        if part is None:
            return None
        total += part
    return total if math.isfinite(total) else None


def best_score(
    features: Sequence[FeatureWeight], intercept: float, found: Mapping[str, float], group: str | None = None
) -> float | None:
    """The highest score that an answer can still come to, whatever the further calls for features of `ON_REQUEST` will say; None as above.

    Examples:
        >>> best_score([FeatureWeight(name="mean_logprob"), FeatureWeight(name="agreement", weight=2.0)], 0.0, {"mean_logprob": -1.0})
        1.0
    """
    total = intercept
    for feature in features:
        if feature.within is not None and feature.within != group:
            continue
        value = _value_of(feature, found)
        if value is not None:
            part = _part(feature, value)
        elif feature.name in ON_REQUEST:
            absent = () if feature.missing_weight is None else (feature.missing_weight,)
            part = max(_part(feature, 0.0), _part(feature, 1.0), *absent)
        else:
            part = feature.missing_weight
        if part is None:
            return None
        total += part
    return total if math.isfinite(total) else None


def confidence_of(mapping: ConfidenceMap, link: Link, score: float) -> float:
    """The confidence of a score, in [0, 1], not falling in the score.

    Args:
        mapping: A group's map.
        link: What the score is.
        score: A finite number.

    Examples:
        >>> confidence_of(ConfidenceMap(method="platt"), "log_probability", math.log(0.5))
        0.5
        >>> confidence_of(ConfidenceMap(method="isotonic", xs=(-1.0, 0.0), ys=(0.2, 0.8)), "logit", -0.5)
        0.5
    """
    if mapping.method in {"spline", "isotonic"}:
        return _interpolated(mapping.xs, mapping.ys, score)
    p = probability_of(link, score)
    above = mapping.slope if mapping.method == "platt" else mapping.slope_above
    return expit(mapping.intercept + mapping.slope * math.log(p) - above * math.log1p(-p))


def probability_of(link: Link, value: float) -> float:
    """The probability that a link makes of a number, within `EPSILON` of 0 and 1 at the most.

    Examples:
        >>> probability_of("log_probability", 0.0), probability_of("logit", 0.0), probability_of("probability", -3.0)
        (0.999999, 0.5, 1e-06)
    """
    match link:
        case "log_probability":
            p = math.exp(min(value, 0.0))
        case "probability":
            p = value
        case "logit":
            p = expit(value)
    return min(max(p, EPSILON), 1.0 - EPSILON)


def expit(x: float) -> float:
    """1 / (1 + exp(-x)), for any finite x.

    Examples:
        >>> expit(0.0), expit(-1000.0), expit(1000.0)
        (0.5, 0.0, 1.0)
    """
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))


def _value_of(feature: FeatureWeight, found: Mapping[str, float]) -> float | None:
    return 1.0 if feature.name == CONSTANT else found.get(feature.name.removeprefix(PREFIX))


def _part(feature: FeatureWeight, value: float) -> float:
    if feature.link is not None:
        p = probability_of(feature.link, value)
        value = math.log(p) - math.log1p(-p)
    return feature.weight * (value - feature.center) / feature.scale


def _interpolated(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    if x >= xs[-1]:
        return ys[-1]
    if x <= xs[0]:
        return ys[0]
    above = bisect_right(xs, x)
    x0, y0 = xs[above - 1], ys[above - 1]
    return (ys[above] - y0) / (xs[above] - x0) * (x - x0) + y0
