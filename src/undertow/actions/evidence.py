"""What a rollout decides by: losses of one tier since the rollout began, of the whole of it and of its segments. Plain values."""

from collections.abc import Sequence
from dataclasses import dataclass

from undertow.actions.pooling import Part, Pooled, pooled_bounds


@dataclass(frozen=True, slots=True)
class PlaceEvidence:
    """Loss of a tier at one place (the whole tier, or a segment), from labels of requests since the rollout began.

    Attributes:
        segment: `key=value`; empty: the whole tier.
        share: Share of the tier's traffic since the rollout began, in [0, 1].
        n: Labels.
        loss: Estimate, in [-1, 1], or None.
        low, high: Its anytime-valid interval; -1 and 1 where nothing is known.
        stage_since: Since when the next fields count: the beginning of the place's stage, RFC 3339. Evidence of another stage is not fresh.
        fresh: Labels of the place since then.
        tier_fresh: Labels of the whole tier since then.
        fresh_loss: Estimate from those labels of the place alone, or None.
        fresh_low: Lower bound of the loss from them, -1 where nothing is known.
        share_at_full: Share of the tier's traffic that it would have if all were exposed alike, in [0, 1]; None: as it is.
    """

    segment: str = ""
    share: float = 1.0
    n: int = 0
    loss: float | None = None
    low: float = -1.0
    high: float = 1.0
    stage_since: str = ""
    fresh: int = 0
    tier_fresh: int = 0
    fresh_loss: float | None = None
    fresh_low: float = -1.0
    share_at_full: float | None = None

    @property
    def weight(self) -> float:
        """Share by which its loss counts in the risk budget: a place that is held back weighs what it will, not the little it is served now."""
        return self.share if self.share_at_full is None else self.share_at_full


@dataclass(frozen=True, slots=True)
class TierEvidence:
    """One tier below the capable one.

    Attributes:
        tier: Its name.
        whole: The whole of it.
        segments: All watched segments with traffic; those of one key share no request.
        shows_level: The losses are against a reference from elsewhere (holdout, pairs, before routing); else nothing is shown.
        level: Confidence level of the whole tier's interval.
        segment_level: That of each segment's.
        labels_per_day: Labels of the whole tier a day, lately.
    """

    tier: str
    whole: PlaceEvidence
    segments: tuple[PlaceEvidence, ...] = ()
    shows_level: bool = True
    level: float = 0.975
    segment_level: float = 0.975
    labels_per_day: float = 0.0


def upper_bounds(tier: TierEvidence, *, pools: bool) -> dict[str, Pooled]:
    """Upper bound of the loss of each segment, with what it borrows from the rest of the tier.

    Args:
        tier: Its evidence.
        pools: Whether segments borrow.
    """
    if not pools:
        return {each.segment: Pooled(each.high, each.high) for each in tier.segments}
    found: dict[str, Pooled] = {}
    for parts in _by_key(tier.segments).values():
        found |= pooled_bounds(tier.whole.high, [Part(p.segment, p.share, p.low, p.high) for p in parts])
    return found


def _by_key(places: Sequence[PlaceEvidence]) -> dict[str, list[PlaceEvidence]]:
    keys: dict[str, list[PlaceEvidence]] = {}
    for place in places:
        keys.setdefault(place.segment.partition("=")[0], []).append(place)
    return keys
