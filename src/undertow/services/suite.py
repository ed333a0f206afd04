"""Runs a suite: each case as the live policy routes it, and to each tier directly, at the same time and with the same labels."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from undertow.ports.audit_source import Progress, silent
from undertow.ports.decision_log import SignalLog
from undertow.ports.suite import Grading, SuiteGrader, SuiteTargets, TargetAnswer
from undertow.records.signal import SignalRecord
from undertow.records.suite import ROUTED, CaseResult, RunResults, Suite, SuiteCase, SuiteRun

RETRY_S = 1.0
"""Wait before the first retry; each further one waits twice as long."""

_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_SIGNALS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """How a suite is run.

    Attributes:
        tiers: Tiers that are asked directly, cheapest first.
        capable: The dearest tier of the settings.
        policy: Policy that routes.
        limit: Most cases, the first ones of the suite; None: all.
        concurrency: Requests that are on their way at once, at least 1.
        retries: Attempts after the first, where a failure may pass.
        budget_usd: No case is begun that would bring the cost beyond this; None: no limit.
        is_baseline: Comparisons begin anew with this run.
    """

    tiers: tuple[str, ...]
    capable: str
    policy: str
    limit: int | None = None
    concurrency: int = 4
    retries: int = 2
    budget_usd: float | None = None
    is_baseline: bool = False


@dataclass(frozen=True, slots=True)
class SuiteParts:
    """What a run takes from outside.

    Attributes:
        targets: Answers.
        grader: Scores.
        signals: Where scores go, as signals of kind `suite`.
        now: The time, aware.
        sleep: Waits some seconds.
        run_id: Id of the run.
    """

    targets: SuiteTargets
    grader: SuiteGrader
    signals: SignalLog
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    run_id: str


@dataclass(slots=True)
class _Spending:
    """What was spent, and what cases that are on their way may still cost."""

    limit_usd: float | None
    spent_usd: float = 0.0
    grading_usd: float = 0.0
    dearest_usd: float | None = None
    under_way: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def may_begin(self) -> bool:
        """Whether another case fits the budget. The first case goes alone: what a case costs is not known before it."""
        if self.limit_usd is None:
            return True
        while self.dearest_usd is None and self.under_way:
            self.done.clear()
            await self.done.wait()
        expected = (self.dearest_usd or 0.0) * (self.under_way + 1)
        return self.spent_usd + self.grading_usd + expected <= self.limit_usd

    def ended(self, usd: float, grading_usd: float) -> None:
        """A case has ended."""
        self.spent_usd += usd
        self.grading_usd += grading_usd
        self.dearest_usd = max(self.dearest_usd or 0.0, usd + grading_usd)
        self.under_way -= 1
        self.done.set()


class _Runner:
    """One run on its way."""

    def __init__(self, suite: Suite, options: SuiteOptions, parts: SuiteParts, progress: Progress) -> None:
        self.suite, self.options, self.parts, self.progress = suite, options, parts, progress
        self.spending = _Spending(options.budget_usd)
        self.results: dict[tuple[int, int], CaseResult] = {}
        self.signals: list[SignalRecord] = []
        self.versions: set[tuple[str | None, str | None]] = set()
        self.room = asyncio.Semaphore(options.concurrency)
        self.finished = 0

    async def case(self, place: int, case: SuiteCase) -> None:
        """Ask all targets, and score what they say."""
        usd = grading_usd = 0.0
        try:
            for order, target in enumerate((ROUTED, *self.options.tiers)):
                result, answer, grading = await self.one(case, target)
                self.results[place, order] = result
                usd += result.cost_usd or 0.0
                if grading is not None:
                    grading_usd += grading.cost_usd or 0.0
                    self.note(result, grading)
                if target == ROUTED and answer.policy_version is not None:
                    self.versions.add((answer.policy_version, answer.calibration_version))
        finally:
            self.spending.ended(usd, grading_usd)
        self.finished += 1
        self.progress("cases", self.finished, len(self.suite.cases))

    async def one(self, case: SuiteCase, target: str) -> tuple[CaseResult, TargetAnswer, Grading | None]:
        """Ask one target until it answers or nothing more is to be hoped for, and score the answer. All attempts count in the cost."""
        costs: list[float] = []
        retries = 0
        async with self.room:
            answer = await self.parts.targets.ask(case, target)
            while answer.status == "failed" and answer.is_worth_a_retry and retries < self.options.retries:
                costs += [answer.cost_usd] if answer.cost_usd is not None else []
                await self.parts.sleep(RETRY_S * 2**retries)
                retries += 1
                answer = await self.parts.targets.ask(case, target)
            grading = await self.parts.grader.grade(case, answer.text) if answer.status == "ok" else None
        costs += [answer.cost_usd] if answer.cost_usd is not None else []
        result = CaseResult(
            case_id=case.case_id,
            digest=case.digest,
            target=target,
            status="ungraded" if grading is not None and grading.score is None else answer.status,
            weight=case.weight,
            segment=case.segment,
            score=None if grading is None else grading.score,
            grader="" if grading is None else grading.grader,
            answer_hash=answer_hash(answer.text) if answer.status == "ok" else None,
            decision_id=answer.decision_id,
            tier=answer.tier,
            model=answer.model,
            fingerprint=answer.fingerprint,
            cost_usd=sum(costs) if costs else None,
            retries=retries,
            why=answer.why if grading is None else grading.why,
        )
        return result, answer, grading

    def note(self, result: CaseResult, grading: Grading) -> None:
        """Remember a score as a signal. What was routed has a name of its own: a policy chose which tier it is about."""
        if grading.score is None or result.decision_id is None:
            return
        at = utc_text(self.parts.now())
        self.signals.append(
            SignalRecord(
                signal_id=f"suite-{result.decision_id}",
                event_time=at,
                decision_id=result.decision_id,
                kind="suite",
                name=signal_name(self.suite.name, result.target),
                value=grading.score,
                selection="sampled",
                inclusion_probability=1.0,
                received_at=at,
                source=grading.source,
            )
        )

    async def keep(self) -> None:
        """Bring the signals to the store."""
        while self.signals:
            batch = tuple(self.signals[:_SIGNALS_AT_ONCE])
            await asyncio.to_thread(self.parts.signals.add, batch)
            del self.signals[: len(batch)]


async def run_suite(
    suite: Suite, options: SuiteOptions, parts: SuiteParts, *, progress: Progress = silent
) -> RunResults:
    """Run a suite once.

    Args:
        suite: Its cases.
        options: How.
        parts: Who answers and scores, and where signals go.
        progress: Told after each case.

    Returns:
        The results, in the order of the suite. An answer that did not come is a result without a score.

    Raises:
        OSError: The signals cannot be written.
    """
    cases = suite.cases[: options.limit]
    began = parts.now()
    runner = _Runner(Suite(name=suite.name, cases=cases, digest=suite.digest), options, parts, progress)
    skipped = 0
    waiting: set[asyncio.Task[None]] = set()
    try:
        for place, case in enumerate(cases):
            if len(waiting) >= options.concurrency:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                _raise_any(done)
            if not await runner.spending.may_begin():
                skipped = len(cases) - place
                break
            runner.spending.under_way += 1
            waiting.add(asyncio.ensure_future(runner.case(place, case)))
        if waiting:
            done, waiting = await asyncio.wait(waiting)
            _raise_any(done)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await runner.keep()
    results = tuple(result for _, result in sorted(runner.results.items()))
    return RunResults(run=_head(suite, options, parts, runner, results, began, skipped), results=results)


def _raise_any(done: set[asyncio.Task[None]]) -> None:
    for task in done:
        task.result()


def _head(
    suite: Suite,
    options: SuiteOptions,
    parts: SuiteParts,
    runner: _Runner,
    results: tuple[CaseResult, ...],
    began: datetime,
    skipped: int,
) -> SuiteRun:
    models: dict[str, set[str]] = {}
    for one in results:
        if one.model is not None:
            models.setdefault(one.target, set()).add(f"{one.model} {one.fingerprint}" if one.fingerprint else one.model)
    policies = sorted({version for version, _ in runner.versions if version})
    calibrations = sorted({version for _, version in runner.versions if version})
    return SuiteRun(
        run_id=parts.run_id,
        suite=suite.name,
        digest=suite.digest,
        began_at=utc_text(began),
        ended_at=utc_text(parts.now()),
        tiers=options.tiers,
        capable=options.capable,
        policy=options.policy,
        policy_version=", ".join(policies) or None,
        calibration_version=", ".join(calibrations) or None,
        models={target: tuple(sorted(models[target])) for target in (ROUTED, *options.tiers) if target in models},
        graders=tuple(sorted({one.grader for one in results if one.grader})),
        cases=len({one.case_id for one in results}),
        skipped=skipped,
        cost_usd=runner.spending.spent_usd,
        grading_usd=runner.spending.grading_usd,
        is_baseline=options.is_baseline,
    )


def signal_name(suite: str, target: str) -> str:
    """Name of a suite's signals.

    Examples:
        >>> signal_name("support cases", "cheap"), signal_name("support cases", "routed")
        ('support_cases', 'support_cases.routed')
    """
    name = _NAME.sub("_", suite).strip("_") or "suite"
    return f"{name}.{ROUTED}" if target == ROUTED else name


def answer_hash(text: str) -> str:
    r"""Hash of an answer, white space apart: to tell one that stayed the same.

    Examples:
        >>> answer_hash("It is  5.") == answer_hash("It is 5.\n"), answer_hash("5") == answer_hash("6")
        (True, False)
    """
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "replace")).hexdigest()[:16]


def utc_text(at: datetime) -> str:
    """A time as records write it.

    Examples:
        >>> utc_text(datetime(2026, 3, 1, 12, tzinfo=UTC))
        '2026-03-01T12:00:00.000Z'
    """
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
