"""How good a calibration is, on labels that its maps were not fitted on.

The expected calibration error of n labels is never 0: bins of a few labels scatter even around a perfect confidence. So it comes with the
figure that pure chance would show (`ece_floor`), and a reader compares the two.

References:
    Naeini, Cooper, Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning, AAAI (ECE).
    Nixon et al. (2019), Measuring calibration in deep learning, arXiv 1904.01685, section 3 (bins of equal mass).
    Brocker and Smith (2007), Increasing the reliability of reliability diagrams (what chance alone shows).
"""

import numpy as np
import numpy.typing as npt

from undertow.calibration.certificates import INTERVAL_LEVEL, clopper_pearson_upper
from undertow.calibration.maps import FOLDS, apply_map, fit_map, probabilities
from undertow.errors import DataError
from undertow.records.calibration import Link, Quality, ReliabilityBin
from undertow.stats.roc import effective_number, roc_area

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

LABELS_PER_BIN = 30
MAX_BINS = 15
RESAMPLES = 200
FEWEST = 60
"""Fewer labels say nothing of a reliability diagram."""


def cross_fitted(
    score: FloatArray, good: BoolArray, weight: FloatArray, link: Link, rng: np.random.Generator
) -> tuple[FloatArray, IntArray]:
    """Confidence of each label by a map that did not see it, and the fold that it stands in. Shapes (n,).

    A fold whose rest cannot be fitted (one class) gets NaN.
    """
    fold = rng.permutation(len(score)) % FOLDS
    confidence = np.full(len(score), np.nan)
    for number in range(FOLDS):
        kept, out = fold != number, fold == number
        try:
            mapping = fit_map(score[kept], good[kept], weight[kept], link)
        except DataError:
            continue
        confidence[out] = apply_map(mapping, link, score[out])
    return confidence, fold


def bins_of(confidence: FloatArray) -> IntArray:
    """Bins of equal numbers of labels, rising in confidence; equal confidences stay together. Shape (n,)."""
    count = max(2, min(MAX_BINS, len(confidence) // LABELS_PER_BIN))
    edges = np.unique(np.quantile(confidence, np.linspace(0.0, 1.0, count + 1)[1:-1]))
    return np.searchsorted(edges, confidence, side="right")


def expected_calibration_error(confidence: FloatArray, good: BoolArray, weight: FloatArray) -> float:
    """Mean distance between confidence and the rate of good answers, over bins of equal mass, in [0, 1].

    Examples:
        >>> expected_calibration_error(np.full(100, 0.8), np.arange(100) < 70, np.ones(100)).__round__(3)
        0.1
    """
    return _binned_error(bins_of(confidence), confidence, good, weight)


def _binned_error(place: IntArray, confidence: FloatArray, good: BoolArray | FloatArray, weight: FloatArray) -> float:
    gap = np.bincount(place, weights=weight * (confidence - good))
    return float(np.abs(gap).sum() / weight.sum())


def measure(
    score: FloatArray, good: BoolArray, weight: FloatArray, link: Link, rng: np.random.Generator
) -> Quality | None:
    """Quality of the calibration of finite scores, without a risk-coverage curve; None where there are too few labels to say anything.

    Args:
        score: Of labelled answers. Shape (n,).
        good: Their labels. Shape (n,).
        weight: 1 / inclusion probability. Shape (n,).
        link: What scores are.
        rng: Draws folds, bootstrap samples and what chance alone would show.
    """
    if len(score) < FEWEST or good.all() or not good.any():
        return None
    confidence, _ = cross_fitted(score, good, weight, link, rng)
    known = ~np.isnan(confidence)
    if known.sum() < FEWEST:
        return None
    s, c, g, w = score[known], confidence[known], good[known], weight[known]
    place = bins_of(c)
    ece = _binned_error(place, c, g, w)
    drawn = rng.integers(0, len(c), size=(RESAMPLES, len(c)))
    spread = np.array([_binned_error(place[i], c[i], g[i], w[i]) for i in drawn])
    # The bootstrap doubles the scatter of bins, which is what `ece_floor` measures; the basic interval reflects it back.
    half = (1.0 - INTERVAL_LEVEL) / 2.0
    low, high = 2.0 * ece - np.quantile(spread, [1.0 - half, half])
    chance = np.array([_binned_error(place, c, (rng.random(len(c)) < c).astype(float), w) for _ in range(RESAMPLES)])
    area = roc_area(s, g, w)
    raw = None if link == "logit" else expected_calibration_error(probabilities(s, link), g, w)
    return Quality(
        ece=ece,
        ece_interval=(max(float(low), 0.0), min(max(float(high), 0.0), 1.0)),
        ece_floor=float(chance.mean()),
        raw_ece=raw,
        auroc=area.value,
        auroc_interval=(area.low, area.high),
        brier=float((w * (c - g) ** 2).sum() / w.sum()),
        reliability=reliability(c, g, w),
    )


def reliability(confidence: FloatArray, good: BoolArray, weight: FloatArray) -> tuple[ReliabilityBin, ...]:
    """The reliability diagram: bins of equal mass with their rates and intervals."""
    place = bins_of(confidence)
    found = []
    for number in np.unique(place):
        inside = place == number
        w = weight[inside]
        rate = float((w * good[inside]).sum() / w.sum())
        n = effective_number(w)
        half = (1.0 - INTERVAL_LEVEL) / 2.0
        found.append(
            ReliabilityBin(
                confidence=float((w * confidence[inside]).sum() / w.sum()),
                rate=rate,
                interval=(
                    1.0 - float(clopper_pearson_upper((1.0 - rate) * n, n, half)),
                    float(clopper_pearson_upper(rate * n, n, half)),
                ),
                labels=int(inside.sum()),
            )
        )
    return tuple(found)
