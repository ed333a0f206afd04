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
from scipy.special import betaln, xlog1py, xlogy

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


class SelfCalibrating:
    """The same evidence a day at a time, for runs in which what is counted on a day depends on the evidence so far.

    Args:
        shape: Shape of a day's counts: streams, then strata (..., H).
        days: Most days that will come.
        warmup: As in `run_self_calibrating`.
        earliest: As there.
        multipliers: As there.

    Examples:
        >>> rng = np.random.default_rng(1)
        >>> n = rng.poisson(30, (40, 5, 2)); k = rng.binomial(n, 0.1)
        >>> detector = SelfCalibrating((5, 2), 40, warmup=3, earliest=8)
        >>> daily = np.array([detector.update(*day) for day in zip(k, n, strict=True)])
        >>> bool(np.allclose(daily, run_self_calibrating(k, n, 3, 8)))
        True
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        days: int,
        warmup: int,
        earliest: int = 0,
        multipliers: npt.ArrayLike = BET_MULTIPLIERS,
    ) -> None:
        self._warmup, self._earliest = warmup, earliest
        self._multipliers = np.asarray(multipliers, dtype=np.float64)
        self._day = 0
        self._begins = np.full(shape[:-1], days)
        a, b = PRIOR
        self._a, self._b = np.full(shape, a), np.full(shape, b)
        self._failures, self._n = (np.zeros((days + 1, *shape)) for _ in range(2))
        self._before = np.zeros((days, *shape[:-1]))
        self._failed, self._kept = (np.zeros((days, *shape, len(self._multipliers))) for _ in range(2))

    def update(self, failures: npt.ArrayLike, n: npt.ArrayLike) -> FloatArray:
        """Take in a day, and tell the evidence at its end.

        Args:
            failures: Sum of failures by stream and stratum. Shape (..., H).
            n: Labels, alike.

        Returns:
            M at the end of the day. Shape (...).
        """
        t = self._day
        k, many = np.asarray(failures, dtype=np.float64), np.asarray(n, dtype=np.float64)
        self._begins = np.where(many.sum(axis=-1) > 0.0, np.minimum(self._begins, t), self._begins)
        so_far, labels = self._failures[t], self._n[t]
        a, b = self._a + so_far, self._b + labels - so_far
        self._before[t] = np.sum(betaln(a, b) - betaln(self._a, self._b), axis=-1)
        q = bet_rates(a / (a + b), self._multipliers)
        self._failed[t], self._kept[t] = np.log(q), np.log1p(-q)
        is_training = (t < self._begins + self._warmup)[..., None]
        self._a = self._a + np.where(is_training, k, 0.0)
        self._b = self._b + np.where(is_training, many - k, 0.0)
        self._failures[t + 1] = so_far + np.where(is_training, 0.0, k)
        self._n[t + 1] = labels + np.where(is_training, 0.0, many)
        self._day = t + 1
        return self._evidence(t + 1)

    def _evidence(self, t: int) -> FloatArray:
        k, many = self._failures[t], self._n[t]
        best = k / np.where(many > 0.0, many, 1.0)
        log_best = np.sum(xlogy(k, best) + xlog1py(many - k, -best), axis=-1)
        day = np.arange(t)
        starts = day[((day >= t - RECENT_DAYS) | (day % 7 == 0)) & (day >= self._earliest)]
        since = (k - self._failures[starts])[..., None]
        kept = (many - self._n[starts])[..., None] - since
        after = np.sum(since * self._failed[starts] + kept * self._kept[starts], axis=-2)
        terms = np.exp(np.minimum(after + (self._before[starts] - log_best)[..., None], _LOG_CAP)).mean(axis=-1)
        allowed = starts.reshape((-1,) + (1,) * (terms.ndim - 1)) >= self._begins + self._warmup
        return np.sum(np.where(allowed, terms, 0.0), axis=0)
