"""Whether decisions were drawn as the log says: each number chosen against its probabilities, and each draw once more by its hash.

A label counts 1 / inclusion probability, so a probability that is not the one by which was drawn makes every estimate wrong, quietly.
Two checks find it: the number of chosen decisions against the sum of their probabilities, which needs nothing but the log, and the
draw repeated from the decision's id, which needs the salt.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from undertow.records.sampling import EXTRA, Drawn
from undertow.sampling.draw import uniform

ALPHA = 0.01
"""Probability that draws which are as they are said to be are ever found not to be, over all cells and however often one looks."""

_ROUNDING = 1e-9
_LEANINGS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Bets on log-odds that are off by so much, either way."""


@dataclass(frozen=True, slots=True)
class DrawCounts:
    """Decisions of one purpose, stratum and bin of probability that could have been drawn.

    Attributes:
        purpose: `review`, `shadow` or `judge`.
        stratum: Without `+` and what follows: of those not chosen nobody can tell by which rate they were not.
        low: Smallest probability of the bin.
        high: Largest.
        decisions: How many.
        chosen: How many of them were chosen.
        expected: Sum of their probabilities.
    """

    purpose: str
    stratum: str
    low: float
    high: float
    decisions: int
    chosen: int
    expected: float


@dataclass(frozen=True, slots=True)
class DrawMismatch:
    """Draws that are not what was said.

    Attributes:
        counts: What was counted.
        log10_evidence: Evidence against the probabilities in the log, log10 of an e-value: 2 is a chance below 1 in 100.
    """

    counts: DrawCounts
    log10_evidence: float

    def __str__(self) -> str:
        found = self.counts
        return (
            f"inclusion probabilities do not match what was drawn: for {found.purpose}, stratum {found.stratum}, {found.chosen:,} of"
            f" {found.decisions:,} decisions were chosen where {found.expected:,.1f} were expected; labels of this stratum count wrongly"
        )


def count_draws(draws: Iterable[Drawn]) -> list[DrawCounts]:
    """Counts of draws, by purpose, stratum and probability (to a factor of two), in that order.

    Examples:
        >>> count_draws([Drawn("review", "tail", 0.5, True), Drawn("review", "tail+", 0.5, True), Drawn("review", "tail", 0.5, False)])
        [DrawCounts(purpose='review', stratum='tail', low=0.5, high=0.5, decisions=3, chosen=2, expected=1.5)]
    """
    cells: dict[tuple[str, str, int], list[Drawn]] = {}
    for drawn in draws:
        octave = math.frexp(drawn.inclusion_probability)[1]
        cells.setdefault((drawn.purpose, drawn.stratum.partition(EXTRA)[0], octave), []).append(drawn)
    found: list[DrawCounts] = []
    for (purpose, stratum, _), cell in sorted(cells.items()):
        probabilities = [drawn.inclusion_probability for drawn in cell]
        found.append(
            DrawCounts(
                purpose,
                stratum,
                min(probabilities),
                max(probabilities),
                len(cell),
                sum(drawn.chosen for drawn in cell),
                math.fsum(probabilities),
            )
        )
    return found


def log_evidence(counts: DrawCounts) -> float:
    """Evidence that decisions of a cell were not drawn by their probabilities: natural logarithm of an e-process.

    Returns:
        At most `log(1 / a)` at all times at once with probability at least 1 - a, if each was drawn independently with its
        probability; `inf` for what cannot be (more chosen than there are, or one chosen at probability 0).

    Notes:
        For a log-odds t, `exp(t k) / prod(1 - p_i + p_i e^t)` is a martingale of mean 1, k the number chosen so far. The
        logarithm of `1 - p + p e^t` is concave in p, so that the product is at most `(1 - q + q e^t)^n` with q the mean
        probability: putting that below the line only makes the process smaller. It is averaged over t.

    References:
        Ville (1939); Howard, Ramdas, McAuliffe, Sekhon (2020), arXiv 1808.03204.

    Examples:
        >>> log_evidence(DrawCounts("review", "tail", 0.1, 0.1, 10_000, 1_010, 1_000.0)) < 0
        True
        >>> log_evidence(DrawCounts("review", "tail", 0.1, 0.1, 10_000, 1_300, 1_000.0)) > 30
        True
    """
    n, k = counts.decisions, counts.chosen
    if n <= 0:
        return 0.0
    mean = counts.expected / n
    if 1.0 < mean <= 1.0 + _ROUNDING:
        mean = 1.0
    if not 0.0 <= mean <= 1.0 or not 0 <= k <= n or (mean == 0.0 and k > 0) or (mean == 1.0 and k < n):
        return math.inf
    bets = [t * k - n * math.log1p(mean * math.expm1(t)) for size in _LEANINGS for t in (size, -size)]
    most = max(bets)
    return most + math.log(math.fsum(math.exp(bet - most) for bet in bets) / len(bets))


def draw_mismatches(cells: Sequence[DrawCounts], alpha: float = ALPHA) -> list[DrawMismatch]:
    """Cells whose draws are not what was said, the clearest first.

    Args:
        cells: Counts of the whole log so far, or of one part of it chosen beforehand.
        alpha: Probability, over all cells together and at every moment at once, of finding one where there is none.

    Examples:
        >>> drawn = DrawCounts("review", "common", 0.01, 0.01, 20_000, 420, 200.0)
        >>> print(draw_mismatches([drawn])[0])
        inclusion probabilities do not match what was drawn: for review, stratum common, 420 of 20,000 decisions were chosen where 200.0 were expected; labels of this stratum count wrongly
    """
    line = math.log(len(cells) / alpha) if cells else math.inf
    found = [
        DrawMismatch(counts, evidence / math.log(10))
        for counts in cells
        if (evidence := log_evidence(counts)) >= line
    ]  # fmt: skip
    return sorted(found, key=lambda mismatch: -mismatch.log10_evidence)


def wrongly_drawn(salt: str, draws: Iterable[tuple[str, Drawn]]) -> list[str]:
    """Ids of decisions whose draw comes out otherwise when it is repeated.

    Args:
        salt: `SamplingRates.salt` of the store.
        draws: Decision ids, each with one of its draws for review or shadow.

    Examples:
        >>> wrongly_drawn("undertow", [("d-1", Drawn("review", "tail", 0.7, True)), ("d-3", Drawn("review", "tail", 0.1, True))])
        ['d-3']
    """
    return [
        decision_id
        for decision_id, drawn in draws
        if (uniform(salt, decision_id) < drawn.inclusion_probability) is not drawn.chosen
    ]
