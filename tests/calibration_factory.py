"""Labelled answers drawn from known models: honest scores, noisy ones, and answers that fail though they look confident."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from undertow.records.labelled_answers import LabelledAnswers

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Kind = Literal["temp", "noisy", "hidden"]


def draw(n: int, rng: np.random.Generator, kind: Kind = "temp") -> tuple[FloatArray, BoolArray, FloatArray]:
    """Score in (0, 1), label, and the label's true probability. `hidden`: one in twenty-five fails with high scores."""
    z = rng.normal(1.6, 1.6, n)
    p = expit(z)
    score = expit(2.0 * (z + rng.normal(0, 1.5, n))) if kind == "noisy" else expit(2.2 * z + 0.3)
    if kind == "hidden":
        is_hidden = rng.random(n) < 0.04
        p = np.where(is_hidden, 0.1, p)
        score = np.where(is_hidden, expit(rng.normal(3, 1, n)), score)
    return score, rng.random(n) < p, p


class Truth:
    """The loss and acceptance of every threshold on the score, from 400,000 draws."""

    def __init__(self, kind: Kind) -> None:
        score, _, p = draw(400_000, np.random.default_rng(7), kind)
        order = np.argsort(-score)
        self._score = -score[order]
        self._loss = np.cumsum(1.0 - p[order]) / len(score)
        self._accepted = np.arange(1, len(score) + 1) / len(score)

    def loss(self, threshold: float | None) -> float:
        return 0.0 if threshold is None else float(np.interp(-threshold, self._score, self._loss))

    def acceptance(self, threshold: float | None) -> float:
        return 0.0 if threshold is None else float(np.interp(-threshold, self._score, self._accepted))

    def oracle(self, margin: float) -> float:
        """The largest acceptance within the margin."""
        return float(self._accepted[np.flatnonzero(self._loss <= margin)[-1]])


def answers(n: int = 1_000, seed: int = 1, kind: Kind = "temp", **other: object) -> LabelledAnswers:
    """Labelled answers with a mean log-probability."""
    score, good, _ = draw(n, np.random.default_rng(seed), kind)
    given: dict[str, object] = {"features": {"mean_logprob": np.log(score)}, "good": good, "weight": np.ones(n)}
    return LabelledAnswers(**(given | other))  # type: ignore[arg-type]
