"""From a resolved decision to its signal, and what clocks that disagree do to it.

A signal bears the inclusion probability and stratum of the draw, never those of the order in which people came to it. A verdict on two
answers bears the probability with which both were to be seen as well: its value speaks for all that is reviewed, its pair for what also
has a second answer. Its time is that of
the vote that settled it, unless that time cannot be: later than now, or before the request; then it is the time at which it was seen.
"""

from collections.abc import Callable

from undertow.records.review import ReviewRules
from undertow.records.signal import SignalRecord
from undertow.records.watched import Vote
from undertow.reviewing.cases import Case, seconds_of, time_text
from undertow.reviewing.resolving import Tally

SKEW_S = 120.0
"""Clocks of machines that are kept in step differ by less."""

UNDO_S = 600.0
"""How long a reviewer may take back a vote before its signal is written; a signal cannot be taken back."""


def signal_of(
    case: Case, tally: Tally, rules: ReviewRules, now_s: float, pseudonym: Callable[[str], str]
) -> SignalRecord | None:
    """The signal of a resolved decision; None for a seeded case, or one that is not resolved.

    Args:
        case: What was judged.
        tally: Its votes.
        rules: For the signal's name.
        now_s: Unix seconds.
        pseudonym: Turns a rater's name into what may stand in the log.

    Examples:
        >>> from undertow.reviewing.resolving import tally_votes
        >>> case = Case("d", 1000.0, "cheap", {}, "tail", 0.25, "?", "!")
        >>> vote = Vote(vote_id="v", decision_id="d", at="1970-01-01T00:20:00Z", rater="ann", value=0.0)
        >>> signal = signal_of(case, tally_votes([vote], ReviewRules()).by_id["d"], ReviewRules(), 2000.0, str.upper)
        >>> signal.value, signal.inclusion_probability, signal.stratum, signal.source
        (0.0, 0.25, 'tail', 'ANN')
    """
    if case.is_seeded or tally.state != "resolved" or tally.value is None:
        return None
    last = tally.votes[-1]
    at_s = now_s if time_problem(last, case, now_s) else seconds_of(last.at) or now_s
    return SignalRecord(
        signal_id=signal_id(rules.name, case.decision_id),
        event_time=time_text(at_s),
        decision_id=case.decision_id,
        kind="review",
        name=rules.name,
        value=tally.value,
        reference_value=tally.reference_value,
        selection="sampled",
        inclusion_probability=case.inclusion_probability,
        stratum=case.stratum,
        pair_probability=None if tally.reference_value is None else case.pair_probability,
        received_at=time_text(now_s),
        source=pseudonym(last.rater) if len(tally.votes) == 1 else f"reviewers:{len(tally.votes)}",
    )


def signal_id(name: str, decision_id: str) -> str:
    """Id of the signal that reviews of a decision give: always the same, so that it is kept once."""
    return f"review:{name}:{decision_id}"


def time_problem(vote: Vote, case: Case | None, now_s: float) -> str | None:
    """Why a vote's time cannot be: `in_the_future`, `before_its_decision`; None: it can.

    Examples:
        >>> vote = Vote(vote_id="v", decision_id="d", at="1970-01-01T01:00:00Z", rater="ann", value=0.0)
        >>> time_problem(vote, None, 1000.0), time_problem(vote, None, 4000.0)
        ('in_the_future', None)
    """
    at_s = seconds_of(vote.at)
    if at_s is None or at_s > now_s + SKEW_S:
        return "in_the_future"
    if case is not None and not case.is_seeded and at_s < case.at_s - SKEW_S:
        return "before_its_decision"
    return None


def is_settled(tally: Tally, now_s: float, leaving: str | None = None) -> bool:
    """Whether none of the votes can be taken back any more: they are old enough, or of the reviewer who is leaving.

    A vote whose time lies in the future does not hold a signal up.

    Examples:
        >>> from undertow.reviewing.resolving import tally_votes
        >>> vote = Vote(vote_id="v", decision_id="d", at="1970-01-01T00:20:00Z", rater="ann", value=0.0)
        >>> tally = tally_votes([vote], ReviewRules()).by_id["d"]
        >>> is_settled(tally, 1300.0), is_settled(tally, 1300.0, leaving="ann"), is_settled(tally, 1200.0 + UNDO_S)
        (False, True, True)
    """
    for vote in tally.votes:
        at_s = seconds_of(vote.at)
        if vote.rater != leaving and at_s is not None and now_s - UNDO_S < at_s <= now_s + SKEW_S:
            return False
    return True
