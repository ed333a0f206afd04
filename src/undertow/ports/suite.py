"""What a run of a suite needs from outside: somebody who answers, somebody who scores, and a place for the results."""

from typing import Literal, Protocol

import msgspec

from undertow.records.suite import RunResults, SuiteCase


class TargetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of sending one case to one target.

    Attributes:
        status: `ok`, `failed`, or `not_allowed`: a constraint keeps such requests from this tier, and nothing was sent.
        text: The answer; empty unless `ok`.
        decision_id: Of its record in the log.
        tier, model, fingerprint: What answered.
        policy_version, calibration_version: What routed.
        cost_usd: Of all calls for it, or None: not known.
        is_worth_a_retry: It failed in a way that may pass.
        why: Why it failed, in a few words.
    """

    status: Literal["ok", "failed", "not_allowed"]
    text: str = ""
    decision_id: str | None = None
    tier: str | None = None
    model: str | None = None
    fingerprint: str | None = None
    policy_version: str | None = None
    calibration_version: str | None = None
    cost_usd: float | None = None
    is_worth_a_retry: bool = False
    why: str | None = None

    def __repr__(self) -> str:
        return f"TargetAnswer({self.status!r}, {len(self.text)} characters)"


class Grading(msgspec.Struct, frozen=True, kw_only=True):
    """What scored one answer.

    Attributes:
        score: In [0, 1], or None: it could not be scored.
        grader: What scored: another name is another grader, and what it scored is not compared.
        source: Of the signal: `exact:KIND` where the check has a right answer, else `judge:NAME`.
        cost_usd: Of a judge, or None: nothing, or not known.
        why: Why there is no score, in a few words.
    """

    score: float | None
    grader: str
    source: str
    cost_usd: float | None = None
    why: str | None = None


class SuiteTargets(Protocol):
    """The live policy and its tiers. Used from one event loop."""

    async def ask(self, case: SuiteCase, target: str) -> TargetAnswer:
        """Send a case to `routed` or to a tier. Never raises for what an upstream does."""
        ...


class SuiteGrader(Protocol):
    """Scores answers. Never raises for what an answer, a judge or a user's function does."""

    async def grade(self, case: SuiteCase, answer: str) -> Grading:
        """Score one answer."""
        ...


class RunBook(Protocol):
    """Keeps the runs of suites."""

    def add(self, found: RunResults) -> None:
        """Keep a run.

        Raises:
            OSError: It cannot be written.
        """
        ...

    def runs(self, suite: str, limit: int) -> list[RunResults]:
        """The last runs of a suite, oldest first, from its last baseline on; at most `limit`, of which half are the first ones.

        Raises:
            OSError: They cannot be read.
            LogError: One is damaged.
        """
        ...
