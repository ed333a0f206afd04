"""Weighted logistic regression in a few columns, by Newton's method with a faint ridge: small, exact and the same everywhere."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MAX_STEPS = 100
TOLERANCE = 1e-10


def fit_logistic(
    columns: FloatArray, good: BoolArray, weight: FloatArray, ridge: float = 1e-3
) -> tuple[float, FloatArray]:
    """Intercept and coefficients of P(good) = expit(intercept + columns @ coefficients).

    Labels are softened as Platt (1999, section 2.2) does, (n+ + 1) / (n+ + 2) for good ones and 1 / (n- + 2) for others, so that separable
    labels have finite coefficients. Weights count relative to each other: they are scaled to the effective number of labels.

    Args:
        columns: Shape (n, f).
        good: Labels. Shape (n,).
        weight: Not negative. Shape (n,).
        ridge: Half of it times the sum of squared coefficients is added to the loss; the intercept is free.

    Returns:
        Intercept, and coefficients of shape (f,).

    Examples:
        >>> x = np.linspace(-2, 2, 9)[:, None]
        >>> intercept, (slope,) = fit_logistic(x, x[:, 0] > -0.6, np.ones(9))
        >>> intercept > 0, bool(slope > 1)
        (True, True)
    """
    n, f = columns.shape
    better = float(good.sum())
    target = np.where(good, (better + 1.0) / (better + 2.0), 1.0 / (n - better + 2.0))
    scaled = weight * (weight.sum() / (weight**2).sum())
    design = np.column_stack([np.ones(n), columns])
    penalty = np.full(f + 1, ridge)
    penalty[0] = 0.0
    beta = np.zeros(f + 1)
    beta[0] = np.log((better + 1.0) / (n - better + 1.0))
    loss = _loss(design @ beta, target, scaled, penalty, beta)
    for _ in range(MAX_STEPS):
        p = expit(design @ beta)
        gradient = design.T @ (scaled * (p - target)) + penalty * beta
        curvature = (design * (scaled * np.maximum(p * (1.0 - p), 1e-12))[:, None]).T @ design
        step = np.linalg.solve(curvature + np.diag(penalty + 1e-12), gradient)
        size = 1.0
        while True:
            tried = beta - size * step
            tried_loss = _loss(design @ tried, target, scaled, penalty, tried)
            if tried_loss <= loss or size < 1e-6:
                break
            size /= 2.0
        gained, beta, loss = loss - tried_loss, tried, tried_loss
        if gained <= TOLERANCE * (1.0 + abs(loss)):
            break
    return float(beta[0]), beta[1:]


def _loss(z: FloatArray, target: FloatArray, weight: FloatArray, penalty: FloatArray, beta: FloatArray) -> float:
    return float((weight * (np.logaddexp(0.0, z) - target * z)).sum() + 0.5 * (penalty * beta * beta).sum())
