"""Anytime-valid intervals: they hold at every moment at once, however often one looks.

Two kinds, and every result says which one it is.

* **Exact**: mixtures of bets, inverted numerically. Hold at any sample size. `beta_binomial_interval` for failures in
  [0, 1], the same on effective counts for inclusion-weighted failures, `bounded_mean_interval` for any bounded values.
* **Asymptotic confidence sequences**: a Gaussian mixture boundary around an estimate with a consistent variance. Narrower
  and free of bounds, but only as good as the normal approximation; used only above gates whose coverage was measured by
  Monte Carlo at rates from 2 % (tests/statistical/test_confidence_coverage.py), else the exact one is.

References:
    Robbins (1970), Statistical methods related to the law of the iterated logarithm, Ann. Math. Stat. 41.
    Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences, Ann. Stat. 49,
    arXiv 1810.08240. Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2024), Time-uniform central limit theory and asymptotic
    confidence sequences, Ann. Stat. 52, arXiv 2103.06476.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, xlog1py, xlogy

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

DEFAULT_N_OPT = 1000.0
"""Sample size at which asymptotic intervals are narrowest. Must not depend on the data."""

MIN_EFFECTIVE_EVENTS = 25.0
"""Fewest effective failures (`enough_events`) for which an asymptotic interval is used. Measured miss rates at 95 % under
continuous monitoring from 50 labels on: see tests/statistical/test_confidence.py."""

MIN_EFFECTIVE_N = 200.0
"""Fewest effective observations for which the asymptotic interval of a bounded mean is used."""

MIN_UNBOUNDED_N = 200.0
"""Fewest observations for which a mean without known bounds gets an interval at all. Heavy tails (a few users who cost as much
as all others) need many more: two moments cannot show that."""

_BISECTIONS = 60
_STAKES = np.array([0.02, 0.04, 0.08, 0.14, 0.22, 0.35, 0.5, 0.7, 0.85])


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """An estimated mean with an interval that holds at all times at once.

    Attributes:
        mean: Estimate; NaN where there are no data. Shape (...).
        low, high: Ends of the interval, within the bounds of the values. Shape (...).
        exact: Whether the end points come from an exact construction (else from an asymptotic one). Shape (...).
    """

    mean: FloatArray
    low: FloatArray
    high: FloatArray
    exact: BoolArray


@dataclass(frozen=True, slots=True)
class WeightedSums:
    """Sums over the labels of one estimate; `undertow.records.cells.LabelCells` has the same names. Shapes (...).

    Attributes:
        weight: Sum of w = 1 / inclusion probability.
        weight_sq: Sum of w^2.
        weighted_failures: Sum of w y, y in [0, 1].
        weighted_failures_sq: Sum of (w y)^2.
        weight_weighted_failures: Sum of w^2 y.
        n: Number of labels.
        weight_max: Largest weight that could occur.
    """

    weight: FloatArray
    weight_sq: FloatArray
    weighted_failures: FloatArray
    weighted_failures_sq: FloatArray
    weight_weighted_failures: FloatArray
    n: FloatArray
    weight_max: FloatArray


def gaussian_mixture_radius(n: npt.ArrayLike, level: npt.ArrayLike, n_opt: npt.ArrayLike = DEFAULT_N_OPT) -> FloatArray:
    """Half-width of the Gaussian-mixture confidence sequence, in standard errors.

    `sqrt((1 + 1/eta) log((1 + eta) / alpha^2))` with `eta = n / n_opt * c`, `c = -2 log(alpha) + log(-2 log(alpha)) + 1`,
    the choice that is nearly narrowest at n_opt. Multiply by the standard error of the mean.

    Args:
        n: Observations so far, above 0. Shape (...).
        level: Confidence level 1 - alpha, in (0, 1). Shape (...).
        n_opt: Where it should be narrowest; fixed in advance. Shape (...).

    Returns:
        Multiples of the standard error. Shape (...).

    References:
        arXiv 2103.06476, theorem 2.2 and appendix B.2 (choice of rho).

    Examples:
        Looking always costs about half as much again as looking once (1.96):

        >>> round(float(gaussian_mixture_radius(1000, 0.95)), 2)
        3.04
    """
    alpha = 1.0 - np.asarray(level, dtype=np.float64)
    two_log = -2.0 * np.log(alpha)
    eta = np.asarray(n, dtype=np.float64) / np.asarray(n_opt, dtype=np.float64) * (two_log + np.log(two_log) + 1.0)
    return np.sqrt((1.0 + 1.0 / eta) * (np.log1p(eta) + two_log))


def beta_binomial_interval(
    failures: npt.ArrayLike, n: npt.ArrayLike, level: npt.ArrayLike = 0.95, prior: tuple[float, float] = (0.5, 0.5)
) -> MeanInterval:
    """Exact interval for the mean of values in [0, 1], valid at all sample sizes at once.

    A rate p is excluded once the Beta mixture of likelihood ratios against it,
    `B(a + k, b + n - k) / B(a, b) / (p^k (1 - p)^(n - k))`, reaches 1 / alpha. For each alternative q the ratio is a
    product of factors that are convex in the value, so their mean is at most that of the chord, which is 1 when the mean
    is p: a non-negative supermartingale for any values in [0, 1], and so is the mixture (Ville's inequality). The
    logarithm is convex in p with its least value at k / n, hence one bisection on each side.

    Args:
        failures: Sum of the values k. Need not be whole. Shape (...).
        n: Number of values. Need not be whole: effective counts will do (`hajek_interval`). Shape (...).
        level: Confidence level. Shape (...).
        prior: Parameters (a, b) of the mixing Beta distribution. They move the width, never the coverage.

    Returns:
        Mean and interval; [0, 1] with a NaN mean where n = 0. Shape (...).

    Examples:
        >>> interval = beta_binomial_interval(5, 100)
        >>> round(float(interval.low), 3), round(float(interval.high), 3)
        (0.007, 0.156)
    """
    k, total, confidence = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (failures, n, level)))
    a, b = prior
    k = np.clip(k, 0.0, total)
    rest = total - k
    empty = total <= 0.0
    mean = np.where(empty, 0.5, k / np.where(empty, 1.0, total))
    floor = betaln(a + k, b + rest) - betaln(a, b) + np.log1p(-confidence)

    def _kept(p: FloatArray) -> BoolArray:
        return xlogy(k, p) + xlog1py(rest, -p) > floor

    low = _bisect_outwards(_kept, mean, np.zeros_like(mean))
    high = _bisect_outwards(_kept, mean, np.ones_like(mean))
    return MeanInterval(
        np.where(empty, np.nan, mean),
        np.where(empty, 0.0, low),
        np.where(empty, 1.0, high),
        np.ones(mean.shape, dtype=bool),
    )


def _bisect_outwards(kept, inside: FloatArray, end: FloatArray) -> FloatArray:  # noqa: ANN001
    """Between `inside` (kept) and `end`, the nearest point found that is not kept, or `end`."""
    near, far = inside.copy(), end.copy()
    whole = kept(far)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (near + far)
        ok = kept(middle)
        near = np.where(ok, middle, near)
        far = np.where(ok, far, middle)
    return np.where(whole, end, far)


def hajek_mean_variance(sums: WeightedSums) -> tuple[FloatArray, FloatArray]:
    """Hajek mean of the failures and the linearised variance of that mean.

    mean = sum(w y) / sum(w); variance = sum(w^2 (y - mean)^2) / sum(w)^2, from
    `sum((w y)^2) - 2 mean sum(w^2 y) + mean^2 sum(w^2)`.

    Returns:
        Mean and variance, NaN where there are no labels. Shapes (...).

    References:
        Sarndal, Swensson, Wretman (1992), Model Assisted Survey Sampling, section 5.7.
    """
    empty = sums.weight <= 0.0
    weight = np.where(empty, 1.0, sums.weight)
    mean = np.clip(sums.weighted_failures / weight, 0.0, 1.0)
    spread = sums.weighted_failures_sq - 2.0 * mean * sums.weight_weighted_failures + mean**2 * sums.weight_sq
    variance = np.maximum(spread, 0.0) / weight**2
    return np.where(empty, np.nan, mean), np.where(empty, np.nan, variance)


def hajek_interval(
    weight: npt.ArrayLike,
    weight_sq: npt.ArrayLike,
    weighted_failures: npt.ArrayLike,
    weighted_failures_sq: npt.ArrayLike,
    weight_weighted_failures: npt.ArrayLike,
    n: npt.ArrayLike,
    level: npt.ArrayLike = 0.95,
    n_opt: npt.ArrayLike = DEFAULT_N_OPT,
    weight_max: npt.ArrayLike | None = None,
) -> MeanInterval:
    """Anytime-valid interval for a mean failure in [0, 1] estimated from labels with known, unequal inclusion probabilities.

    With enough effective failures: the Hajek mean with its linearised variance and the asymptotic confidence sequence.
    Otherwise exact: `beta_binomial_interval` on the effective counts sum(w y) / W and sum(w) / W, W the largest weight,
    which is a valid bet by the argument of `stats.betting.log_ratio_bets` (conservative when weights differ much).

    Args:
        weight: Sum of w = 1 / inclusion probability. Shape (...), as all the sums.
        weight_sq: Sum of w^2.
        weighted_failures: Sum of w y.
        weighted_failures_sq: Sum of (w y)^2.
        weight_weighted_failures: Sum of w^2 y.
        n: Number of labels.
        level: Confidence level.
        n_opt: Sample size at which the asymptotic interval is narrowest.
        weight_max: Largest possible weight. Default: the largest that is compatible with n, sum(w) and sum(w^2)
            (Samuelson's inequality), exact when all weights are equal.

    Returns:
        Mean and interval within [0, 1].

    Examples:
        A hundred reviews drawn with probability 1/20 and five failures are as five in a hundred:

        >>> i = hajek_interval(2000, 40000, 100, 2000, 2000, 100)
        >>> round(float(i.low), 3), round(float(i.high), 3), bool(i.exact)
        (0.007, 0.156, True)
    """
    arrays = np.broadcast_arrays(
        *(
            np.asarray(x, dtype=np.float64)
            for x in (
                weight,
                weight_sq,
                weighted_failures,
                weighted_failures_sq,
                weight_weighted_failures,
                n,
                level,
                n_opt,
            )
        )
    )
    w, w2, wy, wy2, w2y, many, confidence, target = arrays
    top = _largest_weight(w, w2, many) if weight_max is None else np.asarray(weight_max, dtype=np.float64)
    sums = WeightedSums(w, w2, wy, wy2, w2y, many, np.broadcast_to(top, w.shape))
    mean, variance = hajek_mean_variance(sums)
    exact = beta_binomial_interval(*effective_counts(sums), confidence)
    radius = gaussian_mixture_radius(np.maximum(many, 1.0), confidence, target) * np.sqrt(np.nan_to_num(variance))
    asymptotic = enough_events(sums)
    centre = np.nan_to_num(mean)
    return MeanInterval(
        mean,
        np.where(asymptotic, np.clip(centre - radius, 0.0, 1.0), exact.low),
        np.where(asymptotic, np.clip(centre + radius, 0.0, 1.0), exact.high),
        ~asymptotic,
    )


def _largest_weight(weight: FloatArray, weight_sq: FloatArray, n: FloatArray) -> FloatArray:
    safe_n = np.maximum(n, 1.0)
    mean = weight / safe_n
    spread = np.maximum(weight_sq / safe_n - mean**2, 0.0)
    spread = np.where(
        spread < 1e-9 * mean**2, 0.0, spread
    )  # rounding of equal weights, which sqrt(n - 1) would magnify
    return np.minimum(mean + np.sqrt(spread * (safe_n - 1.0)), np.sqrt(weight_sq))


def effective_counts(sums: WeightedSums) -> tuple[FloatArray, FloatArray]:
    """Effective failures sum(w y) / W and effective labels sum(w) / W: what an exact bound may count.

    Examples:
        >>> one = np.ones(())
        >>> k, n = effective_counts(WeightedSums(200 * one, 4000 * one, 40 * one, 800 * one, 800 * one, 10 * one, 20 * one))
        >>> float(k), float(n)
        (2.0, 10.0)
    """
    top = np.where(sums.weight_max > 0.0, sums.weight_max, 1.0)
    return sums.weighted_failures / top, sums.weight / top


def enough_events(sums: WeightedSums) -> BoolArray:
    """Whether the asymptotic interval is trusted: no single label can matter much.

    The variance sum(w^2 (y - mean)^2) in units of the largest weight squared (the Lindeberg ratio, inverted) must reach
    MIN_EFFECTIVE_EVENTS. With equal weights that is about the number of failures (or of successes, where those are rarer);
    with few heavy labels among many light ones it is the number of heavy failures.
    """
    _, variance = hajek_mean_variance(sums)
    top = np.where(sums.weight_max > 0.0, sums.weight_max, np.inf)
    return np.nan_to_num(variance) * sums.weight**2 / top**2 >= MIN_EFFECTIVE_EVENTS


def bounded_mean_interval(
    total: npt.ArrayLike, total_sq: npt.ArrayLike, n: npt.ArrayLike, level: npt.ArrayLike, bounds: tuple[float, float]
) -> MeanInterval:
    """Exact interval for the mean of bounded values from their sum and sum of squares, valid at all times at once.

    For x = (v - mu) / (high - low) in [-1, 1] and a stake s in (0, 1), Fan's inequality gives
    `log(1 + s x) >= s x + x^2 (log(1 - s) + s)`, so `exp(s sum x + (log(1 - s) + s) sum x^2)` is at most a bet against
    "the mean is at most mu", with `1 + s x` falling in mu: rejecting one mu rejects all below it. Averaged over nine
    stakes, each side at alpha / 2. It adapts to the variance: pairs that mostly tie get a narrow interval.

    Args:
        total: Sum of the values. Shape (...).
        total_sq: Sum of their squares. Shape (...).
        n: Number of values. Shape (...).
        level: Confidence level. Shape (...).
        bounds: Smallest and largest possible value.

    Returns:
        Mean and interval within the bounds; NaN and the bounds where n = 0.

    References:
        Fan, Grama, Liu (2015), Exponential inequalities for martingales with applications, EJP 20 (lemma 4.1).
        Waudby-Smith and Ramdas (2024), arXiv 2010.09686, section 3.2 (empirical Bernstein from betting).

    Examples:
        Two hundred pairs, twenty lost and ten won:

        >>> i = bounded_mean_interval(10, 30, 200, 0.95, (-1.0, 1.0))
        >>> round(float(i.low), 2), round(float(i.high), 2)
        (-0.08, 0.18)
    """
    low_end, high_end = bounds
    width = high_end - low_end
    s, s2, many, confidence = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (total, total_sq, n, level))
    )
    empty = many <= 0.0
    safe_n = np.where(empty, 1.0, many)
    mean = s / safe_n
    spread = np.maximum(s2 - s * mean, 0.0) / width**2
    line = np.log(2.0) - np.log1p(-confidence) + np.log(len(_STAKES))
    curve = np.log1p(-_STAKES) + _STAKES

    def _kept(distance: FloatArray) -> BoolArray:
        # Both sides are mirror images: only the distance from the mean, in widths, counts.
        x = distance[..., None]
        exponent = _STAKES * safe_n[..., None] * x + curve * (spread[..., None] + safe_n[..., None] * x**2)
        return np.logaddexp.reduce(exponent, axis=-1) < line

    grid = np.linspace(0.0, 1.0, 41)[1:]
    rejected = np.stack([~_kept(np.full(mean.shape, g)) for g in grid], axis=-1)
    first = np.where(rejected.any(axis=-1), rejected.argmax(axis=-1), len(grid) - 1)
    radius = _bisect_outwards(_kept, grid[first] - grid[0], grid[first]) * width
    return MeanInterval(
        np.where(empty, np.nan, mean),
        np.where(empty, low_end, np.clip(mean - radius, low_end, high_end)),
        np.where(empty, high_end, np.clip(mean + radius, low_end, high_end)),
        np.ones(mean.shape, dtype=bool),
    )


def mean_interval(
    total: npt.ArrayLike,
    total_sq: npt.ArrayLike,
    n: npt.ArrayLike,
    level: npt.ArrayLike = 0.95,
    bounds: tuple[float, float] | None = None,
    n_opt: npt.ArrayLike = DEFAULT_N_OPT,
) -> MeanInterval:
    """Anytime-valid interval for a mean from its sum and sum of squares: paired losses, or money per request or user.

    Asymptotic confidence sequence with the sample variance once there is enough to trust it; below that the exact
    `bounded_mean_interval` where bounds are known, else no interval (infinite ends).

    Args:
        total: Sum of the values. Shape (...).
        total_sq: Sum of their squares. Shape (...).
        n: Number of (independent) values. Shape (...).
        level: Confidence level. Shape (...).
        bounds: Smallest and largest possible value, or None for money.
        n_opt: Sample size at which the asymptotic interval is narrowest.

    Returns:
        Mean and interval.

    Examples:
        >>> i = mean_interval(200.0, 500.0, 1000)
        >>> round(float(i.low), 2), round(float(i.high), 2)
        (0.13, 0.27)
    """
    s, s2, many, confidence = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (total, total_sq, n, level))
    )
    empty = many <= 0.0
    safe_n = np.where(empty, 1.0, many)
    mean = s / safe_n
    spread = np.maximum(s2 - s * mean, 0.0)
    error = np.sqrt(spread / np.maximum(safe_n - 1.0, 1.0) / safe_n)
    radius = gaussian_mixture_radius(safe_n, confidence, n_opt) * error
    shown = np.where(empty, np.nan, mean)
    if bounds is None:
        few = many < MIN_UNBOUNDED_N
        return MeanInterval(
            shown,
            np.where(few, -np.inf, mean - radius),
            np.where(few, np.inf, mean + radius),
            np.zeros(mean.shape, dtype=bool),
        )
    # How many values as far from the mean as the bounds allow would make up this variance: a rate's events, in effect.
    farthest = np.maximum(np.maximum(mean - bounds[0], bounds[1] - mean), 1e-300)
    asymptotic = (spread / farthest**2 >= MIN_EFFECTIVE_EVENTS) & (many >= MIN_EFFECTIVE_N)
    exact = bounded_mean_interval(s, s2, many, confidence, bounds)
    return MeanInterval(
        shown,
        np.where(asymptotic, np.maximum(mean - radius, bounds[0]), exact.low),
        np.where(asymptotic, np.minimum(mean + radius, bounds[1]), exact.high),
        ~asymptotic,
    )


def upper_rate_bound(failures: npt.ArrayLike, n: npt.ArrayLike, alpha: npt.ArrayLike) -> FloatArray:
    """Upper bound of a mean failure that holds with probability 1 - alpha at a sample size fixed in advance.

    The Chernoff bound in its relative-entropy form, the p above k / n with `n KL(k / n, p) = log(1 / alpha)`: valid for
    values anywhere in [0, 1], where Clopper-Pearson is proven only for 0 and 1.

    Args:
        failures: Sum of the values k. Shape (...).
        n: Number of values. Shape (...).
        alpha: Probability of error, in (0, 1). Shape (...).

    Returns:
        Upper bound, 1 where n = 0. Shape (...).

    References:
        Hoeffding (1963), JASA 58, theorem 1, equation (2.1).

    Examples:
        >>> round(float(upper_rate_bound(70, 1000, 0.005)), 3)
        0.099
    """
    k, total, error = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (failures, n, alpha)))
    empty = total <= 0.0
    rate = np.clip(k / np.where(empty, 1.0, total), 0.0, 1.0)
    floor = xlogy(k, rate) + xlog1py(total - k, -rate) + np.log(error)
    high = _bisect_outwards(lambda p: xlogy(k, p) + xlog1py(total - k, -p) > floor, rate, np.ones_like(rate))
    return np.where(empty, 1.0, high)
