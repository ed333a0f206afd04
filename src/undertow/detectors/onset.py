"""When the change began: a posterior over its first day, from daily counts by day of the decision.

A detector says that something changed, later than it did; asked when, it would say too late for a slow change. Here the day, the
shape (a step, or a ramp of 7, 14 or 28 days) and the size (multiples of the baseline) each have a flat prior, and shape
and size are averaged away. The interval is meant for the first day of a ramp as well, when hardly anything has happened yet.

This is a description of one alarm, made after it: no anytime-valid claim. Its coverage under the models of
`undertow.simulation.story` is measured in benchmarks/bench_detection.py.

References:
    Smith (1975), A Bayesian approach to inference about a change-point in a sequence of random variables, Biometrika 62.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RAMP_DAYS: tuple[int, ...] = (1, 7, 14, 28)
"""Days until the change is complete; 1 is a step."""

SIZES: tuple[float, ...] = (1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
"""Final failure rate as a multiple of the baseline."""

WINDOW_DAYS = 180
"""Changes older than this are not looked for."""

_HIGHEST_RATE = 0.97


@dataclass(frozen=True, slots=True)
class Onset:
    """First day of a change, as row numbers of the counts given. Shapes (...).

    Attributes:
        day: Most probable first day.
        low, high: Ends of the credible interval, inclusive.
    """

    day: IntArray
    low: IntArray
    high: IntArray


def onset_posterior(
    failures: npt.ArrayLike, n: npt.ArrayLike, baseline_rate: npt.ArrayLike, baseline_n: npt.ArrayLike = np.inf
) -> FloatArray:
    """Posterior probability that the change began on each day, given that one has happened.

    Args:
        failures: Sum of failures by day of the decision, up to the day of the alarm. Shape (T, ...).
        n: Labels, alike. Shape (T, ...).
        baseline_rate: Failure rate before the change, in (0, 1). Shape (...).
        baseline_n: Labels that the baseline rate was estimated from: its error is averaged over (five points of a normal
            in log odds). Infinite: known. Shape (...).

    Returns:
        Probabilities, sum to 1 over days. Shape (T, ...).

    Examples:
        >>> failures = np.full(40, 10.0); failures[30:] = 25.0
        >>> int(onset_posterior(failures, 140.0, 0.07).argmax())
        30
    """
    k, many = np.broadcast_arrays(np.asarray(failures, dtype=np.float64), np.asarray(n, dtype=np.float64))
    days, streams = len(k), k.shape[1:]
    skipped = max(0, days - WINDOW_DAYS)
    k, many = k[skipped:].reshape(days - skipped, -1), many[skipped:].reshape(days - skipped, -1)
    rate = np.clip(np.broadcast_to(np.asarray(baseline_rate, dtype=np.float64), streams).ravel(), 1e-6, 0.9)
    weight = np.broadcast_to(np.asarray(baseline_n, dtype=np.float64), streams).ravel()
    total = np.full(k.shape, -np.inf)
    for shift in (-2.0, -1.0, 0.0, 1.0, 2.0):
        error = shift / np.sqrt(np.maximum(weight, 1.0) * rate * (1.0 - rate))
        m = rate * np.exp(error) / (1.0 - rate + rate * np.exp(error))
        # Days before the change speak about the baseline too.
        constant = np.sum(k * np.log(m) + (many - k) * np.log1p(-m), axis=0) - 0.5 * shift**2
        total = np.logaddexp(total, _log_ratio(k, many, m) + constant)
    top = np.max(total, axis=0)
    posterior = np.exp(total - top)
    posterior /= np.sum(posterior, axis=0)
    return np.concatenate([np.zeros((skipped, posterior.shape[1])), posterior]).reshape(days, *streams)


def _log_ratio(k: FloatArray, n: FloatArray, m: FloatArray) -> FloatArray:
    """Log of the likelihood ratio "changed on day i" against "did not", averaged over shapes and sizes. Shape (T, S)."""
    days, streams = k.shape
    lag = np.arange(days, dtype=np.float64)[:, None]
    out = np.full((days, streams), -np.inf)
    size_of_fft = 1 << (2 * days - 1).bit_length()
    k_hat, kept_hat = (np.fft.rfft(x, size_of_fft, axis=0) for x in (k, n - k))
    for ramp in RAMP_DAYS:
        reached = np.minimum(1.0, (lag + 1.0) / ramp)
        for size in SIZES:
            q = np.minimum(m * (1.0 + (size - 1.0) * reached), _HIGHEST_RATE)
            q = np.maximum(q, m)
            gain, cost = np.log(q / m), np.log((1.0 - q) / (1.0 - m))
            # Sum over later days of count times what its lag is worth: a correlation, done for all starting days at once.
            hat = k_hat * np.conj(np.fft.rfft(gain, size_of_fft, axis=0))
            hat += kept_hat * np.conj(np.fft.rfft(cost, size_of_fft, axis=0))
            out = np.logaddexp(out, np.fft.irfft(hat, size_of_fft, axis=0)[:days])
    return out - np.log(len(RAMP_DAYS) * len(SIZES))


def estimate_onset(
    failures: npt.ArrayLike,
    n: npt.ArrayLike,
    baseline_rate: npt.ArrayLike,
    baseline_n: npt.ArrayLike = np.inf,
    level: float = 0.95,
) -> Onset:
    """The first day of the change and an interval for it.

    Args:
        failures: Sum of failures by day of the decision, up to the day of the alarm. Shape (T, ...).
        n: Labels, alike. Shape (T, ...).
        baseline_rate: Failure rate before the change, in (0, 1). Shape (...).
        baseline_n: Labels that it was estimated from. Shape (...).
        level: Posterior probability of the interval; its tails are equal.

    Returns:
        Day and interval, as rows of `failures`.

    Examples:
        >>> failures = np.full(40, 10.0); failures[30:] = 25.0
        >>> onset = estimate_onset(failures, 140.0, 0.07)
        >>> int(onset.day), bool(onset.low <= 30 <= onset.high)
        (30, True)
    """
    return _read(onset_posterior(failures, n, baseline_rate, baseline_n), level)


def estimate_common_onset(
    failures: npt.ArrayLike,
    n: npt.ArrayLike,
    baseline_rate: npt.ArrayLike,
    baseline_n: npt.ArrayLike = np.inf,
    level: float = 0.95,
) -> Onset:
    """The first day of a change that several strata share, each with a baseline, shape and size of its own.

    Args:
        failures: As in `estimate_onset`, strata last. Shape (T, H).
        n: Labels, alike.
        baseline_rate: Failure rate of each before the change. Shape (H,).
        baseline_n: Labels that it was estimated from. Shape (H,).
        level: Posterior probability of the interval.

    Returns:
        Day and interval, as rows of `failures`. Shapes ().

    Examples:
        From day 30 on a stratum that fails more often has most of the labels, and from day 33 on it fails more often than it did:

        >>> n = np.where(np.arange(40)[:, None] < 30, [10.0, 50.0], [100.0, 20.0])
        >>> rate = np.where(np.arange(40)[:, None] < 33, [0.2, 0.06], [0.4, 0.06])
        >>> int(estimate_common_onset(n * rate, n, [0.2, 0.06]).day)
        33
    """
    by_stratum = np.log(np.maximum(onset_posterior(failures, n, baseline_rate, baseline_n), 1e-300)).sum(axis=-1)
    posterior = np.exp(by_stratum - by_stratum.max(axis=0))
    return _read(posterior / posterior.sum(axis=0), level)


def _read(posterior: FloatArray, level: float) -> Onset:
    below = np.cumsum(posterior, axis=0)
    tail = 0.5 * (1.0 - level)
    return Onset(
        np.argmax(posterior, axis=0).astype(np.int64),
        np.argmax(below > tail, axis=0).astype(np.int64),
        np.argmax(below >= 1.0 - tail, axis=0).astype(np.int64),
    )
