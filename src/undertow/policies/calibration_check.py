"""Whether a calibration can be applied: what no type says of its numbers, looked at once when it is read.

A broken number would not fail later, it would serve: a NaN compares as false everywhere, a map that falls serves the worst answers first.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise

import msgspec

from undertow.policies.evidence import CONSTANT, IN_PREFIX, PREFIX, is_feature
from undertow.policies.novelty import unpack_seen
from undertow.records.calibration import Calibration, ConfidenceMap, FeatureWeight, Group, ScoreDistribution

EDGES = 11
MAX_PREFIX_TOKENS = 4_096
"""As many tokens as evidence is kept of."""


def calibration_problems(calibration: Calibration) -> Iterator[str]:
    """What is wrong with a calibration, a sentence each, without a full stop; nothing: it is sound.

    Examples:
        >>> given = {
        ...     "tier": "cheap", "capable_tier": "capable", "fitted_at": "2026-01-01T00:00:00Z", "margin": 0.02, "delta": 0.1,
        ...     "fitted_on": {"source": "review", "labels": 500, "good": 400, "effective": 500.0},
        ...     "features": [{"name": "mean_logprob"}], "groups": [{"map": {"method": "platt"}, "threshold": 0.9}],
        ...     "distribution": {"edges": [], "mean": -0.2, "sd": 0.1, "n": 500},
        ... }
        >>> list(calibration_problems(msgspec.convert(given, Calibration)))
        []
        >>> list(calibration_problems(msgspec.convert(given | {"groups": []}, Calibration)))
        ['it has 0 groups without a value where exactly one holds all other requests']
    """
    broken = sorted(set(_not_finite(msgspec.to_builtins(calibration), "")))
    if broken:
        yield f"not finite: {', '.join(broken[:5])}"
        return
    if not (0.0 < calibration.margin < 1.0 and 0.0 < calibration.delta < 1.0):
        yield f"margin {calibration.margin:g} and delta {calibration.delta:g} must lie between 0 and 1"
    if calibration.tier == calibration.capable_tier:
        yield f"it compares the tier {calibration.tier!r} with itself"
    yield from _feature_problems(calibration.features)
    yield from _group_problems(calibration.groups, "")
    if calibration.group_key is None and len(calibration.groups) > 1:
        yield "it has groups by value, but no group_key whose values those are"
    yield from _distribution_problems(calibration.distribution)
    if calibration.monitors_margin is not None and not calibration.monitors_margin > 0.0:
        yield f"monitors_margin {calibration.monitors_margin:g} must be above 0"
    prefix = calibration.prefix
    if prefix is None:
        return
    if not 1 <= prefix.tokens <= MAX_PREFIX_TOKENS:
        yield f"its prefix has {prefix.tokens} tokens where 1 to {MAX_PREFIX_TOKENS:,} are possible"
    yield from _feature_problems(prefix.features, is_prefix=True)
    yield from _group_problems(prefix.groups, "prefix ")
    if {group.value for group in prefix.groups} != {group.value for group in calibration.groups}:
        yield "the groups of its prefix are not those of whole answers"


def _not_finite(value: object, path: str) -> Iterator[str]:
    match value:
        case float() if not math.isfinite(value):
            yield path.removeprefix(".")
        case dict():
            for key, inner in value.items():
                yield from _not_finite(inner, f"{path}.{key}")
        case list() | tuple():
            for inner in value:
                yield from _not_finite(inner, path)


def _feature_problems(features: tuple[FeatureWeight, ...], *, is_prefix: bool = False) -> Iterator[str]:
    if not features:
        yield f"its {'prefix ' if is_prefix else ''}score has no features"
    names = [feature.name.removeprefix(PREFIX) if is_prefix else feature.name for feature in features]
    for name, feature in zip(names, features, strict=True):
        if name != CONSTANT and not is_feature(name):
            yield f"the feature {name[:40]!r} is unknown to this version"
        elif is_prefix and name not in IN_PREFIX | {CONSTANT}:
            yield f"the feature {name!r} is none that the first tokens of an answer have"
        if not feature.scale > 0.0:
            yield f"the scale of {name[:40]!r} is {feature.scale:g}; it must be above 0"
    if len({(name, feature.within) for name, feature in zip(names, features, strict=True)}) < len(names):
        yield "a feature stands twice in its score"


def _group_problems(groups: tuple[Group, ...], what: str) -> Iterator[str]:
    rest = sum(group.value is None for group in groups)
    if rest != 1:
        yield f"it has {rest} {what}groups without a value where exactly one holds all other requests"
    if len({group.value for group in groups}) < len(groups):
        yield f"two {what}groups have the same value"
    for group in groups:
        name = f"{what}group {group.value!r}" if group.value is not None else f"{what}group of all other requests"
        if group.threshold is not None and not 0.0 <= group.threshold <= 1.0:
            yield f"{name}: threshold {group.threshold:g} is not in [0, 1]"
        certificate = group.certificate
        if certificate is not None and not 0.0 <= certificate.acceptance <= 1.0:
            yield f"{name}: acceptance {certificate.acceptance:g} is not in [0, 1]"
        yield from (f"{name}: {problem}" for problem in _map_problems(group.map))


def _map_problems(mapping: ConfidenceMap) -> Iterator[str]:
    match mapping.method:
        case "platt":
            if not mapping.slope > 0.0:
                yield f"the slope of its map is {mapping.slope:g}; it must be above 0"
        case "beta":
            if min(mapping.slope, mapping.slope_above) < 0.0 or not max(mapping.slope, mapping.slope_above) > 0.0:
                yield "the slopes of its map must not be negative, and one of them above 0"
        case "spline" | "isotonic":
            if not mapping.xs or len(mapping.xs) != len(mapping.ys):
                yield f"its map has {len(mapping.xs)} scores and {len(mapping.ys)} confidences"
            elif not _is_rising(mapping.xs, strictly=True) or not _is_rising(mapping.ys, strictly=False):
                yield "the knots of its map do not rise"
            elif not 0.0 <= mapping.ys[0] <= mapping.ys[-1] <= 1.0:
                yield "a confidence of its map is not in [0, 1]"


def _distribution_problems(distribution: ScoreDistribution) -> Iterator[str]:
    edges = distribution.edges
    if edges and (len(edges) != EDGES or not _is_rising(edges, strictly=False)):
        yield f"the edges of its score distribution are no {EDGES} numbers that do not fall"
    if distribution.seen_words:
        try:
            unpack_seen(distribution.seen_words)
        except ValueError as error:
            yield f"its map of seen words is broken: {error}"


def _is_rising(values: Iterable[float], *, strictly: bool) -> bool:
    return all(a < b if strictly else a <= b for a, b in pairwise(values))
