"""Which segments to route back once a tier's alarm has been raised: those that probably cost more than they save.

An alarm says, at an error rate that its user chose, that something is wrong in a tier. At that moment little is known of most segments.
Routing all of them back gives away the savings of those that are well; routing back only the loudest leaves the losses of
the others. What a segment is expected to be worth decides, anew at each look as labels come in:

    net per request = savings per request - cost of a failure * expected rise of the failure rate

The expected rises are partially pooled over segments (`undertow.stats.pooled_rises`). The net value is linear in the rise, so its mean
is all that a decision by expected value needs which can be taken back tomorrow. This one cannot: of what is routed back nothing more is
learnt, while a segment that is left another day brings labels of that day. So it must not only be expected to cost more than it saves, but
do so with probability `PlacingRule.sure` (the quasi-option value of waiting). That is 2/3: .65, rounded, was the best of .5, .65, .8 and .9 on seeds of their own
(benchmarks/guard; .5 gives away segments that are well, .9 leaves those that are not too long).

**Money unknown.** Where savings or the cost of a failure are unknown, the margin stands in: a segment is routed back where the loss is expected to
exceed it, or is likely to. So what is unknown fails towards the capable tier, as long as the margin is below what savings would pay for.

**Assumptions.** No alarm, no decision: this bounds no error, the alarm before it does. Segments share no request. Of a segment that is routed
back nothing more is learnt, so it stays there until somebody releases it (`undertow.actions.restoring`). Cost is per failure as people see
them, so their sensitivity is part of it.

**Which labels count.** Those since the onset, at most of the last `WINDOW_DAYS`: a loss that stays is known the better the longer it lasts. Where those of the
last `RECENT_DAYS` alone contradict a decision with probability `CERTAIN`, something has changed again (a ramp went on, a cause is gone), and
that segment's labels count from there (`contradicted`, `weigh`).

References:
    Manski (2004), Statistical treatment rules for heterogeneous populations, Econometrica 72 (treat each group by its expected outcome).
    Arrow and Fisher (1974), Environmental preservation, uncertainty, and irreversibility, Quarterly Journal of Economics 88 (what waiting is worth
    before a choice that cannot be taken back).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from undertow.errors import StatisticalError
from undertow.stats.pooled_rises import RiseCounts, Rises, expected_rises

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

WINDOW_DAYS = 60
"""Labels older than this do not count, even if the change began before."""

RECENT_DAYS = 14
"""Labels that show by themselves whether something has changed again."""

CERTAIN = 0.95
"""Probability with which they must contradict the decision."""


@dataclass(frozen=True, slots=True)
class PlacingRule:
    """How sure a decision must be, and what decides where money is unknown.

    Attributes:
        margin: Largest loss that is accepted where money is unknown, in (0, 1).
        likely: Probability of a loss beyond the margin that routes back there, in (0, 1].
        sure: Probability of costing more than it saves that routes a segment back where money is known, in (0, 1].
    """

    margin: float = 0.02
    likely: float = 0.5
    sure: float = 2 / 3


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
    """

    kept: BoolArray
    net_usd: FloatArray


def place(rises: Rises, worth: Worth, rule: PlacingRule = PlacingRule()) -> Placing:
    """Where each segment goes.

    Args:
        rises: Posterior of each segment's rise of the failure rate since the onset.
        worth: Savings and cost.
        rule: How sure it must be, and what decides where they are unknown.

    Returns:
        The decision.

    Raises:
        StatisticalError: A failure is said to earn money.

    Examples:
        Two segments that save 10 cents a request, in which a failure costs 3 USD; the first fails more than before:

        >>> pair = np.ones((2, 1))
        >>> seen = RiseCounts(pair, np.array([[30.0], [10.0]]), 120 * pair, 0.08 * pair, 0 * pair, 0 * pair, 0.1 * pair)
        >>> decided = place(expected_rises(seen), Worth(np.full(2, 0.10), np.full(2, 3.0)))
        >>> decided.kept.tolist(), decided.net_usd.round(2).tolist()
        ([False, True], [-0.37, 0.05])
    """
    gain, price, known = _stakes(worth, rule)
    net = gain - price * rises.expected
    costs = (net < 0.0) & (~known | (rises.beyond(_even(gain, price)) >= rule.sure))
    feared = ~known & (rises.beyond(rule.margin) >= rule.likely)
    return Placing(~costs & ~feared, np.where(known, net, np.nan))


def weigh(
    since: RiseCounts,
    recent: RiseCounts | None,
    worth: Worth,
    rule: PlacingRule = PlacingRule(),
    *,
    judge_scale: float = 1.0,
) -> tuple[Placing, Rises]:
    """Where each segment goes by all labels since the onset, or by the last ones alone where those contradict it.

    Args:
        since: What was seen since the onset, at most of the last `WINDOW_DAYS`.
        recent: What was seen in the last `RECENT_DAYS`; None: that is all there is.
        worth: Savings and cost.
        rule: How sure it must be, and what decides where they are unknown.
        judge_scale: As of `undertow.stats.pooled_rises.expected_rises`.

    Returns:
        The decision, and what it rests on.

    Examples:
        Nothing was wrong for weeks; in the last two of them the first segment fails at .3 instead of .08:

        >>> pair, none = np.ones((2, 1)), np.zeros((2, 1))
        >>> long = RiseCounts(pair, np.array([[90.0], [80.0]]), 1000 * pair, 0.08 * pair, none, none, 0.1 * pair)
        >>> late = RiseCounts(pair, np.array([[30.0], [8.0]]), 100 * pair, 0.08 * pair, none, none, 0.1 * pair)
        >>> worth = Worth(np.full(2, 0.10), np.full(2, 3.0))
        >>> [weigh(long, last, worth)[0].kept.tolist() for last in (None, late)]
        [[True, True], [False, True]]
    """
    rises = expected_rises(since, judge_scale=judge_scale)
    placing = place(rises, worth, rule)
    if recent is None:
        return placing, rises
    again = contradicted(expected_rises(recent, judge_scale=judge_scale), worth, placing.kept, rule)
    if not again.any():
        return placing, rises
    counts = {
        name: np.where(again[..., None], getattr(recent, name), getattr(since, name))
        for name in ("failures", "labels", "flags", "pairs")
    }
    rises = expected_rises(replace(since, **counts), judge_scale=judge_scale)
    return place(rises, worth, rule), rises


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
    loses = recent.beyond(_even(gain, price))
    return np.where(np.asarray(kept, dtype=bool), loses >= CERTAIN, loses <= 1.0 - CERTAIN)


def _even(gain: FloatArray, price: FloatArray) -> FloatArray:
    """Rise of the failure rate from which on a segment costs more than it saves."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gain > 0.0, gain / price, 0.0)


def _stakes(worth: Worth, rule: PlacingRule) -> tuple[FloatArray, FloatArray, BoolArray]:
    """What a request gains and a failure costs, in USD, or in loss beyond the margin; and where money is known."""
    savings, cost = np.asarray(worth.savings_usd, dtype=np.float64), np.asarray(worth.failure_usd, dtype=np.float64)
    if np.any(cost < 0.0):
        raise StatisticalError(f"cost of a failure {float(np.nanmin(cost))!r} USD: expected at least 0")
    known = np.isfinite(savings) & np.isfinite(cost)
    return np.where(known, savings, rule.margin), np.where(known, cost, 1.0), known
