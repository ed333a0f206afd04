"""Why a suite got worse: the routing, a provider, or what grades the answers.

The same cases are sent as routed and to each tier directly, so the routed loss falls into two parts, case by case: what the tier
that used to answer lost on it (a provider's change, whatever the policy does), and what the change of tier lost (routing). A grader
that changed shows in answers that stayed word for word and are scored otherwise, or in all tiers failing the very same cases at once:
models fail cases of their own.

This explains a loss that was shown already; it is no second test. A part is named when it makes up half of the loss and the pairs speak
for it 20 to one; otherwise the cause is unknown.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from undertow.records.suite import ROUTED, CaseResult, SuiteCause
from undertow.suites.comparing import Evidence, Key, Pair, log_e_of, pairs_over_time

DECISIVE_RATIO = 20.0
"""How much evidence a part of a loss must have before it is named."""

HALF = 0.5
SAME_CASES = 0.6
"""Share of the cases lost by any tier that all tiers lost, from which on it is more than models of one kind failing hard cases."""

FEW = 5
"""Fewer lost cases than this on a tier show no pattern."""


@dataclass(frozen=True, slots=True)
class Told:
    """A cause, and one sentence on why."""

    cause: SuiteCause
    why: str


def tell_change(target: str, segment: str, evidence: Evidence, tiers: Sequence[str]) -> Told:
    """Why a target got worse.

    Args:
        target: `routed`, or a tier.
        segment: Where; empty: the whole suite.
        evidence: What showed it.
        tiers: Tiers that were asked directly.
    """
    grader = _by_unchanged_answers(evidence.pairs) or _by_shared_cases(segment, evidence, tiers)
    if grader is not None:
        return grader
    if target == ROUTED:
        return _by_parts(segment, evidence)
    return Told("provider", f"{target} alone answers the same cases worse{_model_change(evidence.pairs)}")


def tell_level(evidence: Evidence, fallen: Collection[str]) -> Told:
    """Why the routed answers are worse than those of the capable tier in the same run.

    Args:
        evidence: What showed it.
        fallen: Tiers that were shown to answer the same cases worse than before: then their provider comes before the policy.
    """
    lost = [pair for pair in evidence.pairs if pair.loss > 0]
    elsewhere = [pair for pair in lost if pair.now.tier != pair.before.tier]
    if len(elsewhere) < HALF * len(lost):
        return Told(
            "unknown",
            "most of what was lost was answered by the capable tier itself, which differs from one request to the next",
        )
    served = sorted({pair.now.tier for pair in elsewhere if pair.now.tier is not None})
    seen = f"{' and '.join(served)} answered {len(elsewhere)} of the {len(lost)} cases that the capable tier did better"
    blamed = sum(pair.now.tier in fallen for pair in elsewhere)
    if blamed >= HALF * len(elsewhere):
        return Told("provider", f"{seen}, and answers the same cases worse than it did")
    return Told("routing", seen)


def _by_unchanged_answers(pairs: Sequence[Pair]) -> Told | None:
    """Answers that are word for word what they were, and count as worse: what was lost on them, nobody but the grader lost."""

    def unchanged(pair: Pair) -> float:
        is_same = pair.before.answer_hash is not None and pair.before.answer_hash == pair.now.answer_hash
        return pair.loss if is_same else 0.0

    total, part = (_mean(pairs, [loss(pair) for pair in pairs]) for loss in (_loss, unchanged))
    if part < HALF * total or log_e_of(pairs, unchanged) < math.log(DECISIVE_RATIO):
        return None
    count = sum(unchanged(pair) > 0 for pair in pairs)
    return Told("grader", f"{count} answers that are word for word what they were now count as worse")


def _loss(pair: Pair) -> float:
    return pair.loss


def _by_shared_cases(segment: str, evidence: Evidence, tiers: Sequence[str]) -> Told | None:
    """All tiers lost the very same cases at once."""
    if len(tiers) < 2:
        return None
    lost: list[set[Key]] = []
    changed = True
    for tier in tiers:
        pairs = [pair for old, new in evidence.runs for pair in pairs_over_time(old, new, tier, segment)]
        lost.append({pair.key for pair in pairs if pair.loss > 0})
        changed &= bool(_model_change(pairs))
    if min(map(len, lost)) < FEW:
        return None
    shared, either = set.intersection(*lost), set.union(*lost)
    if len(shared) < SAME_CASES * len(either):
        return None
    seen = f"all tiers lost the same {len(shared)} cases at once"
    if changed:
        return Told("unknown", f"{seen}, and every tier's model changed: look at the grader first")
    return Told("grader", f"{seen}: look at what grades them, or at what lies between it and every model")


def _by_parts(segment: str, evidence: Evidence) -> Told:
    """The routed loss as the sum of what the tiers lost and what the change of tier lost."""
    parts: dict[int, tuple[float, float]] = {}
    kept: list[Pair] = []
    for old, new in evidence.runs:
        before, now = old.by_target, new.by_target
        for pair in pairs_over_time(old, new, ROUTED, segment):
            part = _parts(pair, before, now)
            if part is not None:
                parts[id(pair)] = part
                kept.append(pair)
    if len(kept) < HALF * len(evidence.pairs) or not kept:
        return Told("unknown", "the tiers were not asked directly in both runs; run with all tiers to tell")
    total = _mean(kept, [pair.loss for pair in kept])
    by_tier, by_routing = (_mean(kept, [parts[id(pair)][which] for pair in kept]) for which in (0, 1))
    proof = [log_e_of(kept, lambda pair, which=which: parts[id(pair)][which]) for which in (0, 1)]
    moved = sum(pair.before.tier != pair.now.tier for pair in kept)
    split = f"of {100 * total:.1f} points, {100 * by_tier:.1f} come from tiers that answer worse and {100 * by_routing:.1f} from {moved} cases that went to another tier"
    named = [
        (size, cause)
        for size, cause, log_e in ((by_tier, "provider", proof[0]), (by_routing, "routing", proof[1]))
        if size >= HALF * total and log_e >= math.log(DECISIVE_RATIO)
    ]
    if not named:
        return Told("unknown", f"{split}: too few cases to tell")
    return Told("provider" if max(named)[1] == "provider" else "routing", split)


def _parts(
    pair: Pair, before: dict[str, dict[Key, CaseResult]], now: dict[str, dict[Key, CaseResult]]
) -> tuple[float, float] | None:
    """Points that the tier which used to answer lost, and points that the change of tier lost; None: not known."""
    first, then = pair.before.tier, pair.now.tier
    if first is None or then is None:
        return None
    found = [before.get(first, {}).get(pair.key), now.get(first, {}).get(pair.key), now.get(then, {}).get(pair.key)]
    scores = [one.score for one in found if one is not None and one.score is not None]
    if len(scores) < len(found):
        return None
    return scores[0] - scores[1], scores[1] - scores[2]


def _mean(pairs: Sequence[Pair], values: Sequence[float]) -> float:
    return sum(pair.weight * value for pair, value in zip(pairs, values, strict=True)) / sum(
        pair.weight for pair in pairs
    )


def _model_change(pairs: Sequence[Pair]) -> str:
    """What is known of a change of the model behind the pairs, as the end of a sentence; empty: nothing."""
    before, now = (
        {(one.model, one.fingerprint) for one in side} for side in ([p.before for p in pairs], [p.now for p in pairs])
    )
    fresh = sorted({model for model, _ in now - before if model})
    if not fresh:
        return ""
    if {model for model, _ in before} == {model for model, _ in now}:
        return f"; the fingerprint of {', '.join(fresh)} changed"
    return f"; its model became {', '.join(fresh)}"
