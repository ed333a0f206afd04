"""Tiers drawn at random, by unit: the plainest experiment."""

from collections.abc import Mapping
from dataclasses import dataclass

from undertow.policies.base import Setting, Steps, ask_upwards
from undertow.policies.holdout import serve_constrained, serve_holdout
from undertow.records.answer import NO_EVIDENCE, Evidence
from undertow.records.request import RequestFacts


@dataclass(slots=True)
class SplitPolicy:
    """Draw a tier by its share; the same unit always draws the same.

    Attributes:
        name: `auto`, or its name under [policies].
        version: Hash of its settings.
        shares: Share by tier, each at least 0.
        needs: Nothing of an answer: it is not judged.
    """

    name: str
    version: str
    shares: Mapping[str, float]
    needs: Evidence = NO_EVIDENCE

    def decide(self, facts: RequestFacts, setting: Setting) -> Steps:  # noqa: ARG002 (what is asked does not matter)
        """Start one decision."""
        if not setting.eligible:
            yield from serve_constrained(setting)
            return
        shares = usable_shares(self.shares, setting.tiers)
        treated = setting.treatment_probability
        if setting.is_holdout:
            yield from serve_holdout(setting, 1.0 - treated + treated * shares[-1])
            return
        place = drawn(shares, setting.draw)
        propensity = treated * shares[place]
        if place == len(shares) - 1:
            propensity += 1.0 - treated
        yield from ask_upwards(setting.tiers[place:], "split", propensity=propensity)


def usable_shares(shares: Mapping[str, float], tiers: tuple[str, ...]) -> tuple[float, ...]:
    """Shares of the usable tiers, which add up to 1; everything to the dearest where none of them has a share.

    Examples:
        >>> usable_shares({"small": 0.2, "medium": 0.3, "large": 0.5}, ("small", "medium"))
        (0.4, 0.6)
    """
    given = [max(shares.get(tier, 0.0), 0.0) for tier in tiers]
    total = sum(given)
    if total <= 0.0:
        return (*(0.0 for _ in tiers[1:]), 1.0)
    return tuple(share / total for share in given)


def drawn(shares: tuple[float, ...], draw: float) -> int:
    """The place that a uniform number falls on; never one with share 0.

    Examples:
        >>> drawn((0.5, 0.0, 0.5), 0.49), drawn((0.5, 0.0, 0.5), 0.5)
        (0, 2)
    """
    reached = 0.0
    last = 0
    for place, share in enumerate(shares):
        if share <= 0.0:
            continue
        last = place
        reached += share
        if draw < reached:
            return place
    return last
