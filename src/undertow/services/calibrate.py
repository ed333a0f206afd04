"""Labelled answers -> a calibration with all that a gateway needs beside the thresholds, and a report of it."""

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from undertow.calibration.fit import FitOptions, confidence_of, fit_calibration
from undertow.calibration.money import expected_savings
from undertow.policies.features import word_features
from undertow.policies.novelty import pack_seen
from undertow.ports.audit_source import Progress, silent
from undertow.records.calibration import Calibration
from undertow.records.calibration_report import CalibrationReport, ConfidenceBar
from undertow.records.labelled_answers import LabelledAnswers

BARS = 20
FEWEST_TEXTS = 50
"""Fewer texts know so few words that every request would look new."""
DECILES = 11


def calibrate(answers: LabelledAnswers, options: FitOptions, progress: Progress = silent) -> CalibrationReport:
    """Fit a calibration, and say what it would do.

    Args:
        answers: Labelled answers.
        options: What is wanted.
        progress: Told what is being done.

    Raises:
        DataError: The labels do not suffice; says what is missing.
    """
    progress("fitting", 0, 2)
    calibration = _with_words(fit_calibration(answers, options), answers.texts)
    progress("counting", 1, 2)
    confidence, group = confidence_of(calibration, answers)
    # Above every confidence: a group without a threshold serves nothing cheaply.
    thresholds = np.array([2.0 if each.threshold is None else each.threshold for each in calibration.groups])
    is_served = np.nan_to_num(confidence, nan=-1.0) >= thresholds[group]
    share = answers.weight / answers.weight.sum()
    return CalibrationReport(
        calibration=calibration,
        acceptance=float(share[is_served].sum()),
        loss=float(share[is_served & ~answers.good].sum()),
        savings=expected_savings(is_served, answers.weight, answers.cheap_cost_usd, answers.capable_cost_usd),
        bars=_bars(confidence, answers, share),
        unscored=float(share[np.isnan(confidence)].sum()),
        left_out=answers.reasons,
    )


def _bars(
    confidence: npt.NDArray[np.float64], answers: LabelledAnswers, share: npt.NDArray[np.float64]
) -> tuple[ConfidenceBar, ...]:
    scored = ~np.isnan(confidence)
    place = np.minimum((confidence[scored] * BARS).astype(np.int64), BARS - 1)
    known, good = answers.is_labelled[scored], answers.good[scored]

    def mass(inside: npt.NDArray[np.bool_]) -> list[float]:
        return np.bincount(place, weights=share[scored] * inside, minlength=BARS).tolist()

    shares = zip(mass(known & good), mass(known & ~good), mass(~known), strict=True)
    return tuple(
        ConfidenceBar(low=number / BARS, high=(number + 1) / BARS, good=g, failing=f, unlabelled=u)
        for number, (g, f, u) in enumerate(shares)
    )


def _with_words(calibration: Calibration, texts: Sequence[str]) -> Calibration:
    """The calibration with what its period's requests were about: which words occurred, and how new a request usually is to all others."""
    kept = [text for text in texts if text]
    if len(kept) < FEWEST_TEXTS:
        return calibration
    found = [word_features(text) for text in kept]
    seen = Counter(bucket for features in found for bucket in features)
    # What only one text has is new to all others.
    shares = [sum(seen[bucket] == 1 for bucket in features) / len(features) for features in found if features]
    deciles = np.quantile(shares, np.linspace(0.0, 1.0, DECILES)).tolist() if shares else []
    return msgspec.structs.replace(
        calibration,
        distribution=msgspec.structs.replace(
            calibration.distribution, seen_words=pack_seen(kept), novelty=tuple(deciles)
        ),
    )
