"""The change detector: a sum of e-processes, one started each day.

`R_j <- (R_j + 1) L_j` for each bet j, restarted once a block (day), never once a label; `M = mean_j R_j`. While the null
holds, each day's `L_j` has mean at most 1 given the past, so `E[M_t] <= t`. Therefore the mean time to an alarm at A is at
least A days, and the probability of an alarm in the first T days is at most T / A: `M_t` is at most a sum of T e-processes,
which Ville's inequality bounds. Weighted averages over streams keep both bounds under any dependence between the streams.

References:
    Shin, Ramdas, Rinaldo (2022), E-detectors: a nonparametric framework for sequential change detection, arXiv 2203.03532
    (definition 2.2, theorem 2.4). Lorden (1971), Annals of Mathematical Statistics 42.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_LOG_CAP = 300.0
_CAP = 1e130
"""Evidence is capped here, far above any line. A cap only lowers an e-value, so every bound stands."""


@dataclass(frozen=True, slots=True)
class EDetector:
    """State of one e-detector per stream.

    Attributes:
        r: `R_j` per stream and bet, at least 0. Shape (..., J).

    Examples:
        >>> detector = EDetector.start((), 2)
        >>> for log_bets in ([0.0, 0.0], [0.7, 1.1]):
        ...     detector = detector.update(log_bets)
        >>> round(float(detector.evidence), 3)
        5.018
    """

    r: FloatArray

    @classmethod
    def start(cls, streams: tuple[int, ...], bets: int) -> Self:
        """A detector that has seen nothing. `streams`: leading shape; `bets`: J."""
        return cls(np.zeros((*streams, bets)))

    def update(self, log_bets: npt.ArrayLike, *, restart: bool = True) -> Self:
        """The detector after one more block.

        Args:
            log_bets: Log e-values of the block. A block without labels has 0: it still restarts, as a day passed.
                Shape (..., J).
            restart: Whether a day begins with the block. False: more labels of the same day. Both bounds count the e-processes that
                were started, one a day, and each of these may be looked at after every label; so a day may come in as many
                blocks as one likes.

        Returns:
            The next state.

        Examples:
            >>> day = EDetector.start((), 1).update([0.2])
            >>> bool(np.isclose(day.update([0.3], restart=False).evidence, EDetector.start((), 1).update([0.5]).evidence))
            True
        """
        return type(self)(_step(self.r, np.asarray(log_bets, dtype=np.float64), float(restart)))

    @property
    def evidence(self) -> FloatArray:
        """M, the mean over bets: at least 0, and at most t on average while nothing changed. Shape (...)."""
        return np.mean(self.r, axis=-1)

    def to_state(self) -> dict[str, list[float] | list[int]]:
        """A plain value that JSON can hold."""
        return {"shape": list(self.r.shape), "r": self.r.ravel().tolist()}

    @classmethod
    def from_state(cls, state: dict[str, list[float] | list[int]]) -> Self:
        """The detector that `to_state` described."""
        return cls(np.asarray(state["r"], dtype=np.float64).reshape([int(size) for size in state["shape"]]))


def _step(r: FloatArray, log_bets: FloatArray, started: float = 1.0) -> FloatArray:
    return np.minimum((r + started) * np.exp(np.minimum(log_bets, _LOG_CAP)), _CAP)


def run_e_detector(log_bets: npt.ArrayLike) -> FloatArray:
    """Evidence M after each block, for many streams at once.

    Args:
        log_bets: Log e-values, blocks first. Shape (T, ..., J).

    Returns:
        M_t. Shape (T, ...).

    Examples:
        Bets that are not taken (log e-value 0) count the days:

        >>> run_e_detector(np.zeros((3, 9))).tolist()
        [1.0, 2.0, 3.0]
    """
    bets = np.asarray(log_bets, dtype=np.float64)
    r = np.zeros(bets.shape[1:])
    out = np.empty(bets.shape[:-1])
    for t in range(len(bets)):
        r = _step(r, bets[t])
        out[t] = np.mean(r, axis=-1)
    return out


def first_crossing(evidence: npt.ArrayLike, line: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """First block at which the evidence reaches the line, or -1.

    Args:
        evidence: M_t, blocks first. Shape (T, ...).
        line: Alarm line. Shape () or (...).

    Returns:
        Position in 0..T-1, or -1 where it never does. Shape (...).

    Examples:
        >>> first_crossing([[1.0, 1.0], [9.0, 2.0]], 5.0).tolist()
        [1, -1]
    """
    hit = np.asarray(evidence) >= line
    return np.where(hit.any(axis=0), hit.argmax(axis=0), -1).astype(np.int64)
