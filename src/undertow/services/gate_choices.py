"""How a policy would have sorted logged answers: the probability by which it serves each of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from undertow.records.calibration import PolicyState
from undertow.records.gate import ChoiceRule, ComparedRows
from undertow.records.labelled_answers import LabelledAnswers
from undertow.services.tuning_labels import rows_of
from undertow.services.tuning_run import Target

FloatArray = npt.NDArray[np.float64]

MEAN_LOGPROB = "mean_logprob"


@dataclass(frozen=True, slots=True)
class Side:
    """A policy as far as it decides which answers are served.

    Attributes:
        kind: Of the policy.
        tiers: Those that it may use, cheapest first.
        threshold: Of confidence, where there is no calibration.
        targets: Calibrations by the tier that they judge.
        states: Thresholds that were tuned, by tier.
        strict: Nothing is served without a certificate.
        tier: Of a fixed policy.
        shares: Of a split policy, by tier.
        rules: Whether a classifier chooses by labels alone.
        cheap_segments: Those labels.
        never_cheap: Labels of requests that only the capable tier answers.
        holdout: Share that is held out.
    """

    kind: Literal["cascade", "classifier", "fixed", "split"]
    tiers: tuple[str, ...]
    threshold: float = 0.7
    targets: Mapping[str, Target] = field(default_factory=dict)
    states: Mapping[str, PolicyState] = field(default_factory=dict)
    strict: bool = False
    tier: str | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    rules: bool = False
    cheap_segments: tuple[str, ...] = ()
    never_cheap: tuple[str, ...] = ()
    holdout: float = 0.0


def rule_of(side: Side) -> ChoiceRule | str:
    """A policy's choice by what the log holds of every request, or why it is not that.

    Examples:
        >>> rule_of(Side("fixed", ("cheap", "capable"), tier="capable")).share
        0.0
        >>> rule_of(Side("fixed", ("only",), tier="only"))
        'it takes two tiers'
    """
    if len(side.tiers) != 2:
        return "it takes two tiers"
    more = {"never_cheap": side.never_cheap, "holdout": side.holdout}
    match side.kind:
        case "fixed":
            return ChoiceRule("share", share=float(side.tier == side.tiers[0]), **more)
        case "split":
            return ChoiceRule("share", share=side.shares.get(side.tiers[0], 0.0), **more)
        case "classifier" if side.rules:
            return ChoiceRule("rules", cheap_segments=side.cheap_segments, **more)
        case "classifier":
            return ChoiceRule("threshold", threshold=side.threshold, **more)
        case "cascade":
            if side.targets:
                return "a calibrated confidence is known only where the cheap tier was asked"
            return ChoiceRule("threshold", threshold=side.threshold, **more)


def serving(side: Side, tier: str, found: LabelledAnswers) -> FloatArray | str:
    """The probability by which a policy serves each logged answer of a tier, or why that is not known.

    Args:
        side: The policy.
        tier: Whose answers they are.
        found: Logged answers.

    Returns:
        Shape (n,), in [0, 1]; the holdout is left aside, which both policies have.
    """
    chosen = _chosen(side, tier, found)
    if isinstance(chosen, str):
        return chosen
    never = set(side.never_cheap)
    kept_off = np.array([_bears(segment, never) for segment in found.segments or ({},) * len(found)], dtype=np.bool_)
    return np.where(kept_off, 0.0, chosen)


def _chosen(side: Side, tier: str, found: LabelledAnswers) -> FloatArray | str:
    n = len(found)
    if tier not in side.tiers:
        return np.zeros(n)
    match side.kind:
        case "fixed":
            return np.full(n, float(side.tier == tier))
        case "split":
            return np.full(n, float(side.shares.get(tier, 0.0)))
        case "classifier":
            if not side.rules:
                return "what a trained classifier says of a request is not kept with its answer"
            mine = set(side.cheap_segments)
            return np.array([float(_bears(segment, mine)) for segment in found.segments or ({},) * n])
        case "cascade":
            return _cascaded(side, tier, found)


def _bears(segment: Mapping[str, str], labels: set[str]) -> bool:
    return bool(labels) and any(f"{key}={value}" in labels for key, value in segment.items())


def _cascaded(side: Side, tier: str, found: LabelledAnswers) -> FloatArray:
    always = np.zeros(len(found), dtype=np.bool_) if found.always_served is None else found.always_served
    target = side.targets.get(tier)
    if target is None:
        logprob = found.features.get(MEAN_LOGPROB, np.full(len(found), np.nan))
        return ((np.nan_to_num(logprob, nan=-math.inf) >= math.log(max(side.threshold, 1e-300))) | always).astype(float)
    in_force = _in_force(side, target)
    # Rows are asked for by place: two answers of one decision would have one id.
    places = tuple(map(str, range(len(found))))
    given = LabelledAnswers(
        found.features,
        found.good,
        found.weight,
        segments=found.segments,
        decision_ids=places,
        available_at=np.zeros(len(found)),
        always_served=found.always_served,
    )
    served = np.zeros(len(found))
    for row in rows_of(target.calibration, target.calibration.groups, given, commits=target.commits).labels:
        threshold = in_force[row.group]
        served[int(row.decision_id)] = float(
            threshold is not None and row.confidence is not None and row.confidence >= threshold
        )
    return served


def _in_force(side: Side, target: Target) -> dict[str | None, float | None]:
    """The threshold of each group that holds now; None: nothing is served."""
    state = side.states.get(target.calibration.tier)
    mine = state.groups if state is not None and state.calibration_version == target.version else ()
    states = {group.value: group for group in mine}
    found: dict[str | None, float | None] = {}
    for group in target.calibration.groups:
        standing = target.in_force(target.certifying(group), states.get(group.value))
        shut = side.strict and (standing.is_void or (group.certificate is None and not standing.certified))
        found[group.value] = None if shut else standing.threshold
    return found


def compared(before: FloatArray, after: FloatArray, found: LabelledAnswers) -> ComparedRows:
    """Logged answers under both policies.

    Args:
        before: Probability by which the live policy serves each. Shape (n,).
        after: The same of the candidate. Shape (n,).
        found: The answers.

    Examples:
        >>> answers = LabelledAnswers({}, np.array([True, False]), np.ones(2))
        >>> compared(np.zeros(2), np.ones(2), answers).low.tolist()
        [0.0, 1.0]
    """
    change, known = after - before, found.is_labelled
    least, most = np.minimum(change, 0.0), np.maximum(change, 0.0)
    lost = change * ~found.good
    return ComparedRows(
        np.where(known, lost, least), np.where(known, lost, most), least, most, after, found.weight, known
    )


def keys_of(segments: Sequence[Mapping[str, str]], keys: tuple[str, ...] | None, most_values: int = 64) -> list[str]:
    """Keys whose values are looked at: those given, else those with few enough values.

    Examples:
        >>> keys_of([{"intent": "a", "id": "1"}, {"intent": "b", "id": "2"}], None, most_values=1), keys_of([{"a": "1"}], ("b",))
        ([], ['b'])
    """
    if keys is not None:
        return list(keys)
    values: dict[str, set[str]] = {}
    for segment in segments:
        for key, value in segment.items():
            values.setdefault(key, set()).add(value)
    return sorted(key for key, given in values.items() if len(given) <= most_values)
