"""Judging pairs of answers: in a drawn order or in both, with a second look where an answer seems to talk to the judge.

One pair in, one label or a reason why there is none out. A verdict that is missing is never filled in: it is counted by its reason, and the share
that is missing is shown, since a judge that fails on hard requests only would otherwise make the rest look better than it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from undertow.judging.injection import without_suspicious
from undertow.judging.orders import Combined, Preference, combine, is_served_first, lean, preference, uniform
from undertow.judging.outcomes import values_of
from undertow.judging.prompts import fresh_nonce, grade_prompt, pair_prompt, readable, rubric_for
from undertow.judging.verdicts import Choice, read_choice, read_score
from undertow.ports.judge import Judge, JudgePrompt, JudgeReply
from undertow.records.answer import Usage
from undertow.records.moment import rfc3339
from undertow.records.pricing import cost_usd
from undertow.records.serving import JudgePlan
from undertow.records.signal import SignalRecord
from undertow.records.watched import AnswerPair, WatchingCall
from undertow.services.watching_budget import CostForecast, WatchingBudget

NoVerdict = Literal["refused", "unparsable", "timeout", "failed", "injected", "over_budget", "empty"]
Outcome = Literal[
    "wins",
    "ties",
    "losses",
    "refused",
    "unparsable",
    "timeout",
    "failed",
    "injected",
    "over_budget",
    "empty",
    "not_drawn",
]
"""What became of a pair, seen from the served answer. `empty`: neither answer holds anything; `not_drawn`: `judge.share` left it out."""

_OUTCOME_OF: Mapping[Preference, Outcome] = {"served": "wins", "tie": "ties", "reference": "losses"}


MEAN_ANSWER_TOKENS = 40
"""Output tokens of a verdict, for its forecast; what it did use is put down after it."""
MOST_ANSWER_TOKENS = 1024
"""What a judge may use up before it is cut."""
MAX_MODEL_CHARS = 200
"""Of the name that an upstream gives its model: that is text of a stranger's."""
_CHARS_PER_TOKEN, _FEWEST_CHARS_PER_TOKEN = 4, 2


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What judging takes from outside.

    Attributes:
        now: The time, aware.
        nonce: Another unforeseeable word each time.
        salt: Begins the hashes by which is drawn; kept for the life of a store.
    """

    now: Callable[[], datetime]
    nonce: Callable[[], str]
    salt: str = "undertow"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question that was asked, and its price."""

    reply: JudgeReply
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a judge says of two answers.

    Attributes:
        combined: The verdict, or None.
        missing: Why there is none, or None.
        lean: How far it leaned to the first place, in [-1, 1]; None where no question gave a verdict.
        is_suspicious: An answer holds sentences that may be meant for the judge; there was a second look.
        is_outage: The judge could not be reached.
        asked: All questions that were asked.
    """

    combined: Combined | None
    missing: NoVerdict | None = None
    lean: float | None = None
    is_suspicious: bool = False
    is_outage: bool = False
    asked: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """What became of one pair.

    Attributes:
        outcome: What.
        comparison: The judge's part in it; None where it was not drawn.
        signal: The label, or None.
        calls: For the ledger: what was asked, or that nothing was for want of money. Questions that reached nobody are left out.
    """

    outcome: Outcome
    comparison: Comparison | None = None
    signal: SignalRecord | None = None
    calls: tuple[WatchingCall, ...] = ()

    @property
    def is_outage(self) -> bool:
        """The judge could not be reached: the pair is not done."""
        return self.comparison is not None and self.comparison.is_outage


@dataclass(frozen=True, slots=True)
class Grade:
    """A judge's grade of one answer.

    Attributes:
        score: In [0, 1], or None.
        missing: Why there is none, or None.
        asked: The question, as it was asked; None: it was not.
    """

    score: float | None
    missing: NoVerdict | None
    asked: Asked | None


class PairJudge:
    """Asks one judge by one plan.

    Args:
        judge: Whom to ask.
        plan: Of `[judge]`.
        budget: The day's budget of the purpose `judge`; None: there is none.
        around: Time, nonces, salt.
    """

    def __init__(self, judge: Judge, plan: JudgePlan, budget: WatchingBudget | None, around: Surroundings) -> None:
        self._judge, self._plan, self._budget, self._around = judge, plan, budget, around

    async def judge_pair(self, pair: AnswerPair) -> JudgedPair:
        """Judge a pair of the store, if it is drawn."""
        plan = self._plan
        if uniform(self._around.salt, pair.decision_id, "judge") >= plan.share:
            return JudgedPair("not_drawn")
        probability = pair.inclusion_probability * min(1.0, plan.share)
        if (
            not 0.0 < probability <= 1.0
        ):  # a row that no draw of ours can have made: a label of it would count as anything
            return JudgedPair("failed", Comparison(None, "failed"))
        found = await self.compare(pair.decision_id, pair.prompt, pair.answer, pair.reference_answer, pair.segment)
        calls = self._calls(pair, found)
        if found.combined is None:
            assert found.missing is not None, "without a verdict there is a reason"
            return JudgedPair(found.missing, found, None, calls)
        better = found.combined.preference
        return JudgedPair(_OUTCOME_OF[better], found, self._signal(pair, better, probability), calls)

    async def compare(
        self, unit: str, request: str, served: str, reference: str, segment: Mapping[str, str]
    ) -> Comparison:
        """Which of two answers is better.

        Args:
            unit: By whose hash the order is drawn.
            request: What both answer.
            served: One answer.
            reference: The other one.
            segment: Labels, for the rubric.
        """
        limit = self._plan.max_chars
        texts = (readable(served, limit), readable(reference, limit))
        if not any(text.strip() for text in texts):
            return Comparison(None, "empty")
        if served == reference:
            return Comparison(Combined("tie"))  # nobody needs to be asked
        plain = await self._in_orders(unit, request, texts, segment)
        if plain.combined is None:
            return plain
        probe = (without_suspicious(texts[0]), without_suspicious(texts[1]))
        if probe == texts:
            return plain
        second = await self._in_orders(unit, request, probe, segment)
        asked = (*plain.asked, *second.asked)
        if second.combined is None:
            return Comparison(None, second.missing, plain.lean, True, second.is_outage, asked)
        if second.combined.preference != plain.combined.preference:
            return Comparison(None, "injected", plain.lean, True, asked=asked)
        return Comparison(plain.combined, None, plain.lean, True, asked=asked)

    async def grade(self, request: str, answer: str, segment: Mapping[str, str]) -> Grade:
        """How good one answer is. An answer that seems to talk to the judge is graded without what it says to it, too; grades that
        differ by more than a tenth are none.

        Args:
            request: What it answers.
            answer: The answer.
            segment: Labels, for the rubric.
        """
        shown = readable(answer, self._plan.max_chars)
        if not shown.strip():
            return Grade(None, "empty", None)
        first = await self._grade(request, shown, segment)
        probe = without_suspicious(shown)
        if first.score is None or probe == shown:
            return first
        second = await self._grade(request, probe, segment)
        if second.score is None:
            return Grade(None, second.missing, first.asked)
        return first if abs(second.score - first.score) <= 0.1 else Grade(None, "injected", first.asked)

    async def _grade(self, request: str, answer: str, segment: Mapping[str, str]) -> Grade:
        nonce = fresh_nonce(self._around.nonce, (request, answer))
        rubric = rubric_for(segment, self._plan.rubric, self._plan.rubrics)
        asked = await self._ask(grade_prompt(rubric, request, answer, nonce=nonce, max_chars=self._plan.max_chars))
        if asked is None:
            return Grade(None, "over_budget", None)
        if asked.reply.status != "ok":
            return Grade(None, asked.reply.status, asked)
        reading = read_score(asked.reply.text)
        return Grade(reading.score, None if reading.status == "ok" else reading.status, asked)

    async def _in_orders(
        self, unit: str, request: str, texts: tuple[str, str], segment: Mapping[str, str]
    ) -> Comparison:
        """The verdict from the drawn order, or from both."""
        drawn = is_served_first(self._around.salt, unit)
        asked: list[Asked] = []
        choices: list[Choice] = []
        preferences: list[Preference] = []
        for served_first in (drawn, not drawn) if self._plan.both_orders else (drawn,):
            first, second = texts if served_first else texts[::-1]
            nonce = fresh_nonce(self._around.nonce, (request, *texts))
            rubric = rubric_for(segment, self._plan.rubric, self._plan.rubrics)
            prompt = pair_prompt(rubric, request, first, second, nonce=nonce, max_chars=self._plan.max_chars)
            one = await self._ask(prompt)
            if one is None:
                return self._without("over_budget", choices, asked)
            asked.append(one)
            reply = one.reply
            if reply.status != "ok":
                return self._without(reply.status, choices, asked)
            reading = read_choice(reply.text)
            if reading.choice is None:
                assert reading.status != "ok", "a verdict that was read is there"
                return self._without(reading.status, choices, asked)
            choices.append(reading.choice)
            preferences.append(preference(reading.choice, served_first=served_first))
        both = combine(preferences[0], preferences[1] if len(preferences) > 1 else None)
        return Comparison(both, lean=lean(tuple(choices)), asked=tuple(asked))

    def _without(self, why: NoVerdict, choices: list[Choice], asked: list[Asked]) -> Comparison:
        """A half of two orders is no estimate of the place's pull: only whole pairs have a lean."""
        is_whole = len(choices) == (2 if self._plan.both_orders else 1)
        is_outage = bool(asked) and asked[-1].reply.is_outage
        return Comparison(None, why, lean(tuple(choices)) if is_whole else None, False, is_outage, tuple(asked))

    async def _ask(self, prompt: JudgePrompt) -> Asked | None:
        """Ask; None: the day's budget does not allow it."""
        if self._budget is None:
            reply = await self._judge.ask(prompt)
            return Asked(reply, self._cost_usd(reply))
        reservation = await self._budget.reserve(self._forecast(prompt))
        if reservation is None:
            return None
        cost: float | None = None
        try:
            reply = await self._judge.ask(prompt)
            cost = self._cost_usd(reply)
        finally:
            await self._budget.settle(reservation, cost)
        return Asked(reply, cost)

    def _forecast(self, prompt: JudgePrompt) -> CostForecast | None:
        each = self._plan.usd_per_call
        if each is not None:
            return CostForecast(each, each)
        chars = len(prompt.system) + len(prompt.user)
        expected = self._price(chars // _CHARS_PER_TOKEN, MEAN_ANSWER_TOKENS)
        bound = self._price(chars // _FEWEST_CHARS_PER_TOKEN, MOST_ANSWER_TOKENS)
        return None if expected is None or bound is None else CostForecast(expected, bound)

    def _price(self, input_tokens: int, output_tokens: int) -> float | None:
        return cost_usd(self._plan.prices, Usage(input_tokens=input_tokens, output_tokens=output_tokens))

    def _cost_usd(self, reply: JudgeReply) -> float | None:
        if reply.is_outage:
            return 0.0
        if self._plan.usd_per_call is not None:
            return self._plan.usd_per_call
        return None if reply.usage is None else cost_usd(self._plan.prices, reply.usage)

    def _calls(self, pair: AnswerPair, found: Comparison) -> tuple[WatchingCall, ...]:
        at = rfc3339(self._around.now())
        calls = [
            WatchingCall(
                decision_id=pair.decision_id,
                at=at,
                purpose="judge",
                tier="judge",
                segment=pair.segment,
                model=(one.reply.model or self._judge.name)[:MAX_MODEL_CHARS],
                input_tokens=None if one.reply.usage is None else one.reply.usage.input_tokens,
                cached_tokens=None if one.reply.usage is None else one.reply.usage.cached_tokens,
                output_tokens=None if one.reply.usage is None else one.reply.usage.output_tokens,
                cost_usd=one.cost_usd,
                latency_ms=round(one.reply.latency_ms, 2),
                status=one.reply.call_status,
            )
            for one in found.asked
            if not one.reply.is_outage
        ]
        if found.missing == "over_budget":
            calls.append(
                WatchingCall(
                    decision_id=pair.decision_id,
                    at=at,
                    purpose="judge",
                    tier="judge",
                    segment=pair.segment,
                    status="budget",
                )
            )
        return tuple(calls)

    def _signal(self, pair: AnswerPair, better: Preference, probability: float) -> SignalRecord:
        value, reference_value = values_of(better)
        return SignalRecord(
            # One label a decision and name: whoever judges it again, after a crash or with another model, adds none.
            signal_id=f"judge.{self._plan.name}:{pair.decision_id}",
            event_time=rfc3339(self._around.now()),
            decision_id=pair.decision_id,
            kind="judge",
            name=self._plan.name,
            value=value,
            selection="sampled",
            inclusion_probability=probability,
            source=f"judge:{self._judge.name}",
            reference_value=reference_value,
            stratum=pair.stratum,
        )
