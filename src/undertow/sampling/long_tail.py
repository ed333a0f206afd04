"""How far a decision lies in the long tail: one number from its uncertainty, its novelty and the disagreement of answers.

    score = 1 - confidence' * (1 - novelty') * (1 - disagreement)

so that any one of the three can put a decision there, and each further one moves it on. It only ranks: it decides in which stratum a
decision is drawn, at which known probability, and no estimate takes it for a quality. Serving path.
"""

import math

TYPICAL_CONFIDENCE = 0.8
"""Stands in the ranking for a confidence that nobody knows: near the median of what cascades judge, so that a decision without one is
neither put into the long tail nor kept out of it by that alone."""

TAIL_SHARE = 0.2
"""Share of a tier's decisions that is called its long tail."""


def long_tail_score(
    confidence: float | None = None, novelty: float | None = None, disagreement: float | None = None
) -> float:
    """The score.

    Args:
        confidence: Probability in [0, 1] that the cheap answer is as good, or None: unknown, which ranks like `TYPICAL_CONFIDENCE`.
        novelty: Distance from the training distribution, at least 0 and without bound, or None: unknown, which ranks like 0.
        disagreement: Share in [0, 1] of further answers that differ from the first, or None: not measured, which ranks like 0. It is
            measured only where an answer is uncertain already.

    Returns:
        A number in [0, 1] that never falls when confidence falls, or when novelty or disagreement rises. What is not finite
        counts as unknown.

    Notes:
        Novelty goes in as `n / (1 + n)`, which keeps its order and stays below 1. The form is that of a noisy-or: three
        independent chances that something is off.

    References:
        Pearl (1988), Probabilistic Reasoning in Intelligent Systems, 4.3.2 (noisy-or).

    Examples:
        >>> round(long_tail_score(confidence=0.95, novelty=0.1), 3)
        0.136
        >>> round(long_tail_score(confidence=0.95, novelty=0.1, disagreement=0.5), 3)
        0.568
        >>> round(long_tail_score(), 3)
        0.2
    """
    calm = TYPICAL_CONFIDENCE
    if confidence is not None and math.isfinite(confidence):
        calm = min(max(confidence, 0.0), 1.0)
    if novelty is not None and novelty > 0.0 and math.isfinite(novelty):
        calm /= 1.0 + novelty
    if disagreement is not None and math.isfinite(disagreement):
        calm *= 1.0 - min(max(disagreement, 0.0), 1.0)
    return 1.0 - calm
