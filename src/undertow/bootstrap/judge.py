"""A judge from its plan, and one run of it over a store: waiting pairs, or anchors."""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from undertow.adapters.judges.book import JudgeBook, advanced, read_anchors
from undertow.adapters.judges.function import FunctionJudge, load_function
from undertow.adapters.judges.model import ModelJudge
from undertow.adapters.store.row_log import CALLS, RowLog
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.adapters.store.watching_spend import StoreSpendBook
from undertow.errors import ConfigError, DataError
from undertow.ports.judge import Judge
from undertow.ports.progress import Progress, silent
from undertow.records.judged import AnchorResult, JudgeState
from undertow.records.serving import JudgePlan, StorePlan
from undertow.records.watched import AnswerPair
from undertow.services.judge import PairJudge, Surroundings
from undertow.services.judge_anchors import Scorer, anchor_set, anchors_of_day, judge_version, score_anchors
from undertow.services.judge_run import MAX_TRIES, Done, Ended, Tally, judge_all, never
from undertow.services.watching_budget import WatchingBudget

Result = TypeVar("Result")

BUSY = "another process judges this store (a keeper, or another `undertow judge`); try again in a moment"


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class JudgeSetUp:
    """What a run of the judge is given.

    Attributes:
        store: The store.
        plan: Of `[judge]`.
        env: Environment variables, for the key.
        writer: Begins the names of the segments it writes.
        now: The time, aware.
    """

    store: StorePlan
    plan: JudgePlan
    env: Mapping[str, str]
    writer: str = "judge"
    now: Callable[[], datetime] = utc_now

    @property
    def root(self) -> Path:
        """The store's root folder."""
        return Path(self.store.path)


@dataclass(frozen=True, slots=True)
class JudgeRun:
    """What a run over waiting pairs came to.

    Attributes:
        ended: Its counts and its end.
        waiting: Pairs that still wait.
        broken: Lines of pairs/ that are no pair.
        state: Where the judge stands now.
    """

    ended: Ended
    waiting: int
    broken: int
    state: JudgeState


def build_judge(plan: JudgePlan, env: Mapping[str, str]) -> Judge:
    """The judge of a plan.

    Raises:
        ConfigError: Its address or key cannot be used, or its function cannot be loaded.
    """
    if plan.function is not None:
        return FunctionJudge(plan.function, load_function(plan.function), plan.timeout_s)
    if plan.model is None or plan.endpoint is None:
        raise ConfigError("there is no judge: set judge.model and judge.base_url, or judge.function")
    return ModelJudge(plan.model, plan.endpoint, plan.parameters, plan.timeout_s, env)


def judge_store(
    set_up: JudgeSetUp,
    limit: int | None = None,
    progress: Progress = silent,
    *,
    is_over: Callable[[], bool] = never,
) -> JudgeRun:
    """Judge the pairs of a store that wait, and keep labels, calls and state after every handful.

    Args:
        set_up: Store and judge.
        limit: Most pairs that are taken, None: all.
        progress: Told what is done.
        is_over: Whether the run is to end now; looked at while pairs are judged. What is not done then waits.

    Raises:
        DataError: Another process judges this store.
        ConfigError: The judge cannot be used, or the state is none of ours.
        OSError: The store cannot be read or written.
    """
    judge = build_judge(set_up.plan, set_up.env)
    book = JudgeBook(set_up.root)
    with book.locked() as is_mine:
        if not is_mine:
            raise DataError(BUSY)
        keeping = _Keeping(set_up, book)
        found = book.waiting(keeping.state, set_up.now())
        pairs = found.pairs if limit is None else found.pairs[:limit]
        if not pairs:
            return JudgeRun(Ended(Tally()), len(found.pairs), found.broken, keeping.state)

        async def work(judging: PairJudge) -> Ended:
            return await judge_all(judging, pairs, keeping.keep, progress, is_over=is_over)

        try:
            ended = asyncio.run(_judged(judge, set_up, book.salt(), work))
            keeping.end(ended)
        finally:
            keeping.close()
        return JudgeRun(ended, len(book.waiting(keeping.state, set_up.now()).pairs), found.broken, keeping.state)


def check_anchors(
    set_up: JudgeSetUp,
    *,
    of_today: bool = False,
    limit: int | None = None,
    progress: Progress = silent,
    is_over: Callable[[], bool] = never,
) -> list[AnchorResult]:
    """Judge the anchors of a plan and keep what the judge said; returns one result for each, asked or not.

    Args:
        set_up: Store and judge.
        of_today: Only those drawn for today (`judge.anchors_per_day`), and only once a day; else all, in drawn order.
        limit: Most anchors, None: all.
        progress: Told what is done.
        is_over: Whether the run is to end now.

    Raises:
        ConfigError: There are no anchors, the file is none, or the judge cannot be used.
        OSError: The store cannot be read or written.
    """
    plan = set_up.plan
    if plan.anchors is None:
        raise ConfigError("judge.anchors is unset; name a file of pairs with people's verdicts")
    book = JudgeBook(set_up.root)
    day = set_up.now().astimezone(UTC).date().isoformat()
    version = judge_version(plan)
    if of_today and any(result.version == version and result.at.startswith(day) for result in book.results()):
        return []
    anchors = read_anchors(Path(plan.anchors))
    count = plan.anchors_per_day if of_today else len(anchors)
    salt = book.salt()
    chosen = anchors_of_day(anchors, count if limit is None else min(count, limit), day, salt)
    judge = build_judge(plan, set_up.env)

    async def score(pair: PairJudge) -> list[AnchorResult]:
        scorer = Scorer(pair, judge.name, version, anchor_set(anchors), set_up.now)
        return await score_anchors(scorer, chosen, progress, is_over=is_over)

    results = asyncio.run(_judged(judge, set_up, salt, score))
    # Where the judge could not be asked there is no result, and it is asked again.
    book.add_results([result for result in results if result.is_right is not None])
    return results


async def _judged(
    judge: Judge, set_up: JudgeSetUp, salt: str, work: Callable[[PairJudge], Awaitable[Result]]
) -> Result:
    """Do some work with a judge, and let go of its connections."""
    book = StoreSpendBook(set_up.root, clock=lambda: set_up.now().timestamp())
    # In the event loop that will wait for it: a budget belongs to one.
    budget = WatchingBudget("judge", set_up.plan.budget_usd_day, book)
    around = Surroundings(set_up.now, lambda: secrets.token_hex(6), salt)
    try:
        return await work(PairJudge(judge, set_up.plan, budget, around))
    finally:
        await judge.aclose()


class _Keeping:
    """Keeps what a run comes to: labels first, so that a crash may judge a pair again but loses no label."""

    def __init__(self, set_up: JudgeSetUp, book: JudgeBook) -> None:
        self._book, self._now = book, set_up.now
        self.state = book.state()
        writer = f"{set_up.writer}.{os.getpid()}"
        self._signals = StoreSignalLog(set_up.store, writer)
        self._calls = RowLog(set_up.root, CALLS, writer)

    def keep(self, done: Done) -> None:
        """A handful of pairs was judged; what could not be for an outage still waits, but what was asked of it first is paid for."""
        settled = [(pair, each) for pair, each in done if not each.is_outage]
        tally = Tally()
        for _, each in settled:
            tally.add(each)
        signals = tuple(each.signal for _, each in done if each.signal is not None)
        if signals:
            self._signals.add(signals)
        calls = [call for _, each in done for call in each.calls]
        if calls:
            self._calls.append(*calls)
        if settled:
            self._advance([pair for pair, _ in settled], tally.counts)

    def end(self, ended: Ended) -> None:
        """Pairs that could not be judged while others could wait for another run, a few times."""
        given_up = [pair for pair in ended.unreachable if self.state.failed.get(pair.decision_id, 0) + 1 >= MAX_TRIES]
        again = [pair.decision_id for pair in ended.unreachable if pair not in given_up]
        if given_up:
            ended.tally.counts["failed"] = ended.tally.counts.get("failed", 0) + len(given_up)
        if ended.unreachable:
            self._advance(given_up, {"failed": len(given_up)} if given_up else {}, again)

    def close(self) -> None:
        """Seal what was written."""
        self._signals.close()
        self._calls.close()

    def _advance(self, done: Sequence[AnswerPair], counts: Mapping[str, int], failed: Sequence[str] = ()) -> None:
        self.state = advanced(self.state, done, counts, failed, self._now())
        self._book.write(self.state)
