"""The sampling rates of the days to come, from what was counted and from what is suspected. Pure."""

from collections.abc import Mapping, Sequence

from undertow.records.sampling import SamplingRates, StratumKind
from undertow.records.serving import ReviewPlan, ShadowPlan
from undertow.sampling.hints import Hint
from undertow.sampling.quotas import STRATA, Suspect, Volume, plan_rates
from undertow.services.suspicion import Suspicion

STAYS = 0.1
"""Rates stay in force while all of the new ones are within this part of them: volumes move a little with every look, and rates that
moved with them would say nothing new."""

TAIL_BOUNDS = (0.08, 0.40)
"""Share of a tier's decisions that its long tail may hold; outside, it is cut anew, under a name of its own."""


def next_cuts(
    previous: SamplingRates | None, tail_shares: Mapping[str, float], cuts: Mapping[str, float]
) -> tuple[dict[str, float], int]:
    """Where the long tail begins, and the number of the design.

    A cut stays as long as it can: what lies beyond it is what change detectors compare with its own past.

    Args:
        previous: Rates in force, or None.
        tail_shares: By tier with a cut, the share of its decisions beyond it.
        cuts: By tier, the score that would put the fifth of its decisions that is most unusual beyond it.

    Examples:
        >>> next_cuts(None, {}, {"cheap": 0.4})
        ({'cheap': 0.4}, 1)
        >>> before = SamplingRates(tail_cuts={"cheap": 0.4})
        >>> next_cuts(before, {"cheap": 0.25}, {"cheap": 0.5}), next_cuts(before, {"cheap": 0.7}, {"cheap": 0.5})
        (({'cheap': 0.4}, 1), ({'cheap': 0.5}, 2))
    """
    kept = dict(previous.tail_cuts) if previous is not None else {}
    design = previous.design if previous is not None else 1
    low, high = TAIL_BOUNDS
    off = [tier for tier, share in tail_shares.items() if tier in cuts and not low <= share <= high]
    if any(kept.get(tier) != cuts[tier] for tier in off):
        kept |= {tier: cuts[tier] for tier in off}
        design += 1
    return {**{tier: cut for tier, cut in cuts.items() if tier not in kept}, **kept}, design


HINT_SHARE = 0.15
"""Of a day's reviews for the segment of the strongest kind of warning; a warning proves no harm, so it moves little."""


def suspects_of(suspicions: Sequence[Suspicion], hints: Sequence[Hint]) -> tuple[Suspect, ...]:
    """Where reviews should go: where the judge suspects a loss, else where a warning stands.

    Segments of one key only: what steering draws for one of them must be no other's. Warnings about a whole tier move no reviews.

    Args:
        suspicions: Cells that the judge suspects, of one key.
        hints: Where warnings stand, strongest first.

    Examples:
        >>> from undertow.records.segment import Segment
        >>> hints = [Hint("cheap", Segment("intent", "a"), 1.0), Hint("cheap", Segment("device", "x"), 0.5)]
        >>> [(each.segment, each.share) for each in suspects_of((), hints)]
        [('intent=a', 0.15)]
    """
    if suspicions:
        return tuple(Suspect(each.tier, each.segment, each.stratum, each.share) for each in suspicions)
    segments = [hint for hint in hints if not hint.segment.is_whole]
    key = segments[0].segment.key if segments else ""
    return tuple(
        Suspect(hint.tier, str(hint.segment), share=HINT_SHARE * hint.strength)
        for hint in segments
        if hint.segment.key == key
    )


def next_rates(
    previous: SamplingRates | None,
    volumes: Sequence[Volume],
    *,
    tail_cuts: Mapping[str, float],
    design: int,
    capable_usd: float | None,
    review: ReviewPlan,
    shadow: ShadowPlan,
    tiers: Sequence[str],
    labels: Sequence[str] | None,
    suspects: Sequence[Suspect],
    at: str,
) -> SamplingRates:
    """The rates to put in force: those that are, where the new ones are hardly different.

    Args:
        previous: Rates in force, or None; the salt stays what it was.
        volumes: Decisions a day by tier, label and stratum, counted by `tail_cuts`.
        tail_cuts: Where the long tail begins.
        design: Number of that division.
        capable_usd: Mean cost of an answer of the capable tier, USD, or None.
        review: Reviews a day and how they are spent.
        shadow: Second answers.
        tiers: All tiers, cheapest first.
        labels: Keys of the labels that are watched, which get a least number of reviews; None: all that were counted.
        suspects: Where most of the reviews should go.
        at: Now, RFC 3339.
    """
    watched = [
        volume
        for volume in volumes
        if not volume.segment
        or labels is None
        or volume.segment.partition("=")[0] in labels
        or volume.segment in review.stakes
    ]
    rates = plan_rates(
        review,
        shadow,
        watched,
        tiers=tiers,
        capable_usd=capable_usd,
        tail_cuts=tail_cuts,
        salt=previous.salt if previous is not None else SamplingRates().salt,
        design=design,
        suspects=suspects,
        at=at,
    )
    return previous if previous is not None and is_close(previous, rates) else rates


def is_close(one: SamplingRates, other: SamplingRates, part: float = STAYS) -> bool:
    """Whether two sets of rates draw nearly alike: the same divisions, and no rate further apart than a part of the larger one.

    Examples:
        >>> from undertow.records.sampling import SampleRate
        >>> rates = [SamplingRates(rates=(SampleRate(tier="cheap", review=rate),)) for rate in (0.1, 0.105, 0.12)]
        >>> is_close(rates[0], rates[1]), is_close(rates[0], rates[2])
        (True, False)
    """
    frame = [(rates.salt, rates.design, rates.tail_cuts, rates.never_shadow) for rates in (one, other)]
    if frame[0] != frame[1]:
        return False
    found = [_in_force(rates) for rates in (one, other)]
    return all(
        abs(a - b) <= part * max(a, b)
        for place in {*found[0], *found[1]}
        for a, b in zip(_at(found[0], place), _at(found[1], place), strict=True)
    )


_Place = tuple[str, str, StratumKind]
_Rate = tuple[float, float, float, float]


def _in_force(rates: SamplingRates) -> dict[_Place, _Rate]:
    return {
        (entry.tier, entry.segment, stratum): (entry.review, entry.shadow, entry.review_extra, entry.shadow_extra)
        for entry in rates.rates
        for stratum in ((entry.stratum,) if entry.stratum else STRATA)
    }


def _at(rates: Mapping[_Place, _Rate], place: _Place) -> _Rate:
    """What holds for a decision with one label: the larger of the tier's rate and its own."""
    tier, _, stratum = place
    whole, own = rates.get((tier, "", stratum), _NONE), rates.get(place, _NONE)
    return max(whole[0], own[0]), max(whole[1], own[1]), max(whole[2], own[2]), max(whole[3], own[3])


_NONE: _Rate = (0.0, 0.0, 0.0, 0.0)
