"""Labels of one day are not independent: design effect, intra-day correlation, and bets that stay valid under it.

A strict reviewer or a wave of one kind of question moves all labels of a day together. With an intra-day correlation of .005
a 5 % guarantee becomes 32 %, with .02 it is worthless. The model is Beta-binomial: the day's rate is Beta with mean m and
correlation rho, the labels independent given it, so the day's variance is `n m (1 - m) (1 + (n - 1) rho)`.

The correction divides each day's bet `L_j` by its mean under Beta-binomial(n, m, rho_u). `L_j` is increasing and convex in the
number of failures and the Beta-binomial grows in m (stochastically) and in rho (in convex order), so that mean is the largest
over all mean <= m and rho <= rho_u: what remains is an e-value over the whole of that class. Tempering `L^(1/deff)` is not.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, chdtri, gammaln, logsumexp

from undertow.stats.betting import BET_MULTIPLIERS, bet_rates, log_bernoulli_bets

FloatArray = npt.NDArray[np.float64]

MIN_DAYS = 10
"""Fewest days with at least two labels from which a correlation is estimated."""


@dataclass(frozen=True, slots=True)
class DayEffect:
    """How much the labels of one day move together.

    Attributes:
        days: Days with at least two labels.
        design_effect: Observed variance of the daily failures over the binomial one; 1 = independent labels.
        rho: Intra-day correlation, at least 0.
        rho_upper: Upper bound of rho at the level asked for, in [0, 1).
    """

    days: int
    design_effect: float
    rho: float
    rho_upper: float


def estimate_day_effect(failures: npt.ArrayLike, n: npt.ArrayLike, alpha: float = 0.05) -> DayEffect | None:
    """Design effect and intra-day correlation from daily counts of a period without change.

    Pearson's `X^2 = sum (k_t - n_t p)^2 / (n_t p (1 - p))` over D days has mean about (D - 1) (1 + (n0 - 1) rho), with n0 the
    mean number of labels a day. The upper bound takes `X^2 / design effect` as chi-square with D - 1 degrees of freedom.

    Args:
        failures: Sum of failures per day. Shape (T,).
        n: Labels per day. Shape (T,).
        alpha: Probability with which the upper bound may be too low.

    Returns:
        The estimate, or None with fewer than MIN_DAYS days, no failure or no success.

    References:
        McCullagh and Nelder (1989), Generalized Linear Models, section 4.5. Williams (1982), Applied Statistics 31.

    Examples:
        Days that alternate between 0 and 20 failures in 100 are far from binomial:

        >>> effect = estimate_day_effect([0, 20] * 10, [100] * 20)
        >>> round(effect.design_effect, 1), round(effect.rho, 2)
        (11.7, 0.11)
    """
    k = np.asarray(failures, dtype=np.float64)
    many = np.asarray(n, dtype=np.float64)
    used = many >= 2.0
    k, many = k[used], many[used]
    days = len(k)
    total = float(np.sum(many))
    if days < MIN_DAYS or not 0.0 < float(np.sum(k)) < total:
        return None
    p = float(np.sum(k)) / total
    pearson = float(np.sum((k - many * p) ** 2 / (many * p * (1.0 - p))))
    size = total / days
    effect = pearson / (days - 1)
    least = float(chdtri(days - 1, 1.0 - alpha))  # chi-square quantile at alpha: chdtri takes the upper tail
    upper = (pearson / least - 1.0) / (size - 1.0)
    return DayEffect(days, effect, max(0.0, (effect - 1.0) / (size - 1.0)), min(0.99, max(0.0, upper)))


def log_mean_bet(
    n: npt.ArrayLike, null_rate: npt.ArrayLike, rho: npt.ArrayLike, multipliers: npt.ArrayLike = BET_MULTIPLIERS
) -> FloatArray:
    """Log of the mean of each day's bet under Beta-binomial(n, m, rho): what it must be divided by.

    Args:
        n: Labels of the day, rounded up to whole ones. Shape (...).
        null_rate: m in (0, 1). Shape (...).
        rho: Intra-day correlation in [0, 1). Shape (...).
        multipliers: Multiples of m. Shape (J,).

    Returns:
        Log means, 0 where rho = 0 or n <= 1. Shape (..., J).

    Examples:
        With 140 labels a day and a correlation of .01 a bet on three times the rate gains e^47 a day by itself:

        >>> log_mean_bet(140, 0.07, 0.01, [1.3, 3.0]).round(1).tolist()
        [0.9, 47.5]
    """
    many, m, r = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (n, null_rate, rho)))
    bets = np.asarray(multipliers, dtype=np.float64)
    out = np.zeros((*many.shape, len(bets)))
    flat = out.reshape(-1, len(bets))
    keys = np.stack([np.ceil(many.ravel()), m.ravel(), r.ravel()], axis=1)
    unique, where = np.unique(keys, axis=0, return_inverse=True)
    for i, (labels, rate, correlation) in enumerate(unique):
        if labels > 1.0 and correlation > 0.0 and rate < 1.0:
            flat[where == i] = _log_mean_bet(int(labels), float(rate), float(correlation), bets)
    return out


def _log_mean_bet(n: int, m: float, rho: float, multipliers: FloatArray) -> FloatArray:
    k = np.arange(n + 1.0)
    a, b = m * (1.0 / rho - 1.0), (1.0 - m) * (1.0 / rho - 1.0)
    log_pmf = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0) + betaln(a + k, b + n - k) - betaln(a, b)
    q = bet_rates(m, multipliers)
    log_bets = k * np.log(q / m)[:, None] + (n - k) * np.log((1.0 - q) / (1.0 - m))[:, None]
    return logsumexp(log_pmf + log_bets, axis=1)


def corrected_bets(
    log_bets: npt.ArrayLike,
    n: npt.ArrayLike,
    null_rate: npt.ArrayLike,
    rho_upper: npt.ArrayLike,
    multipliers: npt.ArrayLike = BET_MULTIPLIERS,
) -> FloatArray:
    """A day's bets made valid for any intra-day correlation up to `rho_upper`.

    Args:
        log_bets: From `stats.betting.log_bernoulli_bets` with the same n, null rate and multipliers. Shape (..., J).
        n: Labels of the day. Shape (...).
        null_rate: Null rate. Shape (...).
        rho_upper: Largest correlation allowed for; its own error is charged to alpha. Shape (...).
        multipliers: Multiples of the null rate. Shape (J,).

    Returns:
        Corrected log bets, never above `log_bets`. Shape (..., J).

    Examples:
        >>> float(corrected_bets([[2.0]], 50, 0.03, 0.0, [2.0])[0, 0])
        2.0
    """
    return np.asarray(log_bets, dtype=np.float64) - log_mean_bet(n, null_rate, rho_upper, multipliers)


def log_overdispersed_bets(
    failures: npt.ArrayLike,
    n: npt.ArrayLike,
    null_rate: npt.ArrayLike,
    rho_upper: npt.ArrayLike,
    multipliers: npt.ArrayLike = BET_MULTIPLIERS,
) -> FloatArray:
    """Log e-values against "mean failure at most `null_rate`, intra-day correlation at most `rho_upper`", for one day.

    The likelihood ratio of Beta-binomial(n, q_j, rho) against Beta-binomial(n, m, rho), with both at the largest correlation.
    With s = 1 / rho - 1 and d = (q - m) s it is, up to a constant,
    `Gamma(q s + k) / Gamma(m s + k) * Gamma((1-q) s + n - k) / Gamma((1-m) s + n - k)`. For d >= 1 both ratios are increasing and
    convex in k (like x^d and x^-d), hence so is the product; a Beta-binomial of lower mean or correlation is smaller in the
    increasing convex order; so the mean of the ratio is largest at (m, rho), where it is 1. Bets nearer to m than 1 / s are
    moved there. Against `corrected_bets`, which divides by a mean after the fact, it is the better bet, as it is the
    likelihood ratio of the model itself. With rho = 0 it is `stats.betting.log_bernoulli_bets`.

    Args:
        failures: Sum of failures k, each in [0, 1]. Shape (...).
        n: Labels of the day. Shape (...).
        null_rate: Largest mean failure m under the null, in (0, 1]; at 1 nothing is bet. Shape (...).
        rho_upper: Largest intra-day correlation, in [0, 1). Shape (...).
        multipliers: Multiples of m to bet on. Shape (J,).

    Returns:
        Log e-values. Shape (..., J).

    References:
        Shaked and Shanthikumar (2007), Stochastic Orders, theorem 4.A.8 (increasing convex order and mixtures).

    Examples:
        Twenty failures where ten were expected, in one day: strong evidence if labels are independent, little if they are not.

        >>> [round(float(log_overdispersed_bets(20, 140, 0.07, rho, [2.0])[0]), 1) for rho in (0.0, 0.02)]
        [4.5, 1.2]
    """
    k, many, m, rho = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (failures, n, null_rate, rho_upper))
    )
    plain = log_bernoulli_bets(k, many, m, multipliers)
    usable = (rho > 0.0) & (m < 1.0)
    if not usable.any():
        return plain
    concentration = np.where(usable, 1.0 / np.where(rho > 0.0, rho, 0.5) - 1.0, 1.0)[..., None]
    m1 = np.where(usable, m, 0.5)[..., None]
    # Bets are at least 1 / s from the null, where convexity begins, and leave half of what is above the null.
    q = np.minimum(np.maximum(bet_rates(m1[..., 0], multipliers), m1 + 1.0 / concentration), 0.5 * (1.0 + m1))
    convex = usable[..., None] & ((q - m1) * concentration >= 1.0 - 1e-9)
    k1, kept = k[..., None], (many - k)[..., None]
    bets = (
        betaln(q * concentration + k1, (1.0 - q) * concentration + kept)
        - betaln(q * concentration, (1.0 - q) * concentration)
        - betaln(m1 * concentration + k1, (1.0 - m1) * concentration + kept)
        + betaln(m1 * concentration, (1.0 - m1) * concentration)
    )
    return np.where(usable[..., None], np.where(convex, bets, 0.0), plain)
