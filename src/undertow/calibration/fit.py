"""Labelled answers -> calibration: score, maps, thresholds with their certificates, and how good all that is.

Which labels may do what. A threshold's certificate holds only if the order of answers was settled before its labels were looked at. A
single feature is in order by itself, and a rising map keeps the order, so then every label serves both. Where features are combined, where
groups share one threshold, or where a prefix and the whole answer are compared, the order is learned: a part of the labels (drawn by seed)
learn it, and the others choose and certify. Rows without a label (withheld answers that no label stands for) teach nothing;
they only count where thresholds are chosen.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from undertow.calibration.certificates import Choice, certify, choose_threshold, fewest_labels, risk_coverage
from undertow.calibration.maps import apply_map, check_labels, fit_map
from undertow.calibration.money import expected_savings
from undertow.calibration.quality import measure
from undertow.calibration.scores import (
    OF_ANOTHER_FILE,
    Score,
    best_values,
    combine,
    default_feature,
    score_values,
    single_score,
    was_not_asked,
)
from undertow.errors import DataError
from undertow.records.calibration import (
    Calibration,
    ConfidenceMap,
    FittedOn,
    Group,
    Prefix,
    ScoreDistribution,
)
from undertow.records.labelled_answers import LabelledAnswers
from undertow.stats.roc import effective_number

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

LEARNING_SHARE = {"combined": 1 / 2, "single": 1 / 3}
"""Of the labels, where the order of answers is learned: several weights take more than a map does."""
GROUP_FROM = 300
"""A value of the group label with fewer labels shares the map and the threshold of all other requests."""
MAP_FROM = 30
"""With fewer labels a group has the map of all: two numbers of a map scatter too much."""
DECILES = 11
USEFUL_LOSSES = 8
"""Losses from which on a bound keeps about three quarters of the acceptance that the margin allows."""
PREFIX = "prefix."


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """What is to be fitted.

    Attributes:
        tier, model, capable_tier: As in `Calibration`.
        fitted_at: RFC 3339.
        margin, delta: Of the thresholds.
        score: `single` (the first measured of `SINGLE_ORDER`), `combined`, or a feature's name.
        group_key: Label by whose values requests are divided, or None.
        group_from: Labels that a value needs for a map and threshold of its own.
        threshold_scope: `group` or `shared`; see `Calibration`.
        prefix_tokens: Fit a prefix of so many tokens too (features `prefix.*`); 0: do not.
        seed: Of everything random.
    """

    tier: str
    capable_tier: str
    fitted_at: str
    model: str | None = None
    margin: float = 0.02
    delta: float = 0.1
    score: str = "single"
    group_key: str | None = None
    group_from: int = GROUP_FROM
    threshold_scope: Literal["group", "shared"] = "group"
    prefix_tokens: int = 0
    seed: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Labels as arrays, the same rows everywhere."""

    answers: LabelledAnswers
    judged: LabelledAnswers
    """The same for certificates: what nobody knows of an answer counts as a loss."""
    group: IntArray
    learns: BoolArray


def fit_calibration(answers: LabelledAnswers, options: FitOptions) -> Calibration:
    """Fit a calibration.

    Args:
        answers: Labelled answers.
        options: What is wanted.

    Returns:
        A calibration whose groups have a threshold where one qualifies; where none does, the group's note says why.

    Raises:
        DataError: Too few labels to certify anything, one class only, constant scores, no confidence feature; says how many more labels it takes.

    Examples:
        >>> rng = np.random.default_rng(1)
        >>> p = rng.beta(4, 1, 2000)
        >>> answers = LabelledAnswers({"mean_logprob": np.log(p)}, rng.random(2000) < p**0.5, np.ones(2000))
        >>> made = fit_calibration(answers, FitOptions(tier="cheap", capable_tier="capable", fitted_at="2026-01-01T00:00:00Z", margin=0.05))
        >>> made.groups[0].certificate.upper <= 0.05
        True
    """
    n, known = len(answers), answers.is_labelled
    labels = int(known.sum())
    needed = fewest_labels(options.margin, options.delta)
    if labels < needed:
        aside = ", ".join(f"{count:,} {reason}" for reason, count in answers.reasons.items())
        raise DataError(
            f"{labels:,} labels from {answers.source}{f' (left out: {aside})' if aside else ''}; a margin of {options.margin:g} at delta "
            f"{options.delta:g} takes at least {needed:,} even without a single loss, so {needed - labels:,} more"
        )
    answers = _of_prefix(answers, options.prefix_tokens)
    rng = np.random.default_rng(options.seed)
    values, group = _groups(answers, options)
    score, prefix_score = _scores_wanted(answers, options)
    learns_order = options.score == "combined" or options.threshold_scope == "shared" or options.prefix_tokens > 0
    share = LEARNING_SHARE["combined" if options.score == "combined" else "single"]
    learns = _learning_rows(n, share, rng) if learns_order else np.ones(n, dtype=bool)
    named = _named(values, group)
    if score is None:
        of_learning = learns & known
        score = combine(
            _combinable(answers.features),
            {name: x[of_learning] for name, x in answers.features.items()},
            answers.good[of_learning],
            answers.weight[of_learning],
            {name: inside[of_learning] for name, inside in named.items()},
        )
    value = score_values(score, answers.features, n, named)
    is_pending = was_not_asked(score, answers.features, n)
    judged = replace(answers, good=answers.good & ~is_pending)
    rows = _Rows(answers, judged, group, learns)
    value = np.where(is_pending, np.nan, value)
    scored = ~np.isnan(value)
    usable = scored & known
    if not usable.any():
        raise DataError(
            f"none of the {labels:,} labelled answers has a score: {', '.join(f.name for f in score.features)} was never measured"
        )
    certifies = ~learns if learns_order else np.ones(n, dtype=bool)
    # A combined score knows the group already; maps a group would only blur the order between groups that a shared threshold needs.
    is_common = options.score == "combined" and options.threshold_scope == "shared"
    maps = _maps(rows, value, usable, score, fitted_on=learns & usable, groups=len(values), is_common=is_common)
    best = np.where(is_pending, best_values(score, answers.features, n, named), value)
    confidence = _by_group(maps, score, best, group)
    if answers.always_served is not None:
        confidence[answers.always_served] = 1.0
    shared = None
    if options.threshold_scope == "shared":
        shared = _choice(confidence, judged, certifies, options)
    groups = tuple(
        _group(rows, number, name, maps[number], score, value, confidence, certifies, options, rng, shared)
        for number, name in enumerate(values)
    )
    prefix = None
    if options.prefix_tokens > 0:
        prefix = _prefix(rows, confidence, certifies, values, options, prefix_score)
    acceptance = _acceptance(groups, confidence, group, answers.weight)
    return Calibration(
        tier=options.tier,
        model=options.model,
        served_models=answers.served_models,
        capable_tier=options.capable_tier,
        fitted_at=options.fitted_at,
        fitted_on=FittedOn(
            source=answers.source,
            labels=labels,
            good=int(answers.good[known].sum()),
            effective=round(effective_number(answers.weight[known]), 1),
            from_at=answers.from_at,
            to_at=answers.to_at,
        ),
        margin=options.margin,
        delta=options.delta,
        features=score.features,
        intercept=score.intercept,
        link=score.link,
        group_key=options.group_key,
        groups=groups,
        threshold_scope=options.threshold_scope,
        certificate=shared.certificate if shared is not None else None,
        distribution=_distribution(value[scored], answers.weight[scored]),
        prefix=prefix,
        monitors_margin=options.margin / acceptance if acceptance > 0.0 else None,
        seed=options.seed,
        notes=answers.notes,
    )


def confidence_of(calibration: Calibration, answers: LabelledAnswers) -> tuple[FloatArray, IntArray]:
    """What a calibration says of answers: confidence, NaN where there is none, and the place of each one's group. Shapes (n,).

    Examples:
        >>> answers = LabelledAnswers({"mean_logprob": np.log([0.5, 0.9])}, np.array([False, True]), np.ones(2))
        >>> group = Group(map=ConfidenceMap(method="platt", slope=2.0), threshold=0.9)
        >>> made = Calibration(
        ...     tier="cheap", capable_tier="capable", fitted_at="", margin=0.02, delta=0.1, features=single_score("mean_logprob").features,
        ...     fitted_on=FittedOn(source="", labels=2, good=1, effective=2.0), groups=(group,), distribution=_distribution(np.ones(1), np.ones(1)),
        ... )
        >>> confidence_of(made, answers)[0].round(3).tolist()
        [0.5, 0.988]
    """
    score = Score(calibration.features, calibration.intercept, calibration.link)
    values = [group.value for group in calibration.groups]
    group = _places(answers, calibration.group_key, values)
    value = score_values(score, answers.features, len(answers), _named(values, group))
    return _by_group([each.map for each in calibration.groups], score, value, group), group


def _places(answers: LabelledAnswers, key: str | None, values: Sequence[str | None]) -> IntArray:
    """The place of each row's group: that of its value, else that of all other requests."""
    rest, place = values.index(None), {value: number for number, value in enumerate(values)}
    if key is None or not answers.segments:
        return np.full(len(answers), rest, dtype=np.int64)
    return np.array([place.get(segment.get(key), rest) for segment in answers.segments], dtype=np.int64)


def _groups(answers: LabelledAnswers, options: FitOptions) -> tuple[list[str | None], IntArray]:
    """Values with a group of their own, in order of their names, the rest (None) last; and the group of each row."""
    key = options.group_key
    if key is None:
        return [None], np.zeros(len(answers), dtype=np.int64)
    named = [segment.get(key) for segment in answers.segments] or [None] * len(answers)
    counts = Counter(name for name, known in zip(named, answers.is_labelled, strict=True) if known and name is not None)
    if not counts:
        raise DataError(
            f"no labelled answer has a label {key!r}; labels there are: {', '.join(_keys(answers.segments)) or 'none'}"
        )
    values: list[str | None] = [*sorted(name for name, count in counts.items() if count >= options.group_from), None]
    return values, _places(answers, key, values)


def _named(values: Sequence[str | None], group: IntArray) -> dict[str, BoolArray]:
    """Rows of each value that has a group of its own."""
    return {value: group == number for number, value in enumerate(values) if value is not None}


def _keys(segments: Sequence[Mapping[str, str]]) -> list[str]:
    return sorted({key for segment in segments for key in segment})


def _scores_wanted(answers: LabelledAnswers, options: FitOptions) -> tuple[Score | None, Score | None]:
    """The score, None where it is to be combined; and that of the prefix, None where there is none."""
    if options.score == "combined":
        score = None
    elif options.score == "single":
        score = single_score(default_feature(answers.features))
    else:
        if options.score in OF_ANOTHER_FILE:
            raise DataError(
                f"the score cannot be {options.score!r}: it was measured by another file than the one that would serve; use a feature of the answer"
            )
        if options.score not in answers.features:
            raise DataError(
                f"no labelled answer has the feature {options.score!r}; measured: {', '.join(sorted(answers.features)) or 'none'}"
            )
        score = single_score(options.score)
    if options.prefix_tokens <= 0:
        return score, None
    return score, single_score(default_feature(answers.features, PREFIX))


def _combinable(features: Mapping[str, FloatArray]) -> tuple[str, ...]:
    return tuple(sorted(name for name in features if not name.startswith(PREFIX) and name not in OF_ANOTHER_FILE))


def _of_prefix(answers: LabelledAnswers, tokens: int) -> LabelledAnswers:
    """The answers with features of prefixes of that many tokens alone; those of others are as good as not measured."""
    logged = answers.features.get(f"{PREFIX}tokens")
    if tokens <= 0 or logged is None:
        return answers
    is_other = ~(logged == tokens)
    if is_other.all():
        seen = sorted({int(size) for size in logged[~np.isnan(logged)].tolist()})
        raise DataError(
            f"no labelled answer was measured at a prefix of {tokens} tokens; in the log: {', '.join(map(str, seen)) or 'none'}. Give one of them with "
            "--prefix, or set [policy] prefix_tokens and label answers that come after"
        )
    return replace(
        answers,
        features={
            name: np.where(is_other, np.nan, x) if name.startswith(PREFIX) else x
            for name, x in answers.features.items()
        },
    )


def _learning_rows(n: int, share: float, rng: np.random.Generator) -> BoolArray:
    learns = np.zeros(n, dtype=bool)
    learns[rng.permutation(n)[: math.ceil(n * share)]] = True
    return learns


def _maps(
    rows: _Rows,
    value: FloatArray,
    usable: BoolArray,
    score: Score,
    *,
    fitted_on: BoolArray,
    groups: int,
    is_common: bool = False,
) -> list[ConfidenceMap]:
    """One map a group; a group that cannot be fitted by itself (few labels, one class) takes the map of all, and with `is_common` each does."""
    answers = rows.answers
    check_labels(value[usable], answers.good[usable])
    of_all = fit_map(value[fitted_on], answers.good[fitted_on], answers.weight[fitted_on], score.link)
    maps = []
    for number in range(groups):
        inside = fitted_on & (rows.group == number)
        if is_common or inside.sum() < MAP_FROM:
            maps.append(of_all)
            continue
        try:
            maps.append(fit_map(value[inside], answers.good[inside], answers.weight[inside], score.link))
        except DataError:
            maps.append(of_all)
    return maps


def _by_group(maps: Sequence[ConfidenceMap], score: Score, value: FloatArray, group: IntArray) -> FloatArray:
    confidence = np.full(len(value), np.nan)
    for number, mapping in enumerate(maps):
        inside = group == number
        confidence[inside] = apply_map(mapping, score.link, value[inside])
    return confidence


def _choice(confidence: FloatArray, answers: LabelledAnswers, inside: BoolArray, options: FitOptions) -> Choice:
    return choose_threshold(
        confidence[inside],
        answers.good[inside],
        answers.weight[inside],
        options.margin,
        options.delta,
        answers.is_labelled[inside],
    )


def _group(
    rows: _Rows,
    number: int,
    name: str | None,
    mapping: ConfidenceMap,
    score: Score,
    value: FloatArray,
    confidence: FloatArray,
    certifies: BoolArray,
    options: FitOptions,
    rng: np.random.Generator,
    shared: Choice | None,
) -> Group:
    answers = rows.answers
    mine = rows.group == number
    inside = mine & certifies
    known = answers.is_labelled
    labels, good = int((mine & known).sum()), int(answers.good[mine & known].sum())
    choice = (
        _choice(confidence, rows.judged, inside, options)
        if shared is None
        else _shared_in_group(shared, confidence, rows.judged, inside, options)
    )
    is_served = np.nan_to_num(confidence[inside], nan=-1.0) >= (2.0 if choice.threshold is None else choice.threshold)
    scored = inside & known & ~np.isnan(value)
    quality = measure(value[scored], answers.good[scored], answers.weight[scored], score.link, rng)
    if quality is not None:
        curve = risk_coverage(
            confidence[inside], rows.judged.good[inside], answers.weight[inside], options.delta, known=known[inside]
        )
        quality = msgspec.structs.replace(quality, risk_coverage=curve)
    return Group(
        value=name,
        labels=labels,
        good=good,
        map=mapping,
        threshold=choice.threshold,
        certificate=choice.certificate,
        savings=expected_savings(
            is_served,
            answers.weight[inside],
            None if answers.cheap_cost_usd is None else answers.cheap_cost_usd[inside],
            None if answers.capable_cost_usd is None else answers.capable_cost_usd[inside],
        )
        if labels
        else None,
        quality=quality,
        note=_why_not(choice, int((inside & known).sum()), options) if choice.threshold is None else "",
    )


def _shared_in_group(
    shared: Choice, confidence: FloatArray, answers: LabelledAnswers, inside: BoolArray, options: FitOptions
) -> Choice:
    """What the shared threshold does in one group: shown, not certified for the group alone."""
    if shared.threshold is None or not inside.any():
        return Choice(shared.threshold, None, shared.more_labels)
    there = (confidence[inside], answers.good[inside], answers.weight[inside])
    known = answers.is_labelled[inside]
    if not known.any():
        return Choice(shared.threshold, None)
    return Choice(shared.threshold, certify(*there, shared.threshold, options.margin, options.delta, known))


def _why_not(choice: Choice, labels: int, options: FitOptions) -> str:
    if choice.more_labels is not None:
        useful = max(fewest_labels(options.margin, options.delta, USEFUL_LOSSES) - labels, choice.more_labels)
        return (
            f"{labels:,} labels cannot show a loss within {options.margin:g}: at least {choice.more_labels:,} more are needed, {useful:,} more for a "
            "threshold worth having"
        )
    return (
        f"even the most confident of {labels:,} labelled answers fail too often for a margin of {options.margin:g}: no threshold helps, the "
        "capable tier answers"
    )


def _prefix(
    rows: _Rows,
    confidence: FloatArray,
    certifies: BoolArray,
    values: Sequence[str | None],
    options: FitOptions,
    score: Score | None,
) -> Prefix:
    """Maps of the first tokens, and the threshold that prefix and whole answer share: an answer is served if either reaches it."""
    assert score is not None
    answers, n = rows.answers, len(rows.answers)
    value = score_values(score, answers.features, n)
    usable = answers.is_labelled & ~np.isnan(value)
    if not usable.any():
        raise DataError(
            f"no labelled answer has {score.features[0].name}; no answer was longer than {options.prefix_tokens} tokens"
        )
    maps = _maps(rows, value, usable, score, fitted_on=rows.learns & usable, groups=len(values))
    early = _by_group(maps, score, value, rows.group)
    either = np.fmax(early, confidence)
    groups = []
    for number, name in enumerate(values):
        inside = certifies & (rows.group == number)
        choice = _choice(either, rows.judged, inside, options)
        labelled = inside & answers.is_labelled
        groups.append(
            Group(
                value=name,
                labels=int(labelled.sum()),
                good=int(answers.good[labelled].sum()),
                map=maps[number],
                threshold=choice.threshold,
                certificate=choice.certificate,
                note=_why_not(choice, int(labelled.sum()), options) if choice.threshold is None else "",
            )
        )
    return Prefix(
        tokens=options.prefix_tokens,
        features=score.features,
        intercept=score.intercept,
        link=score.link,
        groups=tuple(groups),
    )


def _acceptance(groups: Sequence[Group], confidence: FloatArray, group: IntArray, weight: FloatArray) -> float:
    thresholds = np.array([2.0 if each.threshold is None else each.threshold for each in groups])
    is_served = np.nan_to_num(confidence, nan=-1.0) >= thresholds[group]
    return float(weight[is_served].sum() / weight.sum())


def _distribution(value: FloatArray, weight: FloatArray) -> ScoreDistribution:
    order = np.argsort(value, kind="stable")
    ranked, mass = value[order], np.cumsum(weight[order])
    mean = float((value * weight).sum() / mass[-1])
    sd = float(np.sqrt((weight * (value - mean) ** 2).sum() / mass[-1]))
    places = np.minimum(np.searchsorted(mass, np.linspace(0.0, 1.0, DECILES) * mass[-1]), len(ranked) - 1)
    edges = () if ranked[0] == ranked[-1] else tuple(ranked[places].tolist())
    return ScoreDistribution(edges=edges, mean=mean, sd=sd, n=len(value))
