"""A small gateway whose traffic, reviewers and judge are drawn by the story's model, day by day, into a real store.

What is simulated: requests, whether an answer failed, what reviewers and the judge say of it. Everything else is what runs in production:
draws by the store's own rates, records, pairs, the judge's run over them, signals, conversion, and the keeper's look at the end of a day.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from undertow.adapters.store.compaction import compact
from undertow.adapters.store.layout import utc_text
from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.row_log import CALLS, PAIRS, RowLog
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.bootstrap.judge import JudgeSetUp, judge_store
from undertow.bootstrap.sampling import SamplingFile
from undertow.bootstrap.tuning import audit_settings_of
from undertow.bootstrap.watching import Watched, watch_store
from undertow.records.decision import Call, DecisionRecord
from undertow.records.review import ReviewRules
from undertow.records.runtime_files import SAMPLING
from undertow.records.sampling import Drawn
from undertow.records.serving import (
    JudgePlan,
    PolicyPlan,
    ReviewPlan,
    ServingPlan,
    ShadowPlan,
    StorePlan,
    TierPlan,
    TuningPlan,
)
from undertow.records.signal import SignalRecord
from undertow.records.watched import AnswerPair, Vote, WatchingCall
from undertow.reviewing.cases import Case
from undertow.reviewing.labels import signal_of
from undertow.reviewing.resolving import tally_votes
from undertow.sampling.long_tail import long_tail_score
from undertow.simulation.story import StoryModel, hidden_share, rollout
from undertow.simulation.story_judged import shadow_pairs

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY_S = 86_400
TIERS = ("cheap", "capable")
INTENTS = ("account", "delivery", "returns", "billing", "product", "other")
CHEAP_USD, CAPABLE_USD, VERDICT_USD = 0.001, 0.004, 0.001
BETTER, ALIKE, WORSE = "A better answer.", "Another answer, as good.", "A worse answer."
HOLDOUT = 0.05
MARGIN = 0.10
"""Of the level monitors: from the first day on the cheap model of the story loses three points, and seven in its worst segment."""


def prefer(_request: str, answer: str, other: str | None, _rubric: str) -> str:
    """The judge: what it says was drawn when the pair was made."""
    return "A" if answer == BETTER or other == WORSE else "B" if other == BETTER or answer == WORSE else "tie"


@dataclass(frozen=True)
class Design:
    """How a world is watched.

    Attributes:
        decisions: Decisions a day in the log.
        alone: Share of confident failures that a reviewer sees in an answer alone.
        beside: The same beside the second answer.
        is_judged: There is a judge.
        judge_drift: Good answers that the judge flags in addition from day 30 on.
    """

    decisions: int = 4_000
    alone: float = 0.5
    beside: float = 0.8
    is_judged: bool = True
    judge_drift: float = 0.0


@dataclass
class Day:
    """What a day brought.

    Attributes:
        reviews: Decisions drawn for review, by tier.
        pairs: Second answers.
        usd: What they and the judge cost.
    """

    reviews: dict[str, int] = field(default_factory=dict)
    pairs: int = 0
    usd: float = 0.0


class World:
    """One store, from its first day on.

    Args:
        root: The store's folder.
        model: The story; its reviewers' sensitivity is that of the design.
        design: How it is watched.
        seed: Of everything drawn but the draws themselves, which are a hash.
    """

    def __init__(self, root: Path, model: StoryModel, design: Design, seed: int) -> None:
        self.root, self.model, self.design = root, model, design
        self._rng = np.random.default_rng((seed, 77))
        self._name = f"{seed}"
        cheap = design.decisions * model.eligible_share * (1.0 - HOLDOUT)
        self.review = ReviewPlan(per_day=model.reviews_per_day)
        # As many pairs as the whole product would have, of a smaller log.
        self.shadow = ShadowPlan(share=min(1.0, shadow_pairs(model, model.days) / cheap), budget_usd_day=100.0)
        self._judge = JudgePlan(
            function=f"{__name__}:prefer", both_orders=False, usd_per_call=VERDICT_USD, budget_usd_day=100.0
        )
        tiers = tuple(TierPlan(name=name, model=name, endpoints=()) for name in TIERS)
        policy = PolicyPlan(name="auto", version="v1", kind="cascade", tiers=TIERS)
        self._store = StorePlan(path=str(root))
        plan = ServingPlan(tiers=tiers, policies=(policy,), review=self.review, shadow=self.shadow, store=self._store)
        self._rates = SamplingFile(root / SAMPLING, plan)
        self.monitors = TuningPlan(monitors_margin=MARGIN, segments=("intent",))
        self._waiting: list[tuple[Case, bool, bool]] = []
        self._open = frozenset(INTENTS)
        self.days = 0

    @property
    def now(self) -> datetime:
        """The end of the last day."""
        return START + timedelta(days=self.days)

    def live(self) -> Day:
        """One more day: requests, second answers, the judge's verdicts on them, and reviews of what was drawn the day before."""
        found = Day()
        day, start_s = self.days, self.now.timestamp()
        self.days += 1
        self._rates.refresh(start_s)
        rates = self._rates()
        assert rates is not None
        clock = lambda: start_s + DAY_S / 2  # noqa: E731
        log = StoreDecisionLog(self._store, "w0", clock=clock)
        pairs: list[AnswerPair] = []
        cases: list[tuple[Case, bool, bool]] = []
        for row in self._requests(day, start_s):
            drawn = rates.draw(
                rates.number(row.decision_id), row.tier, {"intent": row.intent}, long_tail_score(row.confidence),
                for_review=True, for_shadow=row.tier != TIERS[-1],
            )  # fmt: skip
            log.finish(self._record(row, drawn))
            chosen = {draw.purpose: draw for draw in drawn if draw.chosen}
            shadow, review = chosen.get("shadow"), chosen.get("review")
            if shadow is not None:
                pairs.append(self._pair(row, shadow))
            if review is not None:
                found.reviews[row.tier] = found.reviews.get(row.tier, 0) + 1
                cases.append(self._reviewed(row, review, is_pair=shadow is not None))
        log.close()
        found.pairs = len(pairs)
        found.usd = len(pairs) * (CAPABLE_USD + VERDICT_USD * self.design.is_judged)
        self._keep(pairs, start_s)
        self._publish(start_s)
        self._waiting = cases
        compact(self.root, grace_s=0.0)
        return found

    def look(self) -> Watched:
        """The keeper's look at the end of the day."""
        settings = audit_settings_of(self.monitors, TIERS)
        return watch_store(self.root, settings, self.review, self.shadow, TIERS, self.now)

    def open_segments(self) -> frozenset[str]:
        """Intents whose requests may be served cheap today."""
        return frozenset(INTENTS)

    def _requests(self, day: int, start_s: float) -> "list[_Request]":
        m, rng, n = self.model, self._rng, self.design.decisions
        held = rng.random(n) < HOLDOUT
        is_cheap = ~held & (rng.random(n) < m.eligible_share * rollout(m, day))
        hidden = rng.random(n) < hidden_share(m, day)
        place = np.where(
            hidden,
            rng.choice(len(INTENTS), n, p=m.hidden_segment_shares),
            rng.choice(len(INTENTS), n, p=m.segment_shares),
        )
        self._open = self.open_segments()
        is_cheap &= np.array([intent in self._open for intent in INTENTS])[place]
        tail = rng.random(n) < np.where(hidden, m.tail_hidden, m.tail_share)
        # Of the cheap tier's answers; what the policy sends up is less certain.
        confidence = np.where(tail, rng.uniform(0.70, 0.80, n), rng.uniform(0.80, 0.99, n)) - 0.4 * ~is_cheap
        fails = np.where(is_cheap, np.where(hidden, m.fail_hidden, m.fail_normal), m.capable_fail)
        failed = rng.random(n) < fails
        other_failed = rng.random(n) < m.capable_fail
        false = m.judge_flagged_falsely + (self.design.judge_drift if day >= 30 else 0.0)
        other_flagged = rng.random(n) < np.where(other_failed, m.judge_seen_normal, false)
        flagged = rng.random(n) < np.where(failed, np.where(hidden, m.judge_seen_hidden, m.judge_seen_normal), false)
        at = start_s + np.sort(rng.uniform(0.0, DAY_S - 60.0, n))
        return [
            _Request(
                f"{self._name}-{day}-{i}", at_s, TIERS[not cheap], INTENTS[where], "holdout" if is_held else "treatment",
                round(sure, 4), bool(hid), bool(bad), bool(other), bool(flag), bool(other_flag),
            )
            for i, (at_s, cheap, where, is_held, sure, hid, bad, other, flag, other_flag) in enumerate(
                zip(at.tolist(), is_cheap.tolist(), place.tolist(), held.tolist(), confidence.tolist(), hidden.tolist(),
                    failed.tolist(), other_failed.tolist(), flagged.tolist(), other_flagged.tolist(), strict=True)
            )
        ]  # fmt: skip

    def _record(self, row: "_Request", drawn: tuple[Drawn, ...]) -> DecisionRecord:
        cost = CHEAP_USD if row.tier == "cheap" else CAPABLE_USD
        reason = "routed_back" if row.intent not in self._open else "confident" if row.tier == "cheap" else "unsure"
        return DecisionRecord(
            decision_id=row.decision_id, event_time=utc_text(row.at_s), segment={"intent": row.intent}, policy="auto",
            policy_version="v1", mode="route", eligible=True, arm=row.arm,
            arm_probability=HOLDOUT if row.arm == "holdout" else 1.0 - HOLDOUT, propensity=1.0, first_tier=row.tier,
            tier=row.tier, model=row.tier, escalated=False, reason=reason,
            confidence=row.confidence, threshold=0.65, calls=(Call(tier=row.tier, model=row.tier, cost_usd=cost),), cost_usd=cost,
            baseline_cost_usd=CAPABLE_USD, status="ok", draws=drawn or None,
        )  # fmt: skip

    def _pair(self, row: "_Request", draw: Drawn) -> AnswerPair:
        return AnswerPair(
            decision_id=row.decision_id, event_time=utc_text(row.at_s), answered_at=utc_text(row.at_s + 5), tier=row.tier,
            model=row.tier, reference_tier=TIERS[-1], reference_model=TIERS[-1], segment={"intent": row.intent},
            inclusion_probability=draw.inclusion_probability, stratum=draw.stratum, confidence=row.confidence,
            prompt="A question.", answer="An answer.", reference_answer=BETTER if row.is_flagged and not row.other_is_flagged else WORSE if row.other_is_flagged and not row.is_flagged else ALIKE,
        )  # fmt: skip

    def _reviewed(self, row: "_Request", draw: Drawn, *, is_pair: bool) -> tuple[Case, bool, bool]:
        """What is to be reviewed, whether the reviewer will flag it, and whether the answer beside it."""
        case = Case(
            row.decision_id, row.at_s, row.tier, {"intent": row.intent}, draw.stratum, draw.inclusion_probability,
            "A question.", "An answer.", ALIKE if is_pair else None,
        )  # fmt: skip
        m = self.model
        hidden = self.design.beside if is_pair else self.design.alone
        seen = hidden if row.is_hidden and row.tier == "cheap" else m.seen_normal
        chances = self._rng.random(2)
        return (
            case,
            bool(chances[0] < (seen if row.has_failed else m.flagged_falsely)),
            bool(chances[1] < (m.seen_normal if row.other_failed else m.flagged_falsely)),
        )

    def _keep(self, pairs: list[AnswerPair], start_s: float) -> None:
        """Second answers and their cost, then the judge over those that wait."""
        clock = lambda: start_s + DAY_S - 60  # noqa: E731
        for folder, rows in ((PAIRS, pairs), (CALLS, [_call(pair) for pair in pairs])):
            log = RowLog(self.root, folder, "keeper", clock=clock)
            if rows:
                log.append(*rows)
            log.close()
        if self.design.is_judged:
            at = datetime.fromtimestamp(clock(), UTC)
            done = judge_store(JudgeSetUp(self._store, self._judge, {}, "keeper", lambda: at))
            assert done.waiting == 0, done
        for old in sorted((self.root / PAIRS).glob("*"))[:-3]:  # as `retention.sampled_text_days` would
            old.unlink()

    def _publish(self, start_s: float) -> None:
        """What was drawn yesterday is reviewed today."""
        rules, at_s = ReviewRules(), start_s + DAY_S / 2
        signals = []
        for case, is_flagged, is_other_flagged in self._waiting:
            vote = Vote(
                vote_id=f"v-{case.decision_id}", decision_id=case.decision_id, at=utc_text(at_s), rater="ann",
                value=1.0 - is_flagged,
                reference_value=None if case.reference_answer is None else 1.0 - is_other_flagged,
                is_side_by_side=case.reference_answer is not None,
            )  # fmt: skip
            tally = tally_votes([vote], rules).by_id[case.decision_id]
            signal = signal_of(case, tally, rules, at_s, lambda name: f"reviewer:{name}")
            assert isinstance(signal, SignalRecord)
            signals.append(signal)
        if signals:
            log = StoreSignalLog(self._store, "review", clock=lambda: at_s)
            log.add(tuple(signals))
            log.close()


@dataclass(frozen=True, slots=True)
class _Request:
    """One request and the truth about its answers."""

    decision_id: str
    at_s: float
    tier: str
    intent: str
    arm: str
    confidence: float
    is_hidden: bool
    has_failed: bool
    other_failed: bool
    is_flagged: bool
    other_is_flagged: bool


def _call(pair: AnswerPair) -> WatchingCall:
    return WatchingCall(
        decision_id=pair.decision_id, at=pair.answered_at, purpose="shadow", tier=TIERS[-1], segment=pair.segment,
        model=TIERS[-1], cost_usd=CAPABLE_USD,
    )  # fmt: skip
