"""Mean paired loss of a tier or segment by people's verdicts, narrowed by a judge's on many more pairs.

Stratified PPI++ on counts of outcomes: per stratum `tau mean(f) + mean(y - tau f)` over the labelled, tau the slope of y on f, strata
added by what their pairs stand for. The judge moves the width, never the centre: what it puts in is taken out again.

References:
    Angelopoulos, Duchi, Zrnic (2023), PPI++, arXiv 2311.01453. Fisch et al. (2024), Stratified PPI, arXiv 2406.04291.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.stats.confidence import gaussian_mixture_radius
from undertow.stats.ppi import fit_tau

FloatArray = npt.NDArray[np.float64]

LOSSES = np.array([-1.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True)
class AnchoredEstimate:
    """A loss with and without the judge's help.

    Attributes:
        loss: Mean paired loss in [-1, 1], positive is bad.
        low, high: Its anytime-valid interval.
        human_low, human_high: The interval of the same labels without the judge.
        judge_loss: What the judge alone says, biased as it is.
        labelled, judged: Pairs with people's verdicts; pairs that the judge compared.
        worth: How many times as many labels would have been needed without the judge.
    """

    loss: float
    low: float
    high: float
    human_low: float
    human_high: float
    judge_loss: float
    labelled: float
    judged: float
    worth: float


def anchored_loss(
    labelled: npt.ArrayLike, unlabelled: npt.ArrayLike, weight: npt.ArrayLike, level: float
) -> AnchoredEstimate | None:
    """The estimate; None where a stratum that has traffic has fewer than two labelled pairs.

    Args:
        labelled: Pairs by stratum, people's outcome and judge's outcome (-1, 0, +1). Shape (H, 3, 3).
        unlabelled: Pairs by stratum and judge's outcome. Shape (H, 3).
        weight: What the judged pairs of a stratum stand for. Shape (H,).
        level: Level of the intervals.

    Examples:
        A judge that mostly agrees is worth more than as many labels again:

        >>> both = np.array([[[0, 0, 0], [0, 80, 4], [0, 2, 14]]])
        >>> found = anchored_loss(both, [[0, 1500, 400]], [1.0], 0.95)
        >>> round(found.loss, 2), found.human_high - found.human_low > found.high - found.low, found.worth > 1.5
        (0.18, True, True)
    """
    both, alone, mass = (np.asarray(x, dtype=np.float64) for x in (labelled, unlabelled, weight))
    used = mass > 0.0
    both, alone, mass = both[used], alone[used], mass[used]
    n = both.sum((-1, -2))
    if not len(n) or np.any(n < 2.0):
        return None
    y, f = LOSSES[:, None], LOSSES[None, :]

    def mean(value: FloatArray) -> FloatArray:
        return (both * value).sum((-1, -2)) / n

    judged_counts = both.sum(-2) + alone
    judged = judged_counts.sum(-1)
    share = mass / mass.sum()
    mean_f = judged_counts @ LOSSES / judged
    var_f = judged_counts @ LOSSES**2 / judged - mean_f**2
    tau = fit_tau(n, n * mean(f + 0 * y), n * mean(y + 0 * f), n * mean(f * y), n * mean(f**2 + 0 * y))
    human = mean(y + 0 * f)
    human_var = _spread(mean(y**2 + 0 * f) - human**2, n)
    rest = mean(y - tau[:, None, None] * f)
    rest_var = _spread(mean((y - tau[:, None, None] * f) ** 2) - rest**2, n)
    # A degree of freedom for the mean and one for tau. The judged pairs hold the labelled ones, whose verdicts are counted in both parts.
    freedom = n / np.maximum(n - 2.0, 1.0)
    covariance = tau * (
        (both * (f - mean_f[:, None, None]) * (y - tau[:, None, None] * f - rest[:, None, None])).sum((-1, -2)) / n
    )
    variance = float(share**2 @ (tau**2 * var_f / judged + freedom * rest_var / n + 2.0 * covariance / judged))
    alone_variance = float(share**2 @ (freedom * human_var / n))
    loss, plain = float(share @ (tau * mean_f + rest)), float(share @ human)
    radius = float(gaussian_mixture_radius(float(n.sum()), level))
    half, plain_half = (radius * float(np.sqrt(max(v, 0.0))) for v in (variance, alone_variance))
    return AnchoredEstimate(
        loss,
        max(loss - half, -1.0),
        min(loss + half, 1.0),
        max(plain - plain_half, -1.0),
        min(plain + plain_half, 1.0),
        float(share @ mean_f),
        float(n.sum()),
        float(judged.sum()),
        alone_variance / variance if variance > 0.0 else 1.0,
    )


def _spread(variance: FloatArray, n: FloatArray) -> FloatArray:
    """A variance as if one more pair had been lost and one more won: labels without a single loss do not prove that there is none."""
    return (variance * n + 2.0) / (n + 2.0)
