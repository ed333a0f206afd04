"""Which segments to route back once a tier's alarm has been raised: those whose expected net value is negative.

An alarm says, at an error rate that its user chose, that something is wrong in a tier. At that moment little is known of most segments.
Routing all of them back gives away the savings of those that are well; routing back only the loudest leaves the losses of
the others. What a segment is expected to be worth decides, and decides anew each day as labels come in:

    net per request = savings per request - cost of a failure * expected rise of the failure rate

The expected rises are partially pooled over segments (`undertow.stats.pooled_rises`). The net value is linear in the rise, so its mean
is all that a decision by expected value needs. A segment that was routed back is restored when its net value has become positive by
`restore_gain` of its savings, and not within `cooldown_days` of its last change: else noise would move it to and fro.

**Money unknown.** Where savings or the cost of a failure are unknown, the margin stands in: a segment is routed back where the loss is expected to
exceed it, or is likely to. So what is unknown fails towards the capable tier, as long as the margin is below what savings would pay for.

**Assumptions.** No alarm, no decision: this bounds no error, the alarm before it does. Segments share no request. Losses of a segment that is routed back are
learnt from its shadow pairs; without them nothing is learnt there, and it stays where it is. Cost is per failure as people see them, so
their sensitivity is part of it.

**Which labels count.** Those since the onset, at most of the last `WINDOW_DAYS`: a loss that stays is known the better the longer it lasts. Where those of the
last `RECENT_DAYS` alone contradict a decision with probability `CERTAIN`, something has changed again (a ramp went on, a cause is gone), and
that segment's labels count from there (`contradicted`).

References:
    Manski (2004), Statistical treatment rules for heterogeneous populations, Econometrica 72 (treat each group by its expected outcome).
    Raiffa and Schlaifer (1961), Applied Statistical Decision Theory (expected opportunity loss: what better information is worth at most).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.errors import StatisticalError
from undertow.stats.pooled_rises import RISES, Rises

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

WINDOW_DAYS = 60
"""Labels older than this do not count, even if the change began before."""

RECENT_DAYS = 14
"""Labels that show by themselves whether something has changed again."""

CERTAIN = 0.95
"""Probability with which they must contradict the decision."""

UNDECIDED_SHARE = 0.6
"""Share of a tier's labels that goes where wrong decisions are feared once an alarm has been answered; the rest follows the base allocation."""


@dataclass(frozen=True, slots=True)
class PlacingRule:
    """When a segment changes its place.

    Attributes:
        margin: Largest loss that is accepted where money is unknown, in (0, 1).
        likely: Probability of a loss beyond the margin that routes back there, in (0, 1].
        restore_gain: Net value that a segment needs to be restored, as a share of its savings (of the margin where money is unknown).
        cooldown_days: A segment that has changed its place is not restored within so many days.
    """

    margin: float = 0.02
    likely: float = 0.5
    restore_gain: float = 0.1
    cooldown_days: float = 1.0


@dataclass(frozen=True, slots=True)
class Worth:
    """Money of each segment; NaN where unknown. Shapes (S,).

    Attributes:
        savings_usd: What a cheap-served request saves.
        failure_usd: What a failure costs that people see, at least 0: from `[outcomes]`.
    """

    savings_usd: FloatArray
    failure_usd: FloatArray


@dataclass(frozen=True, slots=True)
class Placing:
    """The decision for each segment. Shapes (..., S).

    Attributes:
        kept: Whether its requests may be served below the capable tier.
        net_usd: Expected net value of serving a request there, or NaN where money is unknown.
        regret: Expected cost of this decision over the best one, per request: USD, or loss beyond the margin where any money is unknown.
    """

    kept: BoolArray
    net_usd: FloatArray
    regret: FloatArray


def place(
    rises: Rises,
    worth: Worth,
    kept: npt.ArrayLike,
    rested_days: npt.ArrayLike,
    rule: PlacingRule = PlacingRule(),
) -> Placing:
    """Where each segment goes.

    Args:
        rises: Posterior of each segment's rise of the failure rate since the onset.
        worth: Savings and cost.
        kept: Segments that are served below the capable tier now. Shape (..., S).
        rested_days: Days since each last changed its place; infinite: never. Shape (..., S).
        rule: Margin, hysteresis.

    Returns:
        The decision.

    Raises:
        StatisticalError: A failure is said to earn money.

    Examples:
        Two segments that save 10 cents a request, in which a failure costs 3 USD; the first fails more than before:

        >>> from undertow.stats.pooled_rises import RiseCounts, expected_rises
        >>> pair = np.ones((2, 1))
        >>> seen = RiseCounts(pair, np.array([[30.0], [10.0]]), 120 * pair, 0.08 * pair, 0 * pair, 0 * pair, 0.1 * pair)
        >>> decided = place(expected_rises(seen), Worth(np.full(2, 0.10), np.full(2, 3.0)), [True, True], [np.inf, np.inf])
        >>> decided.kept.tolist(), decided.net_usd.round(2).tolist()
        ([False, True], [-0.37, 0.05])
    """
    gain, price, known = _stakes(worth, rule)
    is_kept, rested = np.asarray(kept, dtype=bool), np.asarray(rested_days, dtype=np.float64)
    net = gain - price * rises.expected
    feared = ~known & (rises.beyond(rule.margin) >= rule.likely)
    back = (net < 0.0) | feared
    restored = (net > rule.restore_gain * np.maximum(gain, 0.0)) & ~feared & (rested >= rule.cooldown_days)
    stays = np.where(is_kept, ~back, restored)
    if not known.all():
        gain, price = np.full_like(gain, rule.margin), np.ones_like(price)
    wrong = price[..., None] * RISES - gain[..., None]
    regret = (rises.probability * np.maximum(np.where(stays[..., None], wrong, -wrong), 0.0)).sum(axis=-1)
    return Placing(stays, np.where(known, net, np.nan), regret)


def contradicted(recent: Rises, worth: Worth, kept: npt.ArrayLike, rule: PlacingRule = PlacingRule()) -> BoolArray:
    """Segments whose decision the last labels contradict: from now on they alone count, and `place` is asked again.

    Args:
        recent: Posterior from labels of the last `RECENT_DAYS` alone.
        worth: Savings and cost.
        kept: The decision, from all labels since the onset. Shape (..., S).
        rule: Margin.

    Returns:
        Shape (..., S).
    """
    gain, price, _ = _stakes(worth, rule)
    with np.errstate(divide="ignore", invalid="ignore"):
        even = np.where(gain > 0.0, gain / price, 0.0)
    loses = recent.beyond(even)
    return np.where(np.asarray(kept, dtype=bool), loses >= CERTAIN, loses <= 1.0 - CERTAIN)


def _stakes(worth: Worth, rule: PlacingRule) -> tuple[FloatArray, FloatArray, BoolArray]:
    """What a request gains and a failure costs, in USD, or in loss beyond the margin; and where money is known."""
    savings, cost = np.asarray(worth.savings_usd, dtype=np.float64), np.asarray(worth.failure_usd, dtype=np.float64)
    if np.any(cost < 0.0):
        raise StatisticalError(f"cost of a failure {float(np.nanmin(cost))!r} USD: expected at least 0")
    known = np.isfinite(savings) & np.isfinite(cost)
    return np.where(known, savings, rule.margin), np.where(known, cost, 1.0), known


def undecided_shares(placing: Placing, traffic: npt.ArrayLike, base: npt.ArrayLike) -> FloatArray:
    """Shares of the next labels by segment: most go where a wrong decision would cost most.

    Args:
        placing: The decisions in force.
        traffic: Share of the tier's eligible requests in each segment. Shape (S,).
        base: Shares of labels by segment when nothing is suspected, sum 1. Shape (S,).

    Returns:
        Shares, sum 1. Shape (..., S).

    Examples:
        >>> decided = Placing(np.array([False, True]), np.array([-0.4, 0.02]), np.array([0.0, 0.01]))
        >>> undecided_shares(decided, [0.2, 0.8], [0.5, 0.5]).round(2).tolist()
        [0.2, 0.8]
    """
    feared = placing.regret * np.asarray(traffic, dtype=np.float64)
    total = feared.sum(axis=-1, keepdims=True)
    usual = np.broadcast_to(np.asarray(base, dtype=np.float64), feared.shape)
    aimed = np.where(total > 0.0, feared / np.where(total > 0.0, total, 1.0), usual)
    return np.asarray((1.0 - UNDECIDED_SHARE) * usual + UNDECIDED_SHARE * aimed)
