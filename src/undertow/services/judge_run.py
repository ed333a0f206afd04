"""Judging many pairs: a few at a time, each counted, and stopped where the judge cannot be reached."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from undertow.ports.progress import Progress, silent
from undertow.records.watched import AnswerPair
from undertow.services.judge import JudgedPair, Outcome, PairJudge

Result = TypeVar("Result")

AT_ONCE = 4
"""Pairs that are judged at a time."""
LAST_S, LOOK_S = 5.0, 0.1
"""What is under way when a run is told to end may take so long to end by itself; and so often is looked whether it was told."""
MAX_TRIES = 3
"""A pair that could not be judged while others could is given up after so many runs."""

LABELS: tuple[Outcome, ...] = ("wins", "ties", "losses")
MISSING: tuple[Outcome, ...] = ("refused", "unparsable", "timeout", "failed", "injected", "over_budget", "empty")

Done = Sequence[tuple[AnswerPair, JudgedPair]]


@dataclass(slots=True)
class Tally:
    """Counts over pairs.

    Attributes:
        counts: By outcome; also `inconsistent` (ties because the two orders disagreed) and `suspicious` (judged a second time), which
            are counted beside their outcome.
        leans: Lean of each pair.
        cost_usd: Of all questions.
        unpriced: Questions whose cost nobody knows.
    """

    counts: dict[str, int] = field(default_factory=dict)
    leans: list[float] = field(default_factory=list)
    cost_usd: float = 0.0
    unpriced: int = 0

    def add(self, done: JudgedPair) -> None:
        """Count one pair."""
        names: list[str] = [done.outcome]
        if done.comparison is not None:
            found = done.comparison
            if found.combined is not None and found.combined.is_inconsistent:
                names.append("inconsistent")
            if found.is_suspicious:
                names.append("suspicious")
            if found.lean is not None:
                self.leans.append(found.lean)
            for one in found.asked:
                self.cost_usd += one.cost_usd or 0.0
                self.unpriced += one.cost_usd is None
        for name in names:
            self.counts[name] = self.counts.get(name, 0) + 1


def total(counts: Mapping[str, int], outcomes: Iterable[str]) -> int:
    """Sum over some outcomes.

    Examples:
        >>> total({"wins": 2, "ties": 1, "refused": 4}, LABELS)
        3
    """
    return sum(counts.get(name, 0) for name in outcomes)


def missing_share(counts: Mapping[str, int]) -> float | None:
    """Share of the pairs drawn for judging that have no verdict, in [0, 1]; None where none was drawn.

    Examples:
        >>> missing_share({"wins": 3, "timeout": 1, "not_drawn": 50})
        0.25
    """
    labels, missing = total(counts, LABELS), total(counts, MISSING)
    return None if labels + missing == 0 else missing / (labels + missing)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run over pairs ended.

    Attributes:
        tally: What was counted.
        unreachable: Pairs that could not be judged because the judge could not be reached; they are not counted.
        stopped: Why the run ended before its last pair, or None.
    """

    tally: Tally
    unreachable: tuple[AnswerPair, ...] = ()
    stopped: Literal["unreachable", "timeout"] | None = None


def never() -> bool:
    """Nobody ends the run before its time."""
    return False


async def judge_all(
    judge: PairJudge,
    pairs: Sequence[AnswerPair],
    keep: Callable[[Done], None],
    progress: Progress = silent,
    *,
    is_over: Callable[[], bool] = never,
) -> Ended:
    """Judge pairs in their order.

    A judge that is down is not asked about every pair: where none of a handful can be judged the run ends, and what it has not come to
    is left for the next one. A judge that hangs ends it likewise; the pairs that it hung on are done, else it would hang on them again.

    Args:
        judge: Whom to ask.
        pairs: What is to be judged.
        keep: Told of each handful of pairs before the next ones are asked about, those that could not be judged (`is_outage`) among them.
        progress: Told what is done.
        is_over: Whether the run is to end now. Pairs that are under way then wait for the next one, as do those that were not begun.
    """
    tally = Tally()
    unreachable: list[AnswerPair] = []
    for start in range(0, len(pairs), AT_ONCE):
        progress("judging pairs", start, len(pairs))
        some = pairs[start : start + AT_ONCE]
        found = await in_time([judge.judge_pair(pair) for pair in some], is_over)
        if found is None:
            return Ended(tally, tuple(unreachable))
        together = list(zip(some, found, strict=True))
        keep(together)
        for done in found:
            if not done.is_outage:
                tally.add(done)
        out = [pair for pair, done in together if done.is_outage]
        asked = [done for done in found if done.comparison is not None and done.comparison.asked]
        if out and len(out) == len(asked):
            return Ended(tally, tuple(unreachable), "unreachable")
        unreachable += out
        if asked and all(done.outcome == "timeout" for done in asked) and start + AT_ONCE < len(pairs):
            return Ended(tally, tuple(unreachable), "timeout")
    progress("judging pairs", len(pairs), len(pairs))
    return Ended(tally, tuple(unreachable))


async def in_time(asked: Sequence[Coroutine[Any, Any, Result]], is_over: Callable[[], bool]) -> list[Result] | None:
    """What some questions come to, asked at once; None: the run was over before they had ended.

    Args:
        asked: The questions, not begun.
        is_over: Whether the run is to end. Questions may take `LAST_S` after that; then they are given up, and what was reserved for
            them stays spent.

    Examples:
        >>> async def two():
        ...     return 2
        >>> asyncio.run(in_time([two(), two()], never)), asyncio.run(in_time([two()], lambda: True))
        ([2, 2], None)
    """
    if is_over():
        for one in asked:
            one.close()
        return None
    working = asyncio.gather(*asked)
    try:
        while not working.done() and not is_over():
            await asyncio.wait((working,), timeout=LOOK_S)
        await asyncio.wait((working,), timeout=LAST_S)
        return working.result() if working.done() else None
    finally:
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
