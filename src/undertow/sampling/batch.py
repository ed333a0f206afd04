"""Draws of a whole day at once, from its log: stratified simple random sampling with exact inclusion probabilities.

For logs of other gateways, and for days on which nothing was drawn while serving. A cell is (tier, segment, stratum); of its N decisions n
are drawn without replacement, so each is included with probability n / N. How many each cell gets is decided before anything is drawn, from
what was known when the decisions were made: the capable tier's share, each segment's traffic times its stakes, the long tail's share; no
tier and segment gets fewer than its minimum, and no cell none, since what is never drawn cannot be estimated.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

import numpy as np
import numpy.typing as npt

from undertow.records.review import Candidate
from undertow.sampling.long_tail import TAIL_SHARE, long_tail_score

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_BISECTIONS = 100

MEASURES = ("confidence", "novelty", "agreement", "judge")
"""What a long-tail score is made of: the confidence, the novelty, how far further answers agree, and a judge's verdicts."""

USUAL = frozenset({"confidence"})
"""What a log has without which nothing was set up; its division has no number."""

FIRST_DESIGN = 100
"""Other divisions are numbered from here on: no gateway divides its tiers anew so often that its own numbers come near."""


@dataclass(frozen=True, slots=True)
class BatchRules:
    """How much is drawn, and where.

    Attributes:
        per_day: Decisions to draw.
        capable: Name of the capable tier; empty: there is none, and all tiers are alike.
        cheap_share: Share for the other tiers, in [0, 1].
        tail_share: Share of a tier and segment for its long tail, in [0, 1].
        min_per_segment: Fewest of each tier and segment, where it has as many.
        stakes: How many times more often requests with a label are drawn.
    """

    per_day: int = 200
    capable: str = "capable"
    cheap_share: float = 0.7
    tail_share: float = 0.6
    min_per_segment: int = 2
    stakes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `drawn` of its `size` decisions.

    Attributes:
        tier, segment, stratum: Where.
        size: Decisions.
        drawn: Of those.
    """

    tier: str
    segment: str
    stratum: Literal["tail", "common"]
    size: int
    drawn: int


@dataclass(frozen=True, slots=True)
class BatchDraw:
    """The draw of a day. Arrays are in the order of the candidates.

    Attributes:
        stratum: `tail` or `common`.
        inclusion_probability: Drawn / size of its cell, in (0, 1].
        chosen: Whether it was drawn.
        cells: All cells.
    """

    stratum: tuple[Literal["tail", "common"], ...]
    inclusion_probability: FloatArray
    chosen: BoolArray
    cells: tuple[Cell, ...]


def draw_batch(candidates: Sequence[Candidate], rules: BatchRules, salt: str) -> BatchDraw:
    """Draw from the decisions of a day.

    Args:
        candidates: Each decision once.
        rules: How much, and where.
        salt: Makes another draw of the same day; with the same salt it is the same.

    Returns:
        The draw. As many as `per_day` are drawn, or all if there are fewer, or more where the minima ask for more.

    References:
        Sarndal, Swensson, Wretman (1992), Model Assisted Survey Sampling, 3.7.

    Examples:
        >>> day = [Candidate(f"d{i}", "cheap" if i % 2 else "capable", f"intent={'ab'[i % 3 == 0]}", confidence=i / 1000) for i in range(1000)]
        >>> drawn = draw_batch(day, BatchRules(per_day=50), "salt")
        >>> int(drawn.chosen.sum()), round(float(drawn.inclusion_probability.sum()), 9), len(drawn.cells)
        (50, 50.0, 8)
    """
    strata = _strata(candidates)
    members: dict[tuple[str, str, Literal["tail", "common"]], list[int]] = {}
    for place, (candidate, stratum) in enumerate(zip(candidates, strata, strict=True)):
        members.setdefault((candidate.tier, candidate.segment, stratum), []).append(place)
    names = sorted(members)
    sizes = np.array([len(members[name]) for name in names], dtype=np.int64)
    quotas = _quotas(names, sizes, _stakes(candidates, rules), rules)
    probability, chosen = np.zeros(len(candidates)), np.zeros(len(candidates), dtype=bool)
    cells = []
    for name, size, quota in zip(names, sizes.tolist(), quotas.tolist(), strict=True):
        places = members[name]
        probability[places] = quota / size
        order = sorted(places, key=lambda place: _rank(salt, candidates[place].decision_id))
        chosen[order[:quota]] = True
        cells.append(Cell(*name, size, quota))
    return BatchDraw(strata, probability, chosen, tuple(cells))


def design_of(measured: Collection[str]) -> int:
    """Number of the division into long tail and the rest, by what the scores of the day are made of.

    On the day on which a judge's verdicts first come, other requests are the most unusual fifth than the day before. The long tail of
    before and that of afterwards are two strata, each to be compared with its own past only. What is made of the same is the same
    division again, whatever lies between.

    Args:
        measured: Of `MEASURES`, what is known of at least one decision of the day.

    Examples:
        >>> design_of(["confidence"]), design_of(["confidence", "judge"]), design_of(["judge", "confidence"])
        (1, 108, 108)
    """
    changed = {name for name in MEASURES if (name in measured) != (name in USUAL)}
    return 1 if not changed else FIRST_DESIGN + sum(2**place for place, name in enumerate(MEASURES) if name in changed)


def allocate(weight: npt.ArrayLike, total: int, least: npt.ArrayLike, most: npt.ArrayLike) -> IntArray:
    """Whole numbers in proportion to weights, within bounds.

    Args:
        weight: Not negative. Shape (k,).
        total: Their sum; bounds that allow no such sum come first.
        least: Lower bounds, not negative. Shape (k,).
        most: Upper bounds, at least the lower ones. Shape (k,).

    Returns:
        Numbers within the bounds whose sum is `total` as far as they allow it, each within 1 of `t * weight` where the bounds leave
        it alone. Shape (k,).

    Examples:
        >>> allocate([6.0, 3.0, 1.0], 10, [0, 0, 2], [100, 100, 100]).tolist()
        [5, 3, 2]
        >>> allocate([1.0, 1.0], 10, [0, 0], [3, 4]).tolist()
        [3, 4]
    """
    low, high = np.asarray(least, dtype=np.int64), np.asarray(most, dtype=np.int64)
    goal = int(np.clip(total, low.sum(), high.sum()))
    share = np.asarray(weight, dtype=np.float64)
    share = share / share.max() if len(share) and share.max() > 0.0 else np.ones(len(share))
    # What has no weight still takes what is left when all others are full.
    share = np.maximum(share, 1e-12)
    small, large = 0.0, float(high.max(initial=0) / share.min(initial=1.0)) + 1.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (small + large)
        small, large = (middle, large) if np.clip(middle * share, low, high).sum() < goal else (small, middle)
    wanted = np.clip(large * share, low, high)
    whole = np.clip(np.floor(wanted + 1e-9).astype(np.int64), low, high)
    order = np.argsort(-(wanted - whole), kind="stable")
    for place in order.tolist() * 2:
        missing = goal - int(whole.sum())
        if missing == 0:
            break
        step = 1 if missing > 0 else -1
        if low[place] <= whole[place] + step <= high[place]:
            whole[place] += step
    return whole


def _strata(candidates: Sequence[Candidate]) -> tuple[Literal["tail", "common"], ...]:
    """The fifth of each tier that is least certain, newest or most disputed; ties go by nothing but the place in the day."""
    scores = np.array([long_tail_score(c.confidence, c.novelty, c.disagreement) for c in candidates])
    tiers = np.array([c.tier for c in candidates], dtype=object)
    is_tail = np.zeros(len(candidates), dtype=bool)
    for tier in sorted({c.tier for c in candidates}):
        places = np.flatnonzero(tiers == tier)
        cut = np.quantile(scores[places], 1.0 - TAIL_SHARE, method="higher")
        # Where most have the same score nothing tells a tail from the rest.
        is_tail[places] = (scores[places] >= cut) & (cut > scores[places].min())
    return tuple("tail" if tail else "common" for tail in is_tail.tolist())


def _stakes(candidates: Sequence[Candidate], rules: BatchRules) -> dict[tuple[str, str], float]:
    """Traffic of each tier and segment, each decision times the largest stake among its labels."""
    found: dict[tuple[str, str], float] = {}
    for candidate in candidates:
        stake = max((rules.stakes[label] for label in candidate.labels if label in rules.stakes), default=1.0)
        place = (candidate.tier, candidate.segment)
        found[place] = found.get(place, 0.0) + stake
    return found


def _quotas(
    names: Sequence[tuple[str, str, str]], sizes: IntArray, stakes: Mapping[tuple[str, str], float], rules: BatchRules
) -> IntArray:
    """How many of each cell: total to tiers, tier to segments, segment to strata."""
    segments: dict[tuple[str, str], list[int]] = {}
    for place, (tier, segment, _) in enumerate(names):
        segments.setdefault((tier, segment), []).append(place)
    size = {key: int(sizes[places].sum()) for key, places in segments.items()}
    least = {key: min(max(rules.min_per_segment, len(places)), size[key]) for key, places in segments.items()}
    tiers = sorted({tier for tier, _ in segments})
    weight = {tier: float(sum(size[key] for key in segments if key[0] == tier)) for tier in tiers}
    cheap = [tier for tier in tiers if tier != rules.capable]
    if cheap and len(cheap) < len(tiers):
        traffic = sum(weight[tier] for tier in cheap)
        weight = {tier: rules.cheap_share * weight[tier] / traffic for tier in cheap} | {
            rules.capable: 1.0 - rules.cheap_share
        }
    by_tier = allocate(
        [weight[tier] for tier in tiers],
        rules.per_day,
        [sum(n for key, n in least.items() if key[0] == tier) for tier in tiers],
        [sum(n for key, n in size.items() if key[0] == tier) for tier in tiers],
    )
    quotas = np.zeros(len(names), dtype=np.int64)
    for tier, total in zip(tiers, by_tier.tolist(), strict=True):
        keys = [key for key in segments if key[0] == tier]
        shares = allocate(
            [stakes[key] for key in keys], total, [least[key] for key in keys], [size[key] for key in keys]
        )
        for key, share in zip(keys, shares.tolist(), strict=True):
            places = segments[key]
            tail = [rules.tail_share if names[place][2] == "tail" else 1.0 - rules.tail_share for place in places]
            quotas[places] = allocate(tail, share, np.ones(len(places)), sizes[places])
    return quotas


def _rank(salt: str, decision_id: str) -> bytes:
    return sha256(f"undertow batch {salt} {decision_id}".encode("utf-8", "surrogatepass")).digest()
