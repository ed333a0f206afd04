"""A logistic spline with a penalty on bending: Platt's line on the log-odds where that is enough, a curve where labels say otherwise.

Piecewise linear in the log-odds between knots at quantiles; the penalty is on differences of slopes; how heavy it is, is chosen by Akaike's
criterion with the effective number of parameters. What falls is pooled afterwards, so that the map rises.

References:
    Eilers and Marx (1996), Flexible smoothing with B-splines and penalties, Statistical Science 11(2), sections 3 and 5.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, xlogy

from undertow.calibration.pooling import made_rising
from undertow.records.calibration import ConfidenceMap

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

KNOTS = 16
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
RIDGE = 1e-4
STEPS = 50
LONGEST_STEP = 3.0
TILT = 1e-3
SHOWN = 4
"""Knots of the result between two knots of the fit: the artefact interpolates in the score, the fit in its log-odds."""


def fit_spline(score: FloatArray, log_odds: FloatArray, good: BoolArray, weight: FloatArray) -> ConfidenceMap:
    """Fit a map of scores.

    Args:
        score: Not constant. Shape (n,).
        log_odds: Of each score, rising in it. Shape (n,).
        good: Labels of both sorts. Shape (n,).
        weight: 1 / inclusion probability. Shape (n,).

    Examples:
        >>> rng = np.random.default_rng(1)
        >>> u = rng.normal(size=2000)
        >>> made = fit_spline(u, u, rng.random(2000) < expit(2 * u), np.ones(2000))
        >>> np.interp([-1.0, 0.0, 1.0], made.xs, made.ys).round(1).tolist()
        [0.1, 0.5, 0.9]
    """
    places = np.linspace(0.0, 1.0, KNOTS)
    knots = np.unique(np.quantile(log_odds, places))
    scaled = weight * (weight.sum() / (weight**2).sum())
    basis = _hats(log_odds, knots)
    bend = _bending((knots - log_odds.mean()) / max(float(log_odds.std()), 1e-9))
    fits = [_fit(basis, good, scaled, penalty * bend) for penalty in PENALTIES]
    height, _ = min(fits, key=lambda fit: fit[1])
    height = made_rising(height, np.maximum(scaled @ basis, 1e-9))
    # The same curve as a function of the score: where log-odds fall in the data tells which score has which.
    order = np.argsort(score, kind="stable")
    fine = np.unique(np.quantile(log_odds, np.linspace(0.0, 1.0, (KNOTS - 1) * SHOWN + 1), method="nearest"))
    first = np.searchsorted(log_odds[order], fine)
    xs, where = np.unique(score[order][first], return_index=True)
    ys = np.maximum.accumulate(expit(np.interp(fine[where], knots, height)))
    return ConfidenceMap(method="spline", xs=tuple(xs.tolist()), ys=tilted(ys))


def tilted(heights: FloatArray) -> tuple[float, ...]:
    """Confidences at knots, made to rise a little everywhere: a flat stretch would tie answers that their scores tell apart, and a threshold on it
    would have to leave out all of them.

    Examples:
        >>> [round(height, 5) for height in tilted(np.array([0.5, 0.5, 0.5]))]
        [0.4995, 0.5, 0.5005]
    """
    return tuple(((1.0 - TILT) * heights + TILT * np.linspace(0.0, 1.0, len(heights))).tolist())


def _hats(x: FloatArray, knots: FloatArray) -> FloatArray:
    """Hat functions: the weights of linear interpolation. Shape (n, knots)."""
    left = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    part = np.clip((x - knots[left]) / (knots[left + 1] - knots[left]), 0.0, 1.0)
    basis = np.zeros((len(x), len(knots)))
    rows = np.arange(len(x))
    basis[rows, left] = 1.0 - part
    basis[rows, left + 1] += part
    return basis


def _bending(knots: FloatArray) -> FloatArray:
    """The quadratic form of squared differences of slopes. Shape (knots, knots)."""
    gaps = np.maximum(np.diff(knots), 1e-6)
    slopes = np.diff(np.eye(len(knots)), axis=0) / gaps[:, None]
    turns = np.diff(slopes, axis=0)
    return turns.T @ turns


def _fit(basis: FloatArray, good: BoolArray, weight: FloatArray, penalty: FloatArray) -> tuple[FloatArray, float]:
    """Heights at the knots by penalised maximum likelihood, and Akaike's criterion."""
    size = basis.shape[1]
    quadratic = penalty + RIDGE * np.eye(size)
    height = np.zeros(size)
    for _ in range(STEPS):
        p = expit(basis @ height)
        curvature = basis.T @ (basis * (weight * np.maximum(p * (1.0 - p), 1e-4))[:, None])
        step = np.linalg.solve(curvature + quadratic, basis.T @ (weight * (p - good)) + quadratic @ height)
        height = height - np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        if float(np.abs(step).max()) < 1e-8:
            break
    p = np.clip(expit(basis @ height), 1e-12, 1.0 - 1e-12)
    curvature = basis.T @ (basis * (weight * p * (1.0 - p))[:, None])
    parameters = float(np.trace(np.linalg.solve(curvature + quadratic, curvature)))
    deviance = -2.0 * float((weight * (xlogy(good, p) + xlogy(~good, 1.0 - p))).sum())
    return height, deviance + 2.0 * parameters
