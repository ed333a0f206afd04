"""Concurrent contrasts: e-values for "the treatment fails at most `margin` more often than the reference".

Two arms are labelled in the same block (day). Whatever moves both arms alike on that day, a strict reviewer or a wave of
hard questions, cancels: the null says nothing about the rates themselves, only about their difference.

References:
    Turner, Ly, Grunwald (2024), Generic E-variables for exact sequential k-sample tests that allow for optional stopping,
    JSPI 230, arXiv 2106.02693 (section 3: convex nulls, reverse information projection).
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CONTRAST_LOSSES: tuple[float, ...] = (0.01, 0.02, 0.035, 0.055, 0.08, 0.12, 0.18, 0.28, 0.45)
"""Losses beyond the margin that are bet on."""

_BISECTIONS = 46
_EDGE = 1e-6


def predictable_rate(
    failures: npt.ArrayLike, n: npt.ArrayLike, prior_rate: float = 0.1, prior_n: float = 10.0
) -> FloatArray:
    """Reference rate to bet with on each day: from the days before, shrunk towards `prior_rate`.

    Args:
        failures: Sum of failures per day, days first. Shape (T, ...).
        n: Labels per day. Shape (T, ...).
        prior_rate: Rate assumed on the first day, in (0, 1).
        prior_n: How many labels that assumption is worth.

    Returns:
        Rate for day t from days before t only, in (0, 1). Shape (T, ...).

    Examples:
        >>> predictable_rate([1, 9, 0], [10, 90, 10]).round(3).tolist()
        [0.1, 0.1, 0.1]
    """
    k = np.asarray(failures, dtype=np.float64)
    labels = np.asarray(n, dtype=np.float64)
    before_k = np.cumsum(k, axis=0) - k
    before_n = np.cumsum(labels, axis=0) - labels
    return (before_k + prior_rate * prior_n) / (before_n + prior_n)


def project_on_margin(
    rate_t: npt.ArrayLike, rate_r: npt.ArrayLike, n_t: npt.ArrayLike, n_r: npt.ArrayLike, margin: npt.ArrayLike
) -> FloatArray:
    """The reference rate r at which (r + margin, r) is nearest to the alternative (rate_t, rate_r) in relative entropy.

    Minimises `n_t KL(rate_t, r + margin) + n_r KL(rate_r, r)`, convex in r, whose derivative
    `n_t (p_t - rate_t) / (p_t (1 - p_t)) + n_r (p_r - rate_r) / (p_r (1 - p_r))` is at most 0 at `r = rate_r` and at
    least 0 at `r = rate_t - margin`: bisection between the two, all cells at once.

    Args:
        rate_t: Treatment's failure rate under the alternative, at least rate_r + margin, in (0, 1). Shape (...).
        rate_r: Reference's failure rate under the alternative, in (0, 1). Shape (...).
        n_t: Treatment labels in the block. Shape (...).
        n_r: Reference labels in the block. Shape (...).
        margin: Accepted loss in [0, 1). Shape (...).

    Returns:
        r, in [rate_r, rate_t - margin]. Shape (...).

    Examples:
        With equal sizes near one half the projection is nearly the midpoint:

        >>> round(float(project_on_margin(0.55, 0.45, 100, 100, 0.0)), 3)
        0.5
    """
    q_t, q_r, many_t, many_r, mu = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (rate_t, rate_r, n_t, n_r, margin))
    )
    low, high = q_r.copy(), q_t - mu
    for _ in range(_BISECTIONS):
        r = 0.5 * (low + high)
        p = r + mu
        # Both denominators are multiplied out: no division, and no trouble where a size is 0.
        slope = many_t * (p - q_t) * r * (1.0 - r) + many_r * (r - q_r) * p * (1.0 - p)
        below = slope < 0.0
        low = np.where(below, r, low)
        high = np.where(below, high, r)
    return 0.5 * (low + high)


def log_contrast_bets(
    failures_t: npt.ArrayLike,
    n_t: npt.ArrayLike,
    failures_r: npt.ArrayLike,
    n_r: npt.ArrayLike,
    margin: npt.ArrayLike,
    reference_rate: npt.ArrayLike,
    losses: npt.ArrayLike = CONTRAST_LOSSES,
) -> FloatArray:
    """Log e-values against "p_t <= p_r + margin" for one block with given numbers of labels in both arms.

    For each bet the alternative is (q_t, q_r) with q_r = `reference_rate` and q_t = q_r + margin + loss, and the e-value
    is its likelihood ratio against (p0_t, p0_r), the projection of the alternative onto the null (`project_on_margin`).

    Why its mean is at most 1 for every (p_t, p_r) in the null: the logarithm of its expectation,
    `n_t log(1 + (p_t - p0_t) a_t) + n_r log(1 + (p_r - p0_r) a_r)` with `a = (q - p0) / (p0 (1 - p0))`, is concave in
    (p_t, p_r), zero at p0, and has there the gradient (n_t a_t, n_r a_r) = (g, -g) with g >= 0, since p0 is stationary
    along p_t - p_r = margin. A concave function lies below its tangent: `log E <= g (p_t - p_r - margin) <= 0`. By the
    chord argument of `log_bernoulli_bets` (each label's factor is convex in y) the same holds for labels anywhere in [0, 1].
    The rates may differ from block to block as they please, as long as each block satisfies the null.

    Args:
        failures_t: Sum of failures of the treatment in the block. Shape (...).
        n_t: Its labels. Shape (...).
        failures_r: Sum of failures of the reference in the block. Shape (...).
        n_r: Its labels. Shape (...).
        margin: Accepted loss, in [0, 1). Shape (...).
        reference_rate: q_r, from earlier blocks only (`predictable_rate`), in (0, 1). Shape (...).
        losses: Losses beyond the margin to bet on. Shape (J,).

    Returns:
        Log e-values; 0 where an arm has no labels. Shape (..., J).

    Examples:
        Twice as many failures in the treatment speak against it; the same number in both arms does not:

        >>> e = log_contrast_bets([20, 10], 100, [10, 10], 100, 0.0, 0.1).max(axis=-1)
        >>> bool(e[0] > 1.0 > 0.0 >= e[1])
        True
    """
    k_t, many_t, k_r, many_r, mu, q_r = (
        np.asarray(x, dtype=np.float64)[..., None] for x in (failures_t, n_t, failures_r, n_r, margin, reference_rate)
    )
    q_r = np.clip(q_r, _EDGE, 1.0 - _EDGE)
    room = 1.0 - q_r - mu
    # A loss beyond half of what is left above r + margin would stake all on one label; where nothing is left, nothing is bet.
    q_t = q_r + mu + np.minimum(np.asarray(losses, dtype=np.float64), 0.5 * np.maximum(room, 0.0))
    possible = (room > 2.0 * _EDGE) & (many_t > 0.0) & (many_r > 0.0)
    q_t = np.where(possible, q_t, 0.5)
    q_r = np.where(possible, q_r, 0.5)
    mu = np.where(possible, mu, 0.0)
    p_r = project_on_margin(q_t, q_r, many_t, many_r, mu)
    p_t = p_r + mu
    log_bets = (
        k_t * np.log(q_t / p_t)
        + (many_t - k_t) * np.log((1.0 - q_t) / (1.0 - p_t))
        + k_r * np.log(q_r / p_r)
        + (many_r - k_r) * np.log((1.0 - q_r) / (1.0 - p_r))
    )
    return np.where(possible, log_bets, 0.0)
