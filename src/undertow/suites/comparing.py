"""Compares a run of a suite with the earlier ones, so that it stays valid however often the suite is run.

A pair is one case answered by one target in two runs (a change) or by two targets in one run (a level). The null of a cell, a
target in a segment, is that its mean score over the suite's cases has not fallen (by more than the margin below the capable tier's).
The bet on the losses of the pairs has mean at most 1 under it, whatever each single case does: with independent answers the
expectation of the product is at most `(1 + stake * mean loss) ^ pairs` (the geometric mean is at most the arithmetic one).

In run k the latest L runs are paired with the L runs just before them, and with the first L: L = 1, 2, 4, ... The e-values of all
these are averaged, and count with the weight 1 / (j (j + 1)), j = k - 1: over all runs that ever come, the probability that a cell
which is no worse reaches 1 / alpha is at most alpha (Markov's inequality and a union bound), whatever the runs have to do with each other.
So a loss that is there in every run is found again in every run; one that the latest run does not bear out counts no more.

Assumes that answers to different cases are drawn independently, as separate requests to a model are. Cases that were edited, that
a target did not answer, or that something else graded, are in no pair.

References:
    Waudby-Smith and Ramdas (2024), Estimating means of bounded random variables by betting, arXiv 2010.09686.
    Vovk and Wang (2021), E-values: calibration, combination and applications (averages of e-values), arXiv 1912.06116.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from undertow.records.suite import ROUTED, CaseResult, RunResults
from undertow.stats.betting import log_pair_bets
from undertow.stats.confidence import beta_binomial_interval, bounded_mean_interval

MIN_SEGMENT_CASES = 5
"""A segment with fewer cases is no cell of its own."""

MAX_WINDOW = 32
"""Most runs that are taken together: what so many do not show is within the margin of anybody's patience."""

STILL = 0.5
"""Part of a window's loss that its latest run must bear out, for the window to speak of what is and not of what was."""

WHOLE_SHARE = 0.5
"""Share of the error budget of a target that its whole suite gets; its segments share the rest."""

Key = tuple[str, str]
"""Id and digest of a case: one that was edited is another one."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two scores of one case.

    Attributes:
        key: The case.
        weight: Of the case.
        before: The score that the other is held against.
        now: The score in question.
    """

    key: Key
    weight: float
    before: CaseResult
    now: CaseResult

    @property
    def loss(self) -> float:
        """Points lost, in [-1, 1]."""
        return _score(self.before) - _score(self.now)


class IndexedRun:
    """One run, made ready for comparing.

    Args:
        found: The run.

    Attributes:
        run: Its head.
        results: All its results.
        by_target: Target -> case -> its result, those with a score only.
        segments: Case -> its segments as `key=value`, and the whole suite as an empty text.
    """

    __slots__ = ("by_target", "results", "run", "segments")

    def __init__(self, found: RunResults) -> None:
        self.run = found.run
        self.results = found.results
        self.by_target: dict[str, dict[Key, CaseResult]] = {}
        self.segments: dict[Key, frozenset[str]] = {}
        for result in found.results:
            key = (result.case_id, result.digest)
            if key not in self.segments:
                self.segments[key] = frozenset(("", *(f"{name}={value}" for name, value in result.segment.items())))
            if result.status == "ok" and result.score is not None:
                self.by_target.setdefault(result.target, {})[key] = result

    def scored(self, target: str, segment: str) -> list[tuple[Key, CaseResult]]:
        """Results of a target in a segment that have a score."""
        mine = self.by_target.get(target, {})
        return [(key, one) for key, one in mine.items() if segment in self.segments[key]]


@dataclass(frozen=True, slots=True)
class Cell:
    """A target in a segment (`key=value`, or empty: the whole suite), and its share of the error budget."""

    target: str
    segment: str
    share: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What pairs say.

    Attributes:
        log10: Evidence, weighted by the cell's share and the run's, in powers of ten.
        pairs: The pairs that say most.
        runs: The earlier and the later run that each of them came from.
    """

    log10: float
    pairs: tuple[Pair, ...]
    runs: tuple[tuple[IndexedRun, IndexedRun], ...]


def cells_of(run: IndexedRun) -> tuple[Cell, ...]:
    """The cells of a run: every target, as a whole and in each segment that is large enough."""
    targets = list(dict.fromkeys(result.target for result in run.results))
    targets.sort(key=lambda target: target != ROUTED)
    counts = Counter(name for names in run.segments.values() for name in names)
    segments = sorted(name for name, n in counts.items() if MIN_SEGMENT_CASES <= n < len(run.segments))
    whole = WHOLE_SHARE if segments else 1.0
    share = {"": whole} | {name: (1.0 - whole) / len(segments) for name in segments}
    return tuple(Cell(target, name, share[name] / len(targets)) for name in ("", *segments) for target in targets)


def pairs_over_time(before: IndexedRun, now: IndexedRun, target: str, segment: str) -> list[Pair]:
    """Pairs of a target's scores of the same cases by the same grader in two runs."""
    return _pairs(before.by_target.get(target, {}), now.scored(target, segment))


def pairs_of_targets(run: IndexedRun, reference: str, target: str, segment: str) -> list[Pair]:
    """Pairs of the scores of two targets in one run."""
    return _pairs(run.by_target.get(reference, {}), run.scored(target, segment))


def _pairs(before: Mapping[Key, CaseResult], now: Iterable[tuple[Key, CaseResult]]) -> list[Pair]:
    return [
        Pair(key, one.weight, before[key], one)
        for key, one in now
        if key in before and before[key].grader == one.grader
    ]


def change_evidence(runs: Sequence[IndexedRun], cell: Cell) -> Evidence | None:
    """Evidence that a cell got worse than in earlier runs; None without a pair.

    Args:
        runs: Oldest first, the run in question last.
        cell: Which target and segment.
    """
    windows = []
    for size in _sizes(len(runs) // 2):
        latest = runs[len(runs) - size :]
        for start in dict.fromkeys((len(runs) - 2 * size, 0)):
            windows.append(tuple(zip(runs[start : start + size], latest, strict=True)))  # noqa: PERF401 (two loops read better)
    found = [
        _Window(window, [pairs_over_time(old, new, cell.target, cell.segment) for old, new in window])
        for window in windows
    ]
    return _evidence(found, 0.0, cell.share * spent(len(runs) - 1))


def level_evidence(runs: Sequence[IndexedRun], cell: Cell, reference: str, margin: float) -> Evidence | None:
    """Evidence that a cell is worse than the reference by more than the margin; None without a pair."""
    windows = [tuple((run, run) for run in runs[len(runs) - size :]) for size in _sizes(len(runs))]
    found = [
        _Window(window, [pairs_of_targets(run, reference, cell.target, cell.segment) for _, run in window])
        for window in windows
    ]
    return _evidence(found, margin, cell.share * spent(len(runs)))


def visible_loss(pairs: int, windows: int, weight: float, line: float) -> float | None:
    """The smallest share of cases that one run must lose, and none win, for the loss to be shown in it; None: not even all of them.

    Args:
        pairs: Cases that are compared.
        windows: E-values that are averaged in this run.
        weight: Share of the error budget that the cell has in this run.
        line: log10 of the evidence that shows a loss.

    Examples:
        >>> visible_loss(200, 1, 0.25, 1.6), visible_loss(5, 1, 0.25, 1.6)
        (0.055, None)
    """
    lost = np.arange(1, pairs + 1)
    logs = log_pair_bets(pairs, lost, 0.0, 0.0)
    top = logs.max(axis=-1)
    log10 = (top + np.log(np.exp(logs - top[:, None]).mean(axis=-1)) + math.log(weight / max(windows, 1))) / math.log(
        10
    )
    shown = np.flatnonzero(log10 >= line)
    return None if len(shown) == 0 else float(lost[shown[0]] / pairs)


def windows_of(runs: int) -> int:
    """E-values that are averaged for a change in the given run, counted from 1.

    Examples:
        >>> [windows_of(k) for k in (1, 2, 3, 4, 8)]
        [0, 1, 2, 3, 5]
    """
    return sum(1 if runs == 2 * size else 2 for size in _sizes(runs // 2))


def spent(number: int) -> float:
    """Weight of the number-th comparison, from 1; over all of them they add to 1.

    Examples:
        >>> [round(spent(j), 3) for j in (1, 2, 3)]
        [0.5, 0.167, 0.083]
    """
    return 1.0 / (number * (number + 1)) if number > 0 else 0.0


def _sizes(most: int) -> list[int]:
    """1, 2, 4, ... up to `most` and `MAX_WINDOW`."""
    most = min(most, MAX_WINDOW)
    return [2**power for power in range(most.bit_length())] if most > 0 else []


@dataclass(frozen=True, slots=True)
class _Window:
    """Runs that are taken together, the latest last, and the pairs of each."""

    runs: tuple[tuple[IndexedRun, IndexedRun], ...]
    parts: list[list[Pair]]

    def log_e(self, margin: float) -> float:
        """Log e-value. A loss that the latest run does not bear out is at most history, and speaks for nothing."""
        pairs = self.pairs
        if not pairs:
            return 0.0
        log = _log_e(pairs, margin)
        return log if _mean_loss(self.parts[-1]) - margin >= STILL * (_mean_loss(pairs) - margin) else min(log, 0.0)

    @property
    def pairs(self) -> list[Pair]:
        return [pair for part in self.parts for pair in part]


def _evidence(windows: Sequence[_Window], margin: float, weight: float) -> Evidence | None:
    if weight <= 0.0 or not any(window.pairs for window in windows):
        return None
    logs = np.array([window.log_e(margin) for window in windows])
    log10 = (float(logs.max()) + math.log(np.exp(logs - logs.max()).mean()) + math.log(weight)) / math.log(10)
    best = max((window for window in windows if window.pairs), key=lambda window: window.log_e(margin))
    return Evidence(log10, tuple(best.pairs), best.runs)


def _mean_loss(pairs: Sequence[Pair]) -> float:
    return sum(pair.weight * pair.loss for pair in pairs) / sum(pair.weight for pair in pairs) if pairs else 0.0


def _log_e(pairs: Sequence[Pair], margin: float) -> float:
    """Log e-value of pairs, a mean over stakes. A case of half the weight counts half, as in `stats.betting.log_ratio_bets`."""
    n, up, down = _sums(pairs, lambda pair: pair.loss)
    logs = log_pair_bets(n, up, down, margin)
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).mean()))


def log_e_of(pairs: Sequence[Pair], loss: Callable[[Pair], float]) -> float:
    """Log e-value against "the mean of `loss` over these pairs is at most 0"; 0 without a pair."""
    if not pairs:
        return 0.0
    logs = log_pair_bets(*_sums(pairs, loss), 0.0)
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).mean()))


def _sums(pairs: Sequence[Pair], loss: Callable[[Pair], float]) -> tuple[float, float, float]:
    weight = np.array([pair.weight for pair in pairs])
    share = weight / weight.max()
    losses = np.array([loss(pair) for pair in pairs])
    return (
        float(share.sum()),
        float((share * np.maximum(losses, 0)).sum()),
        float((share * np.maximum(-losses, 0)).sum()),
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval, and how many cases it is over."""

    mean: float
    interval: tuple[float, float]
    n: int


def quality(run: IndexedRun, cell: Cell, level: float) -> Estimate | None:
    """Mean score of a cell in one run."""
    mine = [one for _, one in run.scored(cell.target, cell.segment)]
    if not mine:
        return None
    weight = np.array([one.weight for one in mine])
    share = weight / weight.max()
    lost = float((share * np.array([1.0 - _score(one) for one in mine])).sum())
    bounds = beta_binomial_interval(lost, float(share.sum()), level)
    return Estimate(1.0 - lost / float(share.sum()), (1.0 - float(bounds.high), 1.0 - float(bounds.low)), len(mine))


def loss_against(run: IndexedRun, cell: Cell, reference: str, level: float) -> Estimate | None:
    """Mean points that a cell loses against a reference on the same cases of one run."""
    return _mean(
        [(pair.weight, pair.loss) for pair in pairs_of_targets(run, reference, cell.target, cell.segment)], level
    )


def change_since(runs: Sequence[IndexedRun], cell: Cell, level: float) -> Estimate | None:
    """Mean score now minus the mean of the same cases in all earlier runs."""
    losses: dict[Key, list[float]] = {}
    weights: dict[Key, float] = {}
    for earlier in runs[:-1]:
        for pair in pairs_over_time(earlier, runs[-1], cell.target, cell.segment):
            losses.setdefault(pair.key, []).append(pair.loss)
            weights[pair.key] = pair.weight
    return _mean([(weights[key], -sum(each) / len(each)) for key, each in losses.items()], level)


def _mean(values: Sequence[tuple[float, float]], level: float) -> Estimate | None:
    if not values:
        return None
    weight, value = (np.array(each) for each in zip(*values, strict=True))
    share = weight / weight.max()
    n = float(share.sum())
    total, total_sq = float((share * value).sum()), float((share * value**2).sum())
    found = bounded_mean_interval(total, total_sq, n, level, (-1.0, 1.0))
    return Estimate(total / n, (float(found.low), float(found.high)), len(values))


def _score(result: CaseResult) -> float:
    assert result.score is not None, "only results with a score are compared"
    return result.score
