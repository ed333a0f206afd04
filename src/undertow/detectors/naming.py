"""After a global alarm: is it one segment, or the whole tier?

A tier with one bad segment alarms as a whole, too. A segment is named when it bears the largest part of the loss, clearly more than
the next, and when its own change with another one in the rest fits clearly better than one change everywhere. Otherwise the
whole tier is: a wrong segment sends people to the wrong place, and the evidence goes on growing.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WHOLE_TIER = -1

_GRID = np.exp(np.linspace(0.0, np.log(12.0), 49))
"""Multiples of the baseline that a change may have; 1 = none. A change is a rise: a segment that improved is not blamed."""


def _best_gain(failures: FloatArray, expected: FloatArray, n: FloatArray) -> FloatArray:
    """Largest log-likelihood gain over no change, over one multiple of the null rates for all strata. (..., H) -> (...)."""
    rate = np.clip(expected / np.where(n > 0.0, n, 1.0), 1e-9, 0.9)[..., None]
    q = np.minimum(rate * _GRID, 0.97)
    q = np.maximum(q, rate)
    gain = failures[..., None] * np.log(q / rate) + (n - failures)[..., None] * np.log((1.0 - q) / (1.0 - rate))
    return np.max(np.sum(gain, axis=-2), axis=-1)


def name_segment(
    tier_failures: npt.ArrayLike,
    tier_n: npt.ArrayLike,
    tier_rate: npt.ArrayLike,
    segment_failures: npt.ArrayLike,
    segment_n: npt.ArrayLike,
    segment_rate: npt.ArrayLike,
    certainty: float = 2.0,
    lead: float = 0.6,
) -> tuple[IntArray, FloatArray]:
    """The segment, of those of one key, that an alarm is about; or the whole tier.

    Named is the segment with the largest excess (failures minus those expected at its baseline rate), if

    * its excess leads the next one's by `lead` standard errors (Poisson: the root of both segments' failures), and
    * "it and the rest of the tier changed, each by its own multiple, its own being larger" has a log-likelihood `certainty`
      above "all changed by one multiple".

    With both defaults 97 % of the segments named at the alarm are the worst one in the scenarios of
    `undertow.simulation.story`, and 5 % of alarms name one where the loss is spread evenly (benchmarks/bench_detection.py).

    Args:
        tier_failures: Failures since the estimated onset, per stratum. Shape (..., H).
        tier_n: Labels, alike. Shape (..., H).
        tier_rate: Baseline rates, alike. Shape (..., H).
        segment_failures: Failures per segment and stratum. Segments of one key: they do not overlap. Shape (..., S, H).
        segment_n: Labels, alike. Shape (..., S, H).
        segment_rate: Baseline rates, alike. Shape (..., S, H).
        certainty: Log-likelihood asked for; compare the gains of several keys to choose between them.
        lead: Standard errors by which the excess must lead.

    Returns:
        Position of the named segment or WHOLE_TIER, shape (...); and the gain in log-likelihood of every segment, 0 where its
        multiple is not the larger one, shape (..., S).

    Examples:
        >>> failures = np.array([[10.0], [12.0], [40.0]]); n = np.array([[100.0], [100.0], [100.0]])
        >>> int(name_segment(failures.sum(0), n.sum(0), [0.1], failures, n, np.full((3, 1), 0.1))[0])
        2
        >>> int(name_segment([90.0], n.sum(0), [0.1], np.full((3, 1), 30.0), n, np.full((3, 1), 0.1))[0])
        -1
    """
    k, many, rate = (np.asarray(x, dtype=np.float64) for x in (segment_failures, segment_n, segment_rate))
    all_k, all_n, all_rate = (np.asarray(x, dtype=np.float64)[..., None, :] for x in (tier_failures, tier_n, tier_rate))
    rest_k, rest_n = np.maximum(all_k - k, 0.0), np.maximum(all_n - many, 0.0)
    expected = many * rate
    rest_expected = np.clip(all_n * all_rate - expected, 1e-9, 0.9 * np.maximum(rest_n, 1e-8))
    one = _best_gain(
        np.concatenate([k, rest_k], axis=-1),
        np.concatenate([expected, rest_expected], axis=-1),
        np.concatenate([many, rest_n], axis=-1),
    )
    gain = _best_gain(k, expected, many) + _best_gain(rest_k, rest_expected, rest_n) - one
    ratio = np.sum(k, axis=-1) / np.maximum(np.sum(expected, axis=-1), 1e-9)
    ratio_rest = np.sum(rest_k, axis=-1) / np.maximum(np.sum(rest_expected, axis=-1), 1e-9)
    gain = np.where(ratio > ratio_rest, np.maximum(gain, 0.0), 0.0)
    excess = np.sum(k - expected, axis=-1)
    order = np.argsort(-excess, axis=-1)
    best = order[..., 0]
    sure = np.take_along_axis(gain, order[..., :1], axis=-1)[..., 0] >= certainty
    if k.shape[-2] > 1:
        top_excess = np.take_along_axis(excess, order[..., :2], axis=-1)
        top_failures = np.take_along_axis(np.sum(k, axis=-1), order[..., :2], axis=-1)
        distance = top_excess[..., 0] - np.maximum(top_excess[..., 1], 0.0)
        sure &= distance >= lead * np.sqrt(np.maximum(np.sum(top_failures, axis=-1), 1.0))
    return np.where(sure, best, WHOLE_TIER).astype(np.int64), gain
