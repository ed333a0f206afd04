"""From votes to one label a decision.

Of each rater the latest vote that he has not taken back counts, so nobody counts twice. A decision is resolved once `raters` people have
voted and their votes lie within `conflict` of each other: by their mean. Else one more person is asked, and the median decides, which of
three is the majority; where four stay split in the middle, a fifth is asked.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from statistics import fmean, median
from typing import Literal

from undertow.records.review import ReviewRules
from undertow.records.watched import Vote
from undertow.reviewing.cases import seconds_of

MAX_EXTRA = 2
"""Most people who are asked beyond `raters`."""

State = Literal["open", "conflict", "resolved"]


@dataclass(frozen=True, slots=True)
class Tally:
    """The votes of one decision.

    Attributes:
        decision_id: The decision.
        votes: Votes that count, one a rater, oldest first.
        skipped_by: Raters who skipped it and have not voted since.
        state: `open`: too few votes; `conflict`: enough, but too far apart; `resolved`.
        needed: Votes that are still needed; 0 if resolved.
        was_conflict: The first `raters` votes lay further apart than allowed.
        value, reference_value: The label, if resolved.
    """

    decision_id: str
    votes: tuple[Vote, ...]
    skipped_by: frozenset[str]
    state: State
    needed: int
    was_conflict: bool = False
    value: float | None = None
    reference_value: float | None = None


@dataclass(frozen=True, slots=True)
class Tallies:
    """All votes, counted.

    Attributes:
        by_id: By decision.
        problems: Votes that did not count, by reason: `repeated_vote_id`, `out_of_range`, `empty`, `unreadable_time`, `takes_back_nothing`,
            `repeated` (the same rater said the same again).
        contradictions: By rater: decisions of which he said two things further apart than a conflict, without taking one back.
        repeats: By rater: decisions that he judged more than once.
    """

    by_id: Mapping[str, Tally]
    problems: Mapping[str, int]
    contradictions: Mapping[str, int]
    repeats: Mapping[str, int]


def tally_votes(votes: Iterable[Vote], rules: ReviewRules) -> Tallies:
    """Count votes of the name in the rules.

    Examples:
        >>> vote = Vote(vote_id="v1", decision_id="d", at="2026-03-01T12:00:00Z", rater="ann", value=1.0)
        >>> tally_votes([vote], ReviewRules()).by_id["d"].value
        1.0
        >>> tally_votes([vote], ReviewRules(raters=2)).by_id["d"].state
        'open'
    """
    problems: Counter[str] = Counter()
    readable = _readable(votes, rules.name, problems)
    taken_back = _taken_back(readable, problems)
    grouped: dict[str, dict[str, list[Vote]]] = defaultdict(lambda: defaultdict(list))
    for vote in readable.values():
        if vote.vote_id not in taken_back and (vote.value is not None or vote.skipped is not None):
            grouped[vote.decision_id][vote.rater].append(vote)
    contradictions: Counter[str] = Counter()
    repeats: Counter[str] = Counter()
    by_id: dict[str, Tally] = {}
    for decision_id, by_rater in grouped.items():
        counted, skipped = [], set()
        for rater, own in by_rater.items():
            own.sort(key=_time)
            said = [vote for vote in own if vote.value is not None]
            if not said:
                skipped.add(rater)
                continue
            counted.append(said[-1])
            if len(said) > 1:
                repeats[rater] += 1
                contradictions[rater] += _spread(said) > rules.conflict
                problems["repeated"] += sum(_same(a, b) for a, b in pairwise(said))
        counted.sort(key=_time)
        by_id[decision_id] = _tally(decision_id, tuple(counted), frozenset(skipped), rules)
    return Tallies(by_id, problems, +contradictions, repeats)


def _readable(votes: Iterable[Vote], name: str, problems: Counter[str]) -> dict[str, Vote]:
    found: dict[str, Vote] = {}
    for vote in votes:
        if vote.name != name:
            continue
        numbers = [number for number in (vote.value, vote.reference_value) if number is not None]
        if vote.vote_id in found:
            problems["repeated_vote_id"] += 1
        elif not all(isfinite(number) and 0.0 <= number <= 1.0 for number in numbers):
            problems["out_of_range"] += 1
        elif vote.value is None and vote.skipped is None and vote.retracts is None:
            problems["empty"] += 1
        elif seconds_of(vote.at) is None:
            problems["unreadable_time"] += 1
        else:
            found[vote.vote_id] = vote
    return found


def _taken_back(votes: Mapping[str, Vote], problems: Counter[str]) -> set[str]:
    """Ids of votes that their own raters have taken back."""
    found = set()
    for vote in votes.values():
        if vote.retracts is None:
            continue
        target = votes.get(vote.retracts)
        if target is None or (target.rater, target.decision_id) != (vote.rater, vote.decision_id):
            problems["takes_back_nothing"] += 1
        else:
            found.add(vote.retracts)
    return found


def _tally(decision_id: str, votes: tuple[Vote, ...], skipped: frozenset[str], rules: ReviewRules) -> Tally:
    if len(votes) < rules.raters:
        return Tally(decision_id, votes, skipped, "open", rules.raters - len(votes))
    was_conflict = _spread(votes[: rules.raters]) > rules.conflict
    others = [vote.reference_value for vote in votes if vote.reference_value is not None]
    values = [vote.value for vote in votes if vote.value is not None]
    if _spread(votes) <= rules.conflict:
        middle, is_settled = fmean, True
    else:
        extra = len(votes) - rules.raters
        is_split = any(_middle_gap(numbers) > rules.conflict for numbers in (values, others))
        middle, is_settled = median, extra > 0 and (not is_split or extra >= MAX_EXTRA)
    if not is_settled:
        return Tally(decision_id, votes, skipped, "conflict", 1, was_conflict)
    reference = float(middle(others)) if len(others) == len(votes) else None
    return Tally(decision_id, votes, skipped, "resolved", 0, was_conflict, float(middle(values)), reference)


def _spread(votes: Sequence[Vote]) -> float:
    """Largest distance between two votes, in either quality."""
    spreads = [0.0]
    for numbers in ([v.value for v in votes], [v.reference_value for v in votes]):
        known = [number for number in numbers if number is not None]
        if known:
            spreads.append(max(known) - min(known))
    return max(spreads)


def _middle_gap(numbers: Sequence[float]) -> float:
    """Distance of the two numbers in the middle; 0 where there is one."""
    ordered = sorted(numbers)
    half = len(ordered) // 2
    return ordered[half] - ordered[half - 1] if ordered and len(ordered) % 2 == 0 else 0.0


def _same(one: Vote, other: Vote) -> bool:
    return (one.value, one.reference_value) == (other.value, other.reference_value)


def _time(vote: Vote) -> float:
    return seconds_of(vote.at) or 0.0
