"""Change against a baseline that nobody knows, exact while the rate is constant.

Plugging in the estimated baseline is not allowed: with 1,400 baseline labels it gives 23 % false alarms instead of 5 %.
Here the baseline is a nuisance that is maximised away (universal inference). For each day s on which a change may have begun,

    term_s(t) = Q(days before s) * Q_c(days s .. t) / sup_p L(p; days up to t)

is at most a martingale of mean 1 under any constant p, because the denominator is at least L(p) at the true p. The sum over
starts is an e-detector: `E[M_t] <= t`, `P(alarm at A within T days) <= T / A`, as in `detectors.e_detector`.

Any predictable Q will do; these lose least of those tried (docs/concepts/statistics.md has the figures):

* the first `warmup` days only train Q and are left out of numerator and denominator: coding them would cost 2 to 3 nats,
  a quarter of the way to the alarm line;
* before s: the Beta-binomial posterior predictive, in closed form from sums;
* from s on: c times the rate estimated from before s, averaged over the multiples c of `stats.betting`. One c for all strata of a
  stream, so that several strata with baselines of their own share the cost of not knowing the size of the change.

References:
    Wasserman, Ramdas, Balakrishnan (2020), Universal inference, PNAS 117(29), arXiv 1912.11436 (section 8, running MLE).
    Shin, Ramdas, Rinaldo (2022), arXiv 2203.03532 (sums over starts).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, expit, logit, xlog1py, xlogy

from undertow.stats.betting import BET_MULTIPLIERS, bet_rates

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PRIOR = (1.0, 8.0)
"""Beta parameters of the failure rate before any label: mean .11, wide. Moves the delay, never the guarantee."""

RECENT_DAYS = 56
"""Every day of the last eight weeks is tried as a start, older ones once a week: leaving terms out only lowers M."""

_LOG_CAP = 290.0


def default_warmup(baseline_days: int) -> int:
    """Days that train only: about an eighth of the baseline, at least one.

    Measured best or within a day of it for baselines of 14 to 60 days at rates of 2 to 20 %.

    Examples:
        >>> default_warmup(14), default_warmup(28), default_warmup(60)
        (2, 4, 8)
    """
    return max(1, -(-baseline_days // 8))


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Cumulative sums after the warm-up, with a leading row for "before day 0". Shapes (T + 1, ..., H)."""

    failures: FloatArray
    n: FloatArray
    log_before: FloatArray
    """Log predictive probability of all days before s, summed over strata. Shape (T + 1, ...)."""
    log_failed: FloatArray
    """log(q_c) of the rate bet on from s. Shape (T + 1, ..., H, J)."""
    log_kept: FloatArray
    log_best: FloatArray
    """Log likelihood at the best constant rates up to t, summed over strata. Shape (T + 1, ...)."""
    first: IntArray
    """Earliest start allowed. Shape (...)."""


def _prepare(
    failures: FloatArray, n: FloatArray, warmup: IntArray, earliest: IntArray, multipliers: npt.ArrayLike
) -> _Prepared:
    days = len(failures)
    day = np.arange(days).reshape((days,) + (1,) * (failures.ndim - 1))
    seen = np.cumsum(n.sum(axis=-1), axis=0) > 0.0
    begins = np.where(seen.any(axis=0), seen.argmax(axis=0), days)
    training = day < (begins + warmup)[..., None]
    a, b = PRIOR
    a0 = a + np.sum(np.where(training, failures, 0.0), axis=0)
    b0 = b + np.sum(np.where(training, n - failures, 0.0), axis=0)

    def _cumulative(values: FloatArray) -> FloatArray:
        sums = np.zeros((days + 1, *values.shape[1:]))
        np.cumsum(np.where(training, 0.0, values), axis=0, out=sums[1:])
        return sums

    k, many = _cumulative(failures), _cumulative(n)
    log_before = np.sum(betaln(a0 + k, b0 + many - k) - betaln(a0, b0), axis=-1)
    q = bet_rates((a0 + k) / (a0 + b0 + many), multipliers)
    best = k / np.where(many > 0.0, many, 1.0)
    log_best = np.sum(xlogy(k, best) + xlog1py(many - k, -best), axis=-1)
    return _Prepared(k, many, log_before, np.log(q), np.log1p(-q), log_best, np.maximum(begins + warmup, earliest))


def _log_terms(data: _Prepared, t: int, starts: IntArray) -> FloatArray:
    """Log of the terms at the end of day t - 1, per start and bet. Shape (len(starts), ..., J)."""
    k = (data.failures[t] - data.failures[starts])[..., None]
    kept = (data.n[t] - data.n[starts])[..., None] - k
    after = np.sum(k * data.log_failed[starts] + kept * data.log_kept[starts], axis=-2)
    return after + (data.log_before[starts] - data.log_best[t])[..., None]


def _shaped(failures: npt.ArrayLike, n: npt.ArrayLike, warmup: npt.ArrayLike, earliest: npt.ArrayLike):  # noqa: ANN202
    k, many = np.broadcast_arrays(np.asarray(failures, dtype=np.float64), np.asarray(n, dtype=np.float64))
    streams = k.shape[1:-1]
    return (
        k,
        many,
        np.broadcast_to(np.asarray(warmup, dtype=np.int64), streams),
        np.broadcast_to(np.asarray(earliest, dtype=np.int64), streams),
    )


def run_self_calibrating(
    failures: npt.ArrayLike,
    n: npt.ArrayLike,
    warmup: npt.ArrayLike,
    earliest: npt.ArrayLike = 0,
    multipliers: npt.ArrayLike = BET_MULTIPLIERS,
) -> FloatArray:
    """Evidence M_t that the failure rate rose on some day, against a constant but unknown rate per stratum.

    Args:
        failures: Sum of failures per day, stream and stratum; days first, strata last. Each failure in [0, 1].
            Strata whose labels come in constant proportions (fixed quotas) are better pooled: each baseline costs a nat or two. Shape (T, ..., H); H = 1 without strata.
        n: Labels, alike. Days without labels are 0. Shape (T, ..., H).
        warmup: Days from the stream's first label that only train Q (`default_warmup`). Shape () or (...).
        earliest: First day (row) on which a change may begin; before it, days are baseline. Shape () or (...).
        multipliers: Multiples of the baseline that are bet on. Shape (J,).

    Returns:
        M_t at the end of each day, 0 while no start is allowed. Row t uses rows up to t only. Shape (T, ...).

    Notes:
        Assumes that each label's mean given the past is constant per stratum under the null; how many labels a day brings may
        vary and may depend on the past. Exact for labels anywhere in [0, 1]: the numerator is a mixture of products
        `(q / p)^y ((1 - q) / (1 - p))^(1 - y)`, each convex in y, so the chord argument of `stats.betting` applies at the true p.
        For the same reason effective counts sum(w y) / W and sum(w) / W may be passed for inclusion-weighted labels.

    Examples:
        >>> failures = np.full((60, 1), 10.0); failures[40:] = 25.0
        >>> m = run_self_calibrating(failures, 140.0, warmup=4)
        >>> bool(m[39] < 60.0), int(np.argmax(m >= 7200.0)) - 39
        (True, 2)
    """
    k, many, warm, first = _shaped(failures, n, warmup, earliest)
    days = len(k)
    out = np.zeros(k.shape[:-1])
    if days == 0:
        return out
    data = _prepare(k, many, warm, first, multipliers)
    for t in range(1, days + 1):
        day = np.arange(t)
        starts = day[(day >= t - RECENT_DAYS) | (day % 7 == 0)]
        terms = np.mean(np.exp(np.minimum(_log_terms(data, t, starts), _LOG_CAP)), axis=-1)
        allowed = starts.reshape((-1,) + (1,) * (terms.ndim - 1)) >= data.first
        out[t - 1] = np.sum(np.where(allowed, terms, 0.0), axis=0)
    return out


def start_weights(
    failures: npt.ArrayLike,
    n: npt.ArrayLike,
    warmup: npt.ArrayLike,
    earliest: npt.ArrayLike = 0,
    multipliers: npt.ArrayLike = BET_MULTIPLIERS,
) -> FloatArray:
    """How the evidence at the last day divides over the days on which the change may have begun.

    Args:
        failures: As for `run_self_calibrating`, cut at the day of decision. Shape (T, ..., H).
        n: Labels, alike. Shape (T, ..., H).
        warmup: As there.
        earliest: As there.
        multipliers: As there.

    Returns:
        Share of each start day in M_T; sums to 1 over days (0 where no start is allowed). Shape (T, ...).

    Examples:
        >>> failures = np.full((46, 1), 10.0); failures[40:] = 25.0
        >>> int(start_weights(failures, 140.0, warmup=4).argmax())
        40
    """
    k, many, warm, first = _shaped(failures, n, warmup, earliest)
    days = len(k)
    data = _prepare(k, many, warm, first, multipliers)
    starts = np.arange(days)
    log_terms = np.logaddexp.reduce(_log_terms(data, days, starts), axis=-1)
    allowed = starts.reshape((-1,) + (1,) * (log_terms.ndim - 1)) >= data.first
    log_terms = np.where(allowed, log_terms, -np.inf)
    top = np.max(log_terms, axis=0)
    weights = np.where(allowed, np.exp(log_terms - np.where(np.isfinite(top), top, 0.0)), 0.0)
    total = np.sum(weights, axis=0)
    return weights / np.where(total > 0.0, total, 1.0)


_GRID = expit(np.linspace(logit(0.001), logit(0.8), 128))
"""Baselines tried where there is no closed form; evenly spaced in log odds, 6 % apart."""


def run_overdispersed(
    failures: npt.ArrayLike,
    n: npt.ArrayLike,
    rho: npt.ArrayLike,
    warmup: npt.ArrayLike,
    earliest: npt.ArrayLike = 0,
    multipliers: npt.ArrayLike = BET_MULTIPLIERS,
) -> FloatArray:
    """The same detector where the labels of a day share an effect: Beta-binomial days with intra-day correlation `rho`.

    There is no closed form, so the baseline runs over a grid: on each grid point an ordinary e-detector with that null, weighted by
    the warm-up's posterior and by how likely the point is next to the best one,
    `M_t = sum_g w_g L_t(p_g) / sup_p L_t(p) * mean_c R_(g, c)(t)`.

    Args:
        failures: Sum of failures per day and stream, strata pooled. Shape (T, ...).
        n: Labels, alike. Shape (T, ...).
        rho: Intra-day correlation allowed for, in (0, 1): an upper bound (`stats.day_effects`). Shape () or (...).
        warmup: Days from the stream's first label that only train. Shape () or (...).
        earliest: First day on which a change may begin. Shape () or (...).
        multipliers: Multiples of the baseline that are bet on. Shape (J,).

    Returns:
        M_t at the end of each day. Shape (T, ...).

    Notes:
        Exact for a constant mean with correlation exactly rho. For smaller correlations the mean of M is smaller for the
        part after s (`stats.day_effects.log_overdispersed_bets`); for the rest that is shown by Monte Carlo
        (tests/statistical/test_self_calibrating.py), not proven.

    Examples:
        >>> failures = np.full(60, 10.0); failures[40:] = 25.0
        >>> m = run_overdispersed(failures, 140.0, 0.005, warmup=4)
        >>> bool(m[39] < 60.0), int(np.argmax(m >= 7200.0)) - 39
        (True, 3)
    """
    k, many = np.broadcast_arrays(np.asarray(failures, dtype=np.float64), np.asarray(n, dtype=np.float64))
    days, streams = len(k), k.shape[1:]
    out = np.zeros(k.shape)
    seen = np.cumsum(many, axis=0) > 0.0
    begins = np.where(seen.any(axis=0), seen.argmax(axis=0), days)
    trained = begins + np.asarray(warmup, dtype=np.int64)
    first = np.maximum(trained, np.asarray(earliest, dtype=np.int64))
    s = np.broadcast_to(1.0 / np.asarray(rho, dtype=np.float64) - 1.0, streams)[..., None]
    a, b = PRIOR
    log_prior = np.broadcast_to(a * np.log(_GRID) + b * np.log1p(-_GRID), (*streams, len(_GRID)))
    log_null = np.zeros_like(log_prior)
    r = np.zeros((*streams, len(_GRID), np.size(multipliers)))
    # Bets too near to the null are no e-values for smaller correlations (see log_overdispersed_bets): they are moved out.
    null = np.broadcast_to(_GRID, log_prior.shape)
    bets = np.minimum(
        np.maximum(bet_rates(null, multipliers), (null + 1.0 / s)[..., None]), 0.5 * (1.0 + null[..., None])
    )

    def _log_day(p: FloatArray, scale: FloatArray, y: FloatArray, rest: FloatArray) -> FloatArray:
        return betaln(p * scale + y, (1.0 - p) * scale + rest) - betaln(p * scale, (1.0 - p) * scale)

    for t in range(days):
        y, rest = k[t][..., None], (many[t] - k[t])[..., None]
        log_day = _log_day(null, s, y, rest)
        training = (t < trained)[..., None]
        log_prior = log_prior + np.where(training, log_day, 0.0)
        log_null = log_null + np.where(training, 0.0, log_day)
        gain = _log_day(bets, s[..., None], y[..., None], rest[..., None]) - log_day[..., None]
        started = (t >= first)[..., None, None]
        r = np.where(started, np.minimum((r + 1.0) * np.exp(np.minimum(gain, _LOG_CAP)), 1e130), 0.0)
        weight = np.exp(log_prior - np.logaddexp.reduce(log_prior, axis=-1, keepdims=True))
        likely = np.exp(np.minimum(log_null - _interpolated_maximum(log_null)[..., None], 0.0))
        out[t] = np.sum(weight * likely * np.mean(r, axis=-1), axis=-1)
    return out


def _interpolated_maximum(log_likelihood: FloatArray) -> FloatArray:
    """Maximum over the grid with a parabola through the best point and its neighbours. Shape (..., G) -> (...)."""
    best = np.clip(np.argmax(log_likelihood, axis=-1), 1, log_likelihood.shape[-1] - 2)[..., None]
    left, middle, right = (np.take_along_axis(log_likelihood, best + step, axis=-1)[..., 0] for step in (-1, 0, 1))
    bend = 2.0 * middle - left - right
    peak = middle + np.where(bend > 1e-12, (right - left) ** 2 / (8.0 * np.where(bend > 1e-12, bend, 1.0)), 0.0)
    return np.maximum(peak, np.max(log_likelihood, axis=-1))
