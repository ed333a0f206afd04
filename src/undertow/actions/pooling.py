"""Small segments borrow from the whole tier, without assuming that they are like it.

The tier's loss is the mean of its segments' losses, weighted by their shares of its traffic. So what the whole tier is shown to lose at most,
less what all other segments are shown to lose at least, is the most that is left for one segment:

    share_s loss_s  =  loss  -  sum_{r != s} share_r loss_r  <=  high  -  sum_{r != s} share_r low_r

**Guarantee.** Wherever all intervals that go in hold, the bound that comes out holds: it adds no error and no assumption. With intervals that
hold together at all times with probability 1 - alpha (as those of the rollout do), the pooled bounds do, too. Shrinking towards the tier's
mean by an estimated spread between segments would be narrower, and wrong just where it matters: all of a loss may sit in one small segment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_LOSS = -1.0
"""A loss is never less."""


@dataclass(frozen=True, slots=True)
class Part:
    """One segment of a tier.

    Attributes:
        name: `key=value`.
        share: Of the tier's traffic, in [0, 1].
        low, high: Interval of its loss, in [-1, 1].
    """

    name: str
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Pooled:
    """An upper bound of a segment's loss, and what was borrowed.

    Attributes:
        high: In [-1, 1]; never above that of the segment's own labels.
        own: That of its own labels.
        borrowed: `own - high`: what the rest of the tier took off.
    """

    high: float
    own: float

    @property
    def borrowed(self) -> float:
        """What the rest of the tier took off, at least 0."""
        return self.own - self.high


def pooled_bounds(tier_high: float, parts: Sequence[Part]) -> dict[str, Pooled]:
    """Upper bounds of the losses of a tier's segments, each with what the others leave for it.

    Args:
        tier_high: Upper bound of the whole tier's loss, in [-1, 1].
        parts: Segments that share no request: values of one key. Where their shares do not add up to 1 (requests without the label), the
            rest may have had the least loss there is, -1. Shares that add up to more than 1 are no parts of a whole, and nothing is borrowed.

    Examples:
        A twentieth of the traffic without a single label, in a tier that is known well:

        >>> rest, small = Part("rest", 0.95, -0.005, 0.015), Part("small", 0.05, -1.0, 1.0)
        >>> found = pooled_bounds(0.015, [rest, small])["small"]
        >>> round(found.high, 3), round(found.borrowed, 3)
        (0.395, 0.605)
    """
    total = sum(part.share for part in parts)
    if total > 1.0 + 1e-6:
        return {part.name: Pooled(part.high, part.high) for part in parts}
    least = sum(part.share * part.low for part in parts) + max(1.0 - total, 0.0) * LEAST_LOSS
    found = {}
    for part in parts:
        left = part.high
        if part.share > 0.0:
            left = (tier_high - (least - part.share * part.low)) / part.share
        # Where intervals contradict one another some of them is wrong, and the segment's own lower end is the least to be believed.
        found[part.name] = Pooled(max(min(part.high, left), min(part.low, part.high)), part.high)
    return found
