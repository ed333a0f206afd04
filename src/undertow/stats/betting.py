"""E-values by betting against a bounded mean, from sums alone.

A bet is a factor whose mean is at most 1 while the null holds, so a product of bets that grows large speaks against the
null. All functions here return the logarithms of such products for a block of labels (a day), for several stakes j at
once, on a new last axis. They need only sums, which add over partitions; leading axes (runs, streams, days) broadcast.

The stakes are fixed in advance. The null rate and the weights may depend on earlier blocks, never on the block at hand.

References:
    Waudby-Smith and Ramdas (2024), Estimating means of bounded random variables by betting, JRSS B 86(1), arXiv 2010.09686.
    Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro (2022), Anytime-valid off-policy inference, arXiv 2210.10768.
    Shekhar, Xu, Lipton, Liang, Ramdas (2022), Risk-limiting financial audits via weighted sampling without replacement.
"""

import numpy as np
import numpy.typing as npt

from undertow.errors import StatisticalError

FloatArray = npt.NDArray[np.float64]

BET_MULTIPLIERS: tuple[float, ...] = (1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0)
"""Failure rates bet on, as multiples of the null rate. Wide, because a loss may be slight or complete."""

PAIR_STAKES: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9)
"""Stakes on a positive mean of paired losses, as fractions of the largest stake that cannot ruin."""

_LARGEST_STAKE = 0.9
"""Of the stake at which a single best answer would lose everything: keeps every factor positive."""


def bet_rates(null_rate: npt.ArrayLike, multipliers: npt.ArrayLike = BET_MULTIPLIERS) -> FloatArray:
    """Failure rates bet on: `min(c * m, (1 + m) / 2)`.

    The cap keeps them below 1, where one good answer would lose everything.

    Args:
        null_rate: Null failure rate m in (0, 1). Shape (...).
        multipliers: Multiples c > 1. Shape (J,).

    Returns:
        Rates in (m, 1). Shape (..., J).

    Examples:
        >>> bet_rates(0.1, [2.0, 6.0, 20.0]).round(2).tolist()
        [0.2, 0.55, 0.55]
    """
    m = np.asarray(null_rate, dtype=np.float64)[..., None]
    return np.minimum(np.asarray(multipliers, dtype=np.float64) * m, 0.5 * (1.0 + m))


def log_bernoulli_bets(
    failures: npt.ArrayLike, n: npt.ArrayLike, null_rate: npt.ArrayLike, multipliers: npt.ArrayLike = BET_MULTIPLIERS
) -> FloatArray:
    """Log e-values against "the mean failure is at most `null_rate`", one per bet, for one block of labels.

    `L_j = (q_j / m)^k ((1 - q_j) / (1 - m))^(n - k)` with q_j > m, the likelihood ratio of Bernoulli(q_j) against
    Bernoulli(m). It is an e-value for failures anywhere in [0, 1], not only for 0 and 1: each label's factor
    `exp(y log(q/m) + (1-y) log((1-q)/(1-m)))` is convex in y, so it lies below its chord `y q/m + (1-y) (1-q)/(1-m)`,
    whose mean is 1 at mean failure m and less below (the chord rises in y because q > m).

    Args:
        failures: Sum of failures k, each in [0, 1]. Shape (...).
        n: Number of labels. Shape (...).
        null_rate: Largest mean failure m under the null, in (0, 1]; fixed before the block. At 1 there is nothing to
            bet on and the result is 0. Shape (...).
        multipliers: Multiples of m to bet on. Shape (J,).

    Returns:
        Log e-values. Shape (..., J).

    Raises:
        StatisticalError: A null rate is not above 0: any failure at all would then be proof.

    Notes:
        Assumes that each label's mean given the labels before it is at most m. Labels that share a day or reviewer effect
        break that: see `stats.day_effects`.

    Examples:
        Twelve failures in 100 labels against a null rate of 5 %, betting on twice that:

        >>> round(float(log_bernoulli_bets(12, 100, 0.05, [2.0])[0]), 2)
        3.56
    """
    m = np.asarray(null_rate, dtype=np.float64)
    if np.any(~(m > 0.0)):
        raise StatisticalError(
            f"null rate {float(np.min(m))!r}: expected a rate above 0; use an upper bound of the baseline"
        )
    vacuous = m >= 1.0
    m = np.where(vacuous, 0.5, m)
    q = bet_rates(m, multipliers)
    k = np.asarray(failures, dtype=np.float64)[..., None]
    kept = np.asarray(n, dtype=np.float64)[..., None] - k
    log_bets = k * np.log(q / m[..., None]) + kept * np.log1p(-(q - m[..., None]) / (1.0 - m[..., None]))
    return np.where(vacuous[..., None], 0.0, log_bets)


def log_ratio_bets(
    weighted_failures: npt.ArrayLike,
    weight: npt.ArrayLike,
    weight_max: npt.ArrayLike,
    null_rate: npt.ArrayLike,
    multipliers: npt.ArrayLike = BET_MULTIPLIERS,
) -> FloatArray:
    """Log e-values against "the inclusion-weighted mean failure is at most `null_rate`", weights on any scale.

    The self-normalised form: `1 + lambda w (y - m)` with `lambda = (q - m) / (W m (1 - m))`. A decision enters with
    probability p = 1/w, so the mean of `w (y - m)` over labels is proportional to (traffic's mean failure - m), whatever
    the scale of w: raw `1 / inclusion_probability` will do, and the number of unlabelled decisions is not needed. The
    logarithm is concave in y, and zero and concave in w at w = 0, so it is at least
    `(w y / W) log(q/m) + ((w - w y) / W) log((1-q)/(1-m))`: the Bernoulli bet with the *effective counts* sum(w y)/W
    failures among sum(w)/W labels. Exact where all weights are equal.

    Args:
        weighted_failures: Sum of w y. Shape (...).
        weight: Sum of w. Shape (...).
        weight_max: Largest possible weight W (1 / the smallest inclusion probability). Shape (...).
        null_rate: Largest mean failure of the traffic under the null, in (0, 1]. Shape (...).
        multipliers: Multiples of m to bet on. Shape (J,).

    Returns:
        Log e-values. Shape (..., J).

    References:
        Waudby-Smith et al. (2022), arXiv 2210.10768 (self-normalised use of importance weights is ours, proof above).

    Examples:
        >>> bool(np.allclose(log_ratio_bets(12 * 20, 100 * 20, 20, 0.05), log_bernoulli_bets(12, 100, 0.05)))
        True
    """
    scale = np.asarray(weight_max, dtype=np.float64)
    return log_bernoulli_bets(
        np.asarray(weighted_failures, dtype=np.float64) / scale,
        np.asarray(weight, dtype=np.float64) / scale,
        null_rate,
        multipliers,
    )


def log_stratified_bets(
    weighted_failures: npt.ArrayLike,
    weight: npt.ArrayLike,
    weight_max: npt.ArrayLike,
    null_rate: npt.ArrayLike,
    multipliers: npt.ArrayLike = BET_MULTIPLIERS,
    weight_mean: npt.ArrayLike | None = None,
) -> FloatArray:
    """Log e-values against "the tier's mean failure is at most `null_rate`", from several strata with one common stake.

    Fixed quotas (70 reviews from the long tail, 70 from the rest) or independent draws. The bet is
    `1 + lambda w (y - m)` with the same lambda in all strata h. For quotas: the expectation of the product is
    `prod_h (1 + lambda w_h (p_h - m))^(n_h)`, at most `(1 + lambda sum_h n_h w_h (p_h - m) / n)^n` because the geometric
    mean is at most the arithmetic mean, and `sum_h n_h w_h (p_h - m) <= 0` is the null. So no stratum's own rate needs to
    be known: this tests the mean alone. Inside a stratum, weights may vary below W_h (as in `log_ratio_bets`).

    Args:
        weighted_failures: Sum of w y per stratum. Shape (..., H).
        weight: Sum of w per stratum. Shape (..., H).
        weight_max: Largest weight per stratum, on the same scale. Shape (..., H) or (H,).
        null_rate: Largest mean failure of the tier under the null, in (0, 1). Shape (...).
        multipliers: Multiples of m that the common stake aims at. Shape (J,).
        weight_mean: Typical weight of a label, fixed in advance: the stake is scaled by it. Default: each block's own
            sum(w) / sum(w / W), right for quotas, which are fixed before the labels are known. Shape (...).

    Returns:
        Log e-values. Shape (..., J).

    Examples:
        One stratum is the plain bet:

        >>> one = log_stratified_bets([12.0], [100.0], [1.0], 0.05)
        >>> bool(np.allclose(one, log_bernoulli_bets(12, 100, 0.05)))
        True
    """
    wy = np.asarray(weighted_failures, dtype=np.float64)
    w = np.asarray(weight, dtype=np.float64)
    top = np.broadcast_to(np.asarray(weight_max, dtype=np.float64), w.shape)
    m = np.asarray(null_rate, dtype=np.float64)
    if np.any(~((m > 0.0) & (m < 1.0))):
        raise StatisticalError(f"null rate {float(np.min(m))!r}: expected a rate inside (0, 1)")
    used = top > 0.0
    safe_top = np.where(used, top, 1.0)
    if weight_mean is None:
        labels = np.sum(np.where(used, w / safe_top, 0.0), axis=-1)
        centre = np.where(labels > 0.0, np.sum(w, axis=-1) / np.where(labels > 0.0, labels, 1.0), 1.0)
    else:
        centre = np.asarray(weight_mean, dtype=np.float64)
    m1 = m[..., None]
    stake = (bet_rates(m, multipliers) - m1) / (m1 * (1.0 - m1)) / centre[..., None]
    largest = np.max(np.where(used, top, 0.0), axis=-1)
    # With equal weights the cap on q keeps stake * m * W <= 1/2; only labels far above the mean weight meet this limit.
    stake = np.minimum(stake, (_LARGEST_STAKE / (m * np.where(largest > 0.0, largest, 1.0)))[..., None])
    stake_h = stake[..., None, :] * safe_top[..., :, None]
    lost = np.log1p(stake_h * (1.0 - m[..., None, None]))
    kept = np.log1p(-stake_h * m[..., None, None])
    failures = np.where(used, wy / safe_top, 0.0)[..., None]
    others = np.where(used, (w - wy) / safe_top, 0.0)[..., None]
    return np.sum(failures * lost + others * kept, axis=-2)


def log_pair_bets(
    pairs: npt.ArrayLike,
    loss_up: npt.ArrayLike,
    loss_down: npt.ArrayLike,
    margin: npt.ArrayLike,
    stakes: npt.ArrayLike = PAIR_STAKES,
) -> FloatArray:
    """Log e-values against "the mean paired loss is at most `margin`", from the sums of gains and losses.

    d = reference value - value, in [-1, 1]. The bet `1 + lambda (d - margin)`, `0 <= lambda < 1 / (1 + margin)`, has a
    logarithm concave in d, so it lies above its chords on [-1, 0] and [0, 1]:
    `(n - U - D) log(1 - lambda margin) + U log(1 + lambda (1 - margin)) + D log(1 - lambda (1 + margin))`
    with U the sum of max(d, 0) and D that of max(-d, 0). Exact for wins, ties and losses. What both tiers get wrong on the
    same item cancels: day effects and hard items do no harm.

    Args:
        pairs: Number of pairs. Shape (...).
        loss_up: Sum of max(d, 0). Shape (...).
        loss_down: Sum of max(-d, 0). Shape (...).
        margin: Largest accepted mean loss, in [0, 1). Shape (...).
        stakes: Fractions in (0, 1) of the largest stake 1 / (1 + margin). Shape (J,).

    Returns:
        Log e-values. Shape (..., J).

    Examples:
        Ties say little, an even split nothing; nine losses to one win do:

        >>> e = log_pair_bets([100, 100], [5, 9], [5, 1], 0.0).max(axis=-1)
        >>> bool(e[0] < 0.1 < 2.5 < e[1])
        True
    """
    mu = np.asarray(margin, dtype=np.float64)[..., None]
    stake = np.asarray(stakes, dtype=np.float64) / (1.0 + mu)
    up = np.asarray(loss_up, dtype=np.float64)[..., None]
    down = np.asarray(loss_down, dtype=np.float64)[..., None]
    tied = np.asarray(pairs, dtype=np.float64)[..., None] - up - down
    return tied * np.log1p(-stake * mu) + up * np.log1p(stake * (1.0 - mu)) + down * np.log1p(-stake * (1.0 + mu))
