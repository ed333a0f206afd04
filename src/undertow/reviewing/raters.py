"""What can be said of each reviewer: how much, how strictly, how carefully, and how many known failures he sees.

Nothing here changes a label. It says which labels to look at again, and how far a reviewer's `good` can be trusted: his sensitivity decides
more than any formula how soon a loss is seen.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import fmean, median

from undertow.records.watched import Vote
from undertow.reviewing.cases import Case, Cases
from undertow.reviewing.resolving import Tallies
from undertow.stats.confidence import beta_binomial_interval, bounded_mean_interval

FAILED_BELOW = 0.5
"""A value below this calls the answer a failure."""

FEWEST_VOTES = 20
"""Votes from which a reviewer's habits are judged."""

CHANCE = 1e-3
"""Probability below which a run of one and the same value is no accident."""

USUAL_SHARE = 0.95
"""Share of good answers that is assumed where nobody else has judged: a lone reviewer who calls everything good may be right."""

READABLE_CHARS_S = 100.0
"""Characters a second that nobody reads: over a thousand words a minute."""

FEWEST_SECONDS, MOST_SECONDS = 1.0, 20.0
"""A vote within the first is hasty whatever it is of; nobody is called hasty who took the second."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A count of a number of trials, with an interval that holds however often one looks."""

    count: int
    of: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Strictness:
    """How much lower a reviewer's values are than those of others; above 0: stricter.

    Attributes:
        difference: Mean of the others minus his own.
        low, high: Its 95 % interval; anytime-valid where `matched` is `decision`, else by the normal approximation.
        matched: `decision`: on decisions that others judged too; `stratum`: in the same tiers and strata.
        n: His votes that were compared.
    """

    difference: float
    low: float
    high: float
    matched: str
    n: int


@dataclass(frozen=True, slots=True)
class RaterReport:
    """One reviewer.

    Attributes:
        rater: Who.
        votes: Votes that count, seeded cases left out.
        skipped: Items skipped.
        mean: Mean value of the votes; None: there is none.
        median_s: Median seconds a vote; None: not measured.
        repeats: Decisions that he judged more than once.
        contradictions: Of those, how many he judged differently.
        seen: Known failures that he called failures; None: none was shown.
        false_flags: Known good answers that he called failures; None: none was shown.
        strictness: Against the others; None: too little to compare.
        flags: What is wrong, as words: `one_value`, `hasty`, `contradicts_himself`, `misses_failures`, `strict`, `lenient`.
    """

    rater: str
    votes: int
    skipped: int
    mean: float | None
    median_s: float | None
    repeats: int
    contradictions: int
    seen: Rate | None
    false_flags: Rate | None
    strictness: Strictness | None
    flags: tuple[str, ...]


def rater_reports(tallies: Tallies, cases: Cases) -> tuple[RaterReport, ...]:
    """All reviewers, by name.

    Examples:
        >>> from undertow.records.review import ReviewRules
        >>> from undertow.reviewing.resolving import tally_votes
        >>> votes = [Vote(vote_id=f"v{i}", decision_id=f"d{i}", at="2026-03-01T12:00:00Z", rater="ann", value=0.0) for i in range(20)]
        >>> (ann,) = rater_reports(tally_votes(votes, ReviewRules()), Cases({}, {}, {}))
        >>> ann.mean, ann.flags
        (0.0, ('one_value',))
    """
    real: dict[str, list[Vote]] = defaultdict(list)
    seeded: dict[str, list[tuple[float, float]]] = defaultdict(list)
    skipped: Counter[str] = Counter()
    by_decision: dict[str, list[Vote]] = defaultdict(list)
    for tally in tallies.by_id.values():
        case = cases.by_id.get(tally.decision_id)
        skipped.update(tally.skipped_by)
        for vote in tally.votes:
            if case is not None and case.known_value is not None:
                seeded[vote.rater].append((case.known_value, vote.value or 0.0))
            elif not vote.is_seeded:
                real[vote.rater].append(vote)
                by_decision[vote.decision_id].append(vote)
    names = sorted({*real, *seeded, *skipped, *tallies.repeats})
    return tuple(
        _report(name, real, seeded.get(name, []), skipped[name], by_decision, tallies, cases) for name in names
    )


def _report(
    rater: str,
    real: Mapping[str, Sequence[Vote]],
    seeded: Sequence[tuple[float, float]],
    skipped: int,
    by_decision: Mapping[str, Sequence[Vote]],
    tallies: Tallies,
    cases: Cases,
) -> RaterReport:
    own = real.get(rater, ())
    values = [vote.value for vote in own if vote.value is not None]
    others = [vote.value for name, votes in real.items() if name != rater for vote in votes if vote.value is not None]
    times = [vote.seconds for vote in own if vote.seconds is not None]
    failures = [said < FAILED_BELOW for known, said in seeded if known < FAILED_BELOW]
    good = [said < FAILED_BELOW for known, said in seeded if known >= FAILED_BELOW]
    seen, false_flags = _rate(failures), _rate(good)
    strictness = _on_same_decisions(rater, own, by_decision) or _in_same_strata(rater, real, cases)
    contradictions, repeats = tallies.contradictions.get(rater, 0), tallies.repeats.get(rater, 0)
    flags = {
        "one_value": _is_one_value(values, others),
        "hasty": _is_hasty(own, cases),
        "contradicts_himself": contradictions >= 2 or (contradictions > 0 and 2 * contradictions >= repeats),
        "misses_failures": seen is not None and seen.high < 0.5,
        "strict": strictness is not None and strictness.low > 0.0,
        "lenient": strictness is not None and strictness.high < 0.0,
    }
    return RaterReport(
        rater,
        len(own),
        skipped,
        fmean(values) if values else None,
        median(times) if times else None,
        repeats,
        contradictions,
        seen,
        false_flags,
        strictness,
        tuple(flag for flag, is_raised in flags.items() if is_raised),
    )


def _rate(seen: Sequence[bool]) -> Rate | None:
    if not seen:
        return None
    interval = beta_binomial_interval(sum(seen), len(seen))
    return Rate(sum(seen), len(seen), float(interval.low), float(interval.high))


def _is_one_value(values: Sequence[float], others: Sequence[float]) -> bool:
    """Whether he says one and the same so often that the answers cannot be the reason."""
    if len(values) < FEWEST_VOTES or len(set(values)) > 1:
        return False
    if len(others) >= FEWEST_VOTES:
        share = (sum(value == values[0] for value in others) + 1) / (len(others) + 2)
    else:
        share = USUAL_SHARE if values[0] >= FAILED_BELOW else 0.5
    return len(values) * log(share) < log(CHANCE)


def _is_hasty(votes: Sequence[Vote], cases: Cases) -> bool:
    """Whether most of his timed votes came sooner than the text can be read."""
    timed = hasty = 0
    for vote in votes:
        case = cases.by_id.get(vote.decision_id)
        if vote.seconds is None or case is None:
            continue
        timed += 1
        hasty += vote.seconds < min(max(_chars(case) / READABLE_CHARS_S, FEWEST_SECONDS), MOST_SECONDS)
    return timed >= FEWEST_VOTES // 2 and 2 * hasty > timed


def _chars(case: Case) -> int:
    return len(case.prompt) + len(case.answer) + len(case.reference_answer or "")


def _on_same_decisions(rater: str, own: Sequence[Vote], by_decision: Mapping[str, Sequence[Vote]]) -> Strictness | None:
    gaps = []
    for vote in own:
        others = [v.value for v in by_decision[vote.decision_id] if v.rater != rater and v.value is not None]
        if others and vote.value is not None:
            gaps.append(fmean(others) - vote.value)
    if len(gaps) < FEWEST_VOTES // 2:
        return None
    interval = bounded_mean_interval(sum(gaps), sum(gap * gap for gap in gaps), len(gaps), 0.95, (-1.0, 1.0))
    return Strictness(fmean(gaps), float(interval.low), float(interval.high), "decision", len(gaps))


def _in_same_strata(rater: str, real: Mapping[str, Sequence[Vote]], cases: Cases) -> Strictness | None:
    """Against others in the same tiers and strata, where who judges what is chance."""
    mine: dict[tuple[str, str], list[float]] = defaultdict(list)
    theirs: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name, votes in real.items():
        for vote in votes:
            case = cases.by_id.get(vote.decision_id)
            if case is not None and vote.value is not None:
                (mine if name == rater else theirs)[case.tier, case.stratum].append(vote.value)
    cells = [cell for cell in mine if len(mine[cell]) >= 5 and len(theirs[cell]) >= 5]
    n = sum(len(mine[cell]) for cell in cells)
    if n < FEWEST_VOTES:
        return None
    difference = variance = 0.0
    for cell in cells:
        share = len(mine[cell]) / n
        difference += share * (fmean(theirs[cell]) - fmean(mine[cell]))
        variance += share**2 * (_variance_of_mean(mine[cell]) + _variance_of_mean(theirs[cell]))
    half = 1.96 * sqrt(variance)
    return Strictness(difference, max(difference - half, -1.0), min(difference + half, 1.0), "stratum", n)


def _variance_of_mean(values: Sequence[float]) -> float:
    """Of a mean of values in [0, 1], with half a success and half a failure added so that none is 0."""
    n = len(values) + 1.0
    mean = (sum(values) + 0.5) / n
    return max(sum(value * value for value in values) / n + 0.5 / n - mean * mean, 0.0) / n
