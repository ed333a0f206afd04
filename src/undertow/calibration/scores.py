"""Scores: one feature as it is, or several combined by logistic regression.

A single feature needs no fitting, so all labels are left for the threshold. Several are worth fitting only where they tell more than
the labels that fitting takes (`make bench-cascade` prints what combining adds, and what is left of it between certified thresholds).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from undertow.calibration.logistic import fit_logistic
from undertow.calibration.maps import probabilities
from undertow.errors import DataError
from undertow.records.calibration import FeatureWeight, Link

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

LOG_PROBABILITIES = ("mean_logprob", "content_logprob", "min_logprob", "low_logprob", "first_logprob")
PROBABILITIES = ("mean_margin", "min_margin", "p_true", "agreement")
SINGLE_ORDER = ("mean_logprob", "content_logprob", "first_logprob", "p_true", "agreement", "mean_margin")
"""Which feature is the score where nothing is asked for: the first of these that was measured. Fixed, so that no label chooses it."""

ON_REQUEST = ("p_true", "agreement")
"""Features that cost a call, which is made where it can still serve the answer."""

OF_ANOTHER_FILE = ("novelty", "predicted")
"""Features that a calibration or a classifier measured which need not be the one that serves: no score is made of them."""

MIN_SHARE = 0.02
"""A feature that is measured, or differs from 0, in fewer labels than this share is not fitted."""

RIDGE = 1.0
WITHIN = 0.5
"""How easily an option's weight may differ in one group from its weight in all: the column is that much smaller, so the ridge holds it more."""


@dataclass(frozen=True, slots=True)
class Score:
    """How features make a score; see `undertow.records.calibration`.

    Attributes:
        features: Parts.
        intercept: Constant.
        link: What the score is.
    """

    features: tuple[FeatureWeight, ...]
    intercept: float = 0.0
    link: Link = "logit"


CONSTANT = "constant"
"""The feature that is 1 for every answer."""


def plain_name(name: str) -> str:
    """A feature's name without the prefix of prefixes.

    Examples:
        >>> plain_name("prefix.mean_logprob")
        'mean_logprob'
    """
    return name.removeprefix("prefix.")


def link_of(name: str) -> Link | None:
    """What a feature is; None: no probability."""
    plain = plain_name(name)
    if plain in LOG_PROBABILITIES:
        return "log_probability"
    return "probability" if plain in PROBABILITIES else None


def single_score(name: str) -> Score:
    """A feature as the score. Where it is no probability, it is taken as a number on the scale of log-odds.

    Examples:
        >>> single_score("mean_logprob").link
        'log_probability'
    """
    falling = plain_name(name) in {"mean_entropy", "max_entropy", "hedging", "novelty", "refusal_words", "cut_short"}
    return Score((FeatureWeight(name=name, weight=-1.0 if falling else 1.0),), 0.0, link_of(name) or "logit")


def default_feature(features: Mapping[str, FloatArray], prefix: str = "") -> str:
    """The feature that is the score where none is named.

    Raises:
        DataError: None of them was measured.
    """
    for name in SINGLE_ORDER:
        values = features.get(prefix + name)
        if values is not None and not np.isnan(values).all():
            return prefix + name
    there = ", ".join(sorted(name for name, values in features.items() if not np.isnan(values).all())) or "none"
    raise DataError(
        f"no confidence feature was measured on the labelled answers (measured: {there}); the upstream gives no log-probabilities: set "
        "self_check or samples in [policy], or name a feature with --score"
    )


def values_of(feature: FeatureWeight, features: Mapping[str, FloatArray], n: int) -> FloatArray:
    """What a feature is before it is weighed. Shape (n,), NaN where it is missing."""
    if feature.name == CONSTANT:
        return np.ones(n)
    values = features.get(feature.name)
    if values is None:
        return np.full(n, np.nan)
    if feature.link is None:
        return values
    p = probabilities(values, feature.link)
    return np.log(p) - np.log1p(-p)


def score_values(
    score: Score, features: Mapping[str, FloatArray], n: int, groups: Mapping[str, BoolArray] | None = None
) -> FloatArray:
    """Scores of n answers, NaN where a feature is missing that may not be.

    Args:
        score: How.
        features: Values. Shape (n,) each.
        n: Number of answers.
        groups: Value of the group label -> its rows, for parts that are for one group only. Shape (n,) each.

    Examples:
        >>> score_values(single_score("mean_margin"), {"mean_margin": np.array([0.5, np.nan])}, 2).tolist()
        [0.5, nan]
    """
    total = np.full(n, score.intercept)
    for feature in score.features:
        part = _weighed_values(feature, values_of(feature, features, n))
        if feature.missing_weight is not None:
            part = np.where(np.isnan(part), feature.missing_weight, part)
        total = total + _within(feature, part, groups)
    return total


def best_values(
    score: Score, features: Mapping[str, FloatArray], n: int, groups: Mapping[str, BoolArray] | None = None
) -> FloatArray:
    """The highest scores that n answers could come to, whatever the further calls would have said that were not made for them.

    A gateway asks for a self-check or for samples where they can still serve the answer. Which labelled answers have them was decided by the
    rule in force then, and another threshold asks for others: what those would have said, nobody knows.

    Examples:
        >>> best_values(single_score("agreement"), {"agreement": np.array([0.5, np.nan])}, 2).round(3).tolist()
        [0.5, 1.0]
    """
    total = np.full(n, score.intercept)
    for feature in score.features:
        values = values_of(feature, features, n)
        part = _weighed_values(feature, values)
        if feature.name in ON_REQUEST:
            ends = _weighed_values(feature, values_of(feature, {feature.name: np.array([0.0, 1.0])}, 2))
            absent = [] if feature.missing_weight is None else [feature.missing_weight]
            part = np.where(np.isnan(values), max([*ends.tolist(), *absent]), part)
        elif feature.missing_weight is not None:
            part = np.where(np.isnan(part), feature.missing_weight, part)
        total = total + _within(feature, part, groups)
    return total


def was_not_asked(score: Score, features: Mapping[str, FloatArray], n: int) -> BoolArray:
    """Which answers lack a number that the score has and that a further call would have given. Shape (n,)."""
    lacking = np.zeros(n, dtype=bool)
    for feature in score.features:
        if feature.name in ON_REQUEST:
            lacking |= np.isnan(features.get(feature.name, np.full(n, np.nan)))
    return lacking


def _weighed_values(feature: FeatureWeight, values: FloatArray) -> FloatArray:
    return feature.weight * (values - feature.center) / feature.scale


def _within(feature: FeatureWeight, part: FloatArray, groups: Mapping[str, BoolArray] | None) -> FloatArray:
    if feature.within is None:
        return part
    rows = (groups or {}).get(feature.within)
    return np.zeros(len(part)) if rows is None else np.where(rows, part, 0.0)


def combine(
    names: tuple[str, ...],
    features: Mapping[str, FloatArray],
    good: BoolArray,
    weight: FloatArray,
    groups: Mapping[str, BoolArray] | None = None,
) -> Score:
    """Several features as one score on the scale of log-odds.

    Missing values: a feature that some labels lack gets a coefficient of its own for being missing, so that absence counts for what it was worth
    among the labels, and never for certainty. One that no label lacks may not be missing later.

    What a feature tells may differ between groups (a model that says "A" when in doubt does so where the questions are hard): probabilities
    and options have a weight for all, and one for each group on top; and each group has a constant of its own.

    Args:
        names: Features to use; those that hardly vary are left out.
        features: Values. Shape (n,) each.
        good: Labels. Shape (n,).
        weight: 1 / inclusion probability. Shape (n,).
        groups: Value of the group label -> its rows. Shape (n,) each.

    Raises:
        DataError: No feature varies.
    """
    n = len(good)
    columns: list[FloatArray] = []
    parts: list[_Part] = []
    for name in names:
        link, is_option = link_of(name), plain_name(name).startswith("answer=")
        x = values_of(FeatureWeight(name=name, link=link), features, n)
        if is_option:
            x = np.nan_to_num(x)  # the option that an answer is not: 0, not unknown
        known = ~np.isnan(x)
        if known.mean() < MIN_SHARE or (np.abs(x[known]) > 0.0).mean() < MIN_SHARE:
            continue
        center, scale = float(x[known].mean()), float(x[known].std())
        if scale <= 1e-9 * max(abs(center), 1.0):
            continue
        standard = np.where(known, (x - center) / scale, 0.0)
        feature = FeatureWeight(name=name, link=link, center=center, scale=scale)
        parts.append(_Part(feature, of_absence=-center / scale if is_option else None))
        columns.append(standard)
        if not known.all():
            parts.append(_Part(None))
            columns.append((~known).astype(np.float64))
        for value, rows in (groups or {}).items() if is_option or link is not None else ():
            here = x[rows & known]
            if len(here) and float(np.ptp(here)) > 0.0:
                inside = replace(feature, scale=scale / WITHIN, within=value)
                parts.append(_Part(inside, of_absence=-center / scale * WITHIN if is_option else 0.0))
                columns.append(WITHIN * standard * rows)
    if not parts:
        raise DataError(f"none of the features {', '.join(names)} varies over the labelled answers; use another score")
    for value, rows in (groups or {}).items():
        parts.append(_Part(FeatureWeight(name=CONSTANT, within=value)))
        columns.append(rows.astype(np.float64))
    intercept, coefficients = fit_logistic(np.column_stack(columns), good, weight, ridge=RIDGE)
    return Score(_weighed(parts, coefficients.tolist()), intercept, "logit")


@dataclass(frozen=True, slots=True)
class _Part:
    """One column: of a feature, or (None) of the absence of the one before it."""

    feature: FeatureWeight | None
    of_absence: float | None = None


def _weighed(parts: list[_Part], coefficients: list[float]) -> tuple[FeatureWeight, ...]:
    found: list[FeatureWeight] = []
    for part, coefficient in zip(parts, coefficients, strict=True):
        if part.feature is None:
            found[-1] = replace(found[-1], missing_weight=coefficient)
            continue
        absent = None if part.of_absence is None else coefficient * part.of_absence
        found.append(replace(part.feature, weight=coefficient, missing_weight=absent))
    return tuple(found)
