"""E-values for concurrent contrasts: is the cheap tier worse than its reference by more than a margin, day effects or not?

In one block (usually a day) group g yields n_g labels, of which failures_g sum to the failures seen. The null hypothesis
is linear in the groups' failure rates of that block:

    H0:  sum_g coef_g p_g <= bound

Two examples. Treatment against a randomised holdout with a share `a` of treatment served cheap: groups (cheap, escalated,
holdout), coef (a, 1 - a, -1), bound a * margin. Against a pre-routing period whose rate is at most u: groups
(cheap, escalated), coef (a, 1 - a), bound u + a * margin.

Rates may differ from block to block in any way that keeps H0, so whatever moves all groups alike cancels: that is why a
contrast is immune to the day effects that ruin a test against a fixed rate.

Theory. For an alternative q let p0 be the point of H0 nearest to q in sum_g n_g KL(q_g || p_g). The factor

    E = prod_g prod_i (q_g / p0_g)^{y_i} ((1 - q_g) / (1 - p0_g))^{1 - y_i}

has mean at most 1 under every p in H0: its log mean is F(p) = sum_g n_g log f_g(p_g), f_g affine, so F is concave;
F(p0) = 0; and the gradient of F at p0 is minus the gradient of the divergence there, so the first-order condition of the
projection says that F does not grow in any direction that stays inside the convex set H0. Values y in [0, 1] that are not
0 or 1 are covered too, since the factor is convex in y. This is the construction of Turner, Ly & Gruenwald
(arXiv 2106.02693, theorem 1) for a half-space instead of a two-sample null.

Assumptions: given the block's sizes n_g the labels are drawn independently of their values (sampling known beforehand);
alternatives q are chosen from earlier blocks only.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_EPS = 1e-9
_BISECTIONS = 70


def project_to_halfspace(alternative: FloatArray, n: FloatArray, coef: FloatArray, bound: FloatArray) -> FloatArray:
    """Rates inside H0 that are nearest to the alternative in sum_g n_g KL(q_g || p_g).

    Args:
        alternative: Rates q, shape (..., G), in (0, 1).
        n: Labels per group, shape broadcastable to (..., G), >= 0. A group without labels is free to take any rate.
        coef: Coefficients of the null, broadcastable to (..., G).
        bound: Right-hand side of the null, broadcastable to (...).

    Returns:
        Rates p0, shape (..., G). Where the alternative lies inside H0 it is returned unchanged.

    Examples:
        Equal groups meet half-way, as the pooled rate:

        >>> project_to_halfspace(np.array([0.3, 0.1]), np.array([50.0, 50.0]), np.array([1.0, -1.0]), np.array(0.0)).round(3)
        array([0.2, 0.2])
    """
    q = np.clip(np.asarray(alternative, dtype=float), _EPS, 1 - _EPS)
    n, coef = np.broadcast_arrays(np.asarray(n, dtype=float), np.asarray(coef, dtype=float), q)[:2]
    bound = np.broadcast_to(np.asarray(bound, dtype=float), q.shape[:-1])
    free = np.where(coef > 0, 0.0, 1.0)

    def rates(multiplier: FloatArray) -> FloatArray:
        # n (p - q) = -b p (1 - p) with b = multiplier * coef; the root in [0, 1], in the form that loses no digits
        b = multiplier[..., None] * coef
        root = np.sqrt(np.maximum((n + b) ** 2 - 4 * b * n * q, 0.0))
        denominator = (n + b) + root
        with np.errstate(divide="ignore", invalid="ignore"):
            p = np.where(denominator > 0, 2 * n * q / denominator, 1.0)
        return np.where((n <= 0) & (coef != 0) & (multiplier[..., None] > 0), free, p)

    def excess(multiplier: FloatArray) -> FloatArray:
        return (coef * rates(multiplier)).sum(-1) - bound

    low = np.zeros(q.shape[:-1])
    outside = excess(low) > 0
    high = np.where(outside, np.maximum(n.sum(-1), 1.0), 0.0)
    for _ in range(60):
        short = outside & (excess(high) > 0)
        if not short.any():
            break
        high = np.where(short, high * 4, high)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = excess(middle) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(outside[..., None], rates(high), q)


def log_contrast_bets(
    failures: FloatArray, n: FloatArray, coef: FloatArray, bound: FloatArray, alternatives: FloatArray
) -> FloatArray:
    """Log e-values of one or many blocks for H0: sum_g coef_g p_g <= bound.

    Args:
        failures: Sum of failures in [0, 1] per group, shape (..., G).
        n: Labels per group, shape (..., G).
        coef: Coefficients, broadcastable to (..., G).
        bound: Right-hand side, broadcastable to (...).
        alternatives: Rates bet on, chosen from earlier blocks only, shape (..., J, G).

    Returns:
        Log e-values, shape (..., J). 0 where the alternative lies in H0 or a needed group has no labels.

    Examples:
        >>> bets = log_contrast_bets(
        ...     failures=np.array([20.0, 5.0]), n=np.array([100.0, 100.0]), coef=np.array([1.0, -1.0]),
        ...     bound=np.array(0.02), alternatives=np.array([[0.2, 0.05], [0.3, 0.05]]))
        >>> bets.round(2)
        array([4.16, 3.41])
    """
    q = np.clip(np.asarray(alternatives, dtype=float), _EPS, 1 - _EPS)
    k, m = failures[..., None, :], n[..., None, :]
    c = np.broadcast_to(np.asarray(coef, dtype=float), failures.shape)[..., None, :]
    b = np.broadcast_to(np.asarray(bound, dtype=float), failures.shape[:-1])[..., None]
    p0 = project_to_halfspace(q, m, c, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        up = np.where(k > 0, k * np.log(q / p0), 0.0)
        down = np.where(m - k > 0, (m - k) * np.log((1 - q) / (1 - p0)), 0.0)
    return np.where(m > 0, up + down, 0.0).sum(-1)
