"""Change detector on prediction-powered bets: human labels narrowed by a judge, and no faith in the judge.

Each day brings labels and, on many more answers, a judge's verdicts. `stats.ppi` makes of both one bet on the human mean; the bets go into
the ordinary e-detector. Streams: a tier from its strata (weighted by their shares of the traffic), or one stratum by itself.

**Valid under a drifting judge**: tau times the judge's verdicts enters with the same sign for all items and with the opposite one for
the labelled, so its mean cancels on every day by itself, whatever it is that day. That needs labelled and unlabelled answers of a day
to be drawn from the same traffic and scored by the same judge: labels are counted on the day of their *decision*, once that day's
labels are in. **Valid under adaptive sampling**: tau, the stakes' variance and how many are labelled depend on earlier days alone.
A judge that is bad makes the detector slow, never wrong.

References:
    Csillag, Struchiner, Goedert (2025), Prediction-Powered E-Values, arXiv 2502.04294. Shin, Ramdas, Rinaldo (2022), arXiv 2203.03532.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from undertow.detectors.e_detector import EDetector
from undertow.stats.betting import BET_MULTIPLIERS
from undertow.stats.ppi import MIN_LABELS_FOR_TAU, anchored_values, fit_tau, log_anchored_bets

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AnchoredDay:
    """What one day saw of a stream's strata; whole counts of yes and no.

    Attributes:
        labelled: Answers with a label, by label y and judge f. Shape (..., H, 2, 2).
        unlabelled: Answers with a verdict alone, by judge f. Shape (..., H, 2).
    """

    labelled: FloatArray
    unlabelled: FloatArray


@dataclass(frozen=True, slots=True)
class AnchoredDetector:
    """State of one detector per stream: its evidence, and what it has learned of its judge.

    Attributes:
        detector: The e-detector.
        labelled: Sums of all days so far. Shape (..., H, 2, 2).
        unlabelled: Alike. Shape (..., H, 2).
    """

    detector: EDetector
    labelled: FloatArray
    unlabelled: FloatArray

    @classmethod
    def start(cls, streams: tuple[int, ...], strata: int, bets: int = len(BET_MULTIPLIERS)) -> Self:
        """A detector that has seen nothing."""
        return cls(EDetector.start(streams, bets), np.zeros((*streams, strata, 2, 2)), np.zeros((*streams, strata, 2)))

    @property
    def tau(self) -> FloatArray:
        """Weight of the judge in the next bet, fitted to the days so far; 0 until there are labels enough. Shape (..., H)."""
        n = self.labelled.sum(axis=(-1, -2))
        flagged, failed = self.labelled[..., 1].sum(axis=-1), self.labelled[..., 1, :].sum(axis=-1)
        tau = fit_tau(n, flagged, failed, self.labelled[..., 1, 1], flagged)
        return np.where(n >= MIN_LABELS_FOR_TAU, tau, 0.0)

    @property
    def evidence(self) -> FloatArray:
        """M per stream. Shape (...)."""
        return self.detector.evidence

    def update(
        self,
        day: AnchoredDay,
        share: npt.ArrayLike,
        null_rate: npt.ArrayLike,
        multipliers: npt.ArrayLike = BET_MULTIPLIERS,
    ) -> Self:
        """The detector after one more day.

        Args:
            day: Counts of the day. A stratum without labels makes the day say nothing (the mean of the tier is then not seen).
            share: Share of the stream's traffic in each stratum, sum 1. Shape (..., H).
            null_rate: Largest mean failure of the stream under the null. Shape (...).
            multipliers: Multiples of it that are bet on.

        Returns:
            The next state.
        """
        n = day.labelled.sum(axis=(-1, -2))
        judged = n + day.unlabelled.sum(axis=-1)
        weight = np.asarray(share, dtype=np.float64) * judged.sum(axis=-1, keepdims=True) / np.maximum(judged, 1.0)
        values = anchored_values(self.tau, n / np.maximum(judged, 1.0) + (n == 0)) * weight[..., None]
        counts = np.concatenate([day.labelled.reshape(*n.shape, 4), day.unlabelled], axis=-1)
        flat = (*n.shape[:-1], 6 * n.shape[-1])
        variance = self._variance(values, n, judged, np.asarray(null_rate, dtype=np.float64))
        log_bets = log_anchored_bets(counts.reshape(flat), values.reshape(flat), null_rate, variance, multipliers)
        seen = np.all((n > 0) | (np.asarray(share) <= 0.0), axis=-1)
        return type(self)(
            self.detector.update(np.where(seen[..., None], log_bets, 0.0)),
            self.labelled + day.labelled,
            self.unlabelled + day.unlabelled,
        )

    def _variance(self, values: FloatArray, n: FloatArray, judged: FloatArray, null_rate: FloatArray) -> FloatArray:
        """About the variance of the weighted X per item, from how often each value came on earlier days."""
        labels = self.labelled.sum(axis=(-1, -2))[..., None]
        scores = self.unlabelled.sum(axis=-1)[..., None]
        m = null_rate[..., None]
        # Ten labels' worth of a judge that knows nothing: before the first day there is only the null rate to go by.
        guess = np.stack([0.5 * (1.0 - m), 0.5 * (1.0 - m), 0.5 * m, 0.5 * m], axis=-1)
        by_label = (self.labelled.reshape(*n.shape, 4) + 10.0 * guess) / (labels + 10.0)
        by_score = (self.unlabelled + 5.0) / (scores + 10.0)
        second = n * np.sum(by_label * values[..., :4] ** 2, axis=-1)
        second = second + (judged - n) * np.sum(by_score * values[..., 4:] ** 2, axis=-1)
        return np.maximum(second.sum(axis=-1) / np.maximum(judged.sum(axis=-1), 1.0) - null_rate**2, 1e-6)


def run_anchored(
    labelled: npt.ArrayLike,
    unlabelled: npt.ArrayLike,
    share: npt.ArrayLike,
    null_rate: npt.ArrayLike,
    multipliers: npt.ArrayLike = BET_MULTIPLIERS,
) -> FloatArray:
    """Evidence after each day, for many streams at once.

    Args:
        labelled: Counts by label y and judge f, days first. Shape (T, ..., H, 2, 2).
        unlabelled: Counts by judge f. Shape (T, ..., H, 2).
        share: Shares of the traffic, fixed or by day. Shape (H,) or (T, ..., H).
        null_rate: Null rates. Shape (...).
        multipliers: Multiples of the null rate.

    Returns:
        M_t. Shape (T, ...).

    Examples:
        A judge that sees most failures and 400 verdicts beside 40 labels; the rate doubles on day 20:

        >>> labels = np.tile([[[31.0, 4.0], [1.0, 4.0]]], (40, 1, 1, 1)); labels[20:] = [[[27.0, 3.0], [2.0, 8.0]]]
        >>> verdicts = np.tile([[320.0, 80.0]], (40, 1, 1)); verdicts[20:] = [[290.0, 110.0]]
        >>> m = run_anchored(labels, verdicts, [1.0], 0.125)
        >>> bool(m[19] < 20.0), bool(m[39] > 1000.0)
        (True, True)
    """
    labels, verdicts = np.asarray(labelled, dtype=np.float64), np.asarray(unlabelled, dtype=np.float64)
    shares = np.broadcast_to(np.asarray(share, dtype=np.float64), labels.shape[:-2])
    m = np.broadcast_to(np.asarray(null_rate, dtype=np.float64), labels.shape[1:-3])
    state = AnchoredDetector.start(labels.shape[1:-3], labels.shape[-3], int(np.size(multipliers)))
    out = np.zeros(labels.shape[:-3])
    for t in range(len(labels)):
        state = state.update(AnchoredDay(labels[t], verdicts[t]), shares[t], m, multipliers)
        out[t] = state.evidence
    return out
