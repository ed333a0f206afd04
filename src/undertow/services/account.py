"""The account of one request: every call that was made for it, what it cost, what was delivered, and the one record of it all."""

import logging
from collections.abc import Mapping

import msgspec

from undertow.policies.base import NOT_JUDGED, Ask, Commit, Judgement, Release
from undertow.policies.evidence import features_of
from undertow.ports.reply import Reply, ServedBy
from undertow.ports.upstream import UpstreamFailedError
from undertow.records.answer import AnswerFacts, Usage
from undertow.records.decision import Call, DecisionRecord, Intent
from undertow.records.pricing import cost_usd
from undertow.records.sampling import Drawn
from undertow.records.serving import TierPlan
from undertow.sampling.long_tail import long_tail_score
from undertow.services.routing import Incoming, RouterParts

log = logging.getLogger("undertow.route")

DRAWABLE = frozenset({"ok", "fallback"})
"""Statuses of decisions that can be looked at: they were served whole."""


class Account:
    """Kept by whoever routes the request; writes exactly one record.

    Args:
        parts: Of the router.
        tiers: All tiers by name; the last is the capable one.
        incoming: The request.
        reply: The way back to its caller.

    Attributes:
        parts: Of the router.
        rates: By which it is drawn, those in force when it came, or None: it is not drawn.
        keeps_text: The answer's text is needed: the log keeps it, or the decision may turn out to be chosen.
        tiers: All tiers by name.
        incoming: The request.
        reply: The way back to its caller.
        done: The caller has all that it will get.
        calls: Upstream calls so far.
        ask: What the policy asked for last.
        first_tier: Tier that was asked first.
        failure: Why the last tier that failed did.
        committed_tokens: Tokens of the answer that had come when its beginning was served, or None: none was.
        sent_chars: Characters of the answer that were sent.
        ttft_ms: When the first piece was sent.
        recorded: The record is written.
    """

    __slots__ = (
        "_capable",
        "_hides_text",
        "_may_be_chosen",
        "_number",
        "ask",
        "calls",
        "committed_tokens",
        "done",
        "failure",
        "first_tier",
        "incoming",
        "keeps_text",
        "parts",
        "rates",
        "recorded",
        "reply",
        "sent_chars",
        "tiers",
        "ttft_ms",
    )

    def __init__(self, parts: RouterParts, tiers: Mapping[str, TierPlan], incoming: Incoming, reply: Reply) -> None:
        self.parts = parts
        self.tiers = tiers
        self._capable = parts.plan.tiers[-1]
        self.incoming = incoming
        self.reply = reply
        self.rates = parts.draws() if parts.draws is not None and incoming.origin == "live" else None
        self.keeps_text = parts.keeps_text
        self._hides_text = self._may_be_chosen = False
        if self.rates is not None:
            self._number = self.rates.number(incoming.decision_id)
            self._may_be_chosen = self.rates.may_choose(self._number)
            if self._may_be_chosen and not self.keeps_text:
                self.keeps_text = True
                policy = incoming.placement.policy
                self._hides_text = policy is None or not policy.needs.text
        self.done = False
        self.calls: list[Call] = []
        self.ask: Ask | Release | Commit | None = None
        self.first_tier: str | None = None
        self.failure: UpstreamFailedError | None = None
        self.committed_tokens: int | None = None
        self.sent_chars = 0
        self.ttft_ms: float | None = None
        self.recorded = False

    def decided(self, facts: AnswerFacts | None) -> tuple[str | None, Judgement]:
        """Mode observe: what the policy would have served given the whole answer, and its judgement; whoever drives one overrides it."""
        del facts
        return None, NOT_JUDGED

    def judged(self, facts: AnswerFacts) -> AnswerFacts:
        """An answer as a policy sees it. Text that is kept for a draw alone is not shown: what is drawn must not be judged by more."""
        return msgspec.structs.replace(facts, text=None, written=None) if self._hides_text else facts

    def drawn(self, tier: str | None, status: str, judgement: Judgement) -> tuple[Drawn, ...]:
        """Draw the decision. Only a tier below the capable one is answered a second time, and only where its policy routed."""
        rates, incoming = self.rates, self.incoming
        if rates is None or tier is None or status not in DRAWABLE:
            return ()
        agreement = judgement.features.get("agreement") if judgement.features else None
        score = long_tail_score(judgement.confidence, judgement.novelty, None if agreement is None else 1.0 - agreement)
        placement = incoming.placement
        is_comparable = placement.mode == "route" and placement.arm != "holdout" and status == "ok"
        # A caller who is held to other tiers, or asked for this one, must not have the request sent to the capable one.
        is_comparable = is_comparable and self._capable.name in placement.setting.tiers
        return rates.draw(
            self._number,
            tier,
            incoming.facts.segment,
            score,
            for_review=True,
            for_shadow=is_comparable and tier != self._capable.name,
        )

    def price(self, tier: str, usage: Usage | None) -> float | None:
        """What `usage` costs at a tier, or None where price or usage are unknown."""
        return None if usage is None else cost_usd(self.tiers[tier].prices, usage)

    def baseline_usd(self, tier: str, usage: Usage | None, segment: Mapping[str, str]) -> float | None:
        """What the capable tier alone would have cost; None where it cannot be estimated."""
        if usage is None:
            return None
        if tier == self._capable.name:
            return cost_usd(self._capable.prices, usage)
        ratio = self.parts.length_ratio(tier, segment)
        if ratio is None:
            return None
        return cost_usd(
            self._capable.prices,
            Usage(
                input_tokens=usage.input_tokens,
                cached_tokens=usage.cached_tokens,
                audio_input_tokens=usage.audio_input_tokens,
                output_tokens=round(usage.output_tokens * ratio),
            ),
        )

    def add_call(self, tier: str, facts: AnswerFacts | None, began: float, status: str, purpose: str = "serve") -> int:
        """Note an upstream call; returns its place among the calls."""
        usage = facts.usage if facts is not None else None
        self.calls.append(
            Call(
                tier=tier,
                model=(facts.model if facts is not None else None) or self.tiers[tier].model,
                purpose=purpose,
                input_tokens=usage.input_tokens if usage else None,
                cached_tokens=usage.cached_tokens if usage else None,
                output_tokens=usage.output_tokens if usage else None,
                reasoning_tokens=usage.reasoning_tokens if usage else None,
                cost_usd=self.price(tier, usage),
                latency_ms=round((self.parts.now() - began) * 1000, 2),
                status=status,
            )
        )
        return len(self.calls) - 1

    def discard(self, place: int) -> None:
        """Mark a whole answer that was paid for and is not served."""
        self.calls[place] = msgspec.structs.replace(self.calls[place], status="discarded")

    def elapsed_ms(self) -> float:
        """Since the request arrived."""
        return round((self.parts.now() - self.incoming.began) * 1000, 2)

    def good_status(self) -> str:
        """Status of an answer that was served whole."""
        return "fallback" if self.failure is not None else "ok"

    def served_by(self, tier: str | None) -> ServedBy:
        """What the caller is told beside the answer."""
        policy, ask = self.incoming.placement.policy, self.ask
        return ServedBy(
            self.incoming.decision_id,
            tier,
            self.tiers[tier].model if tier is not None else None,
            policy.name if policy is not None else None,
            ask.judgement.confidence if ask is not None else None,
        )

    def intent(self) -> Intent:
        """What is written before the first upstream call."""
        incoming, placement = self.incoming, self.incoming.placement
        facts, policy = incoming.facts, placement.policy
        return Intent(
            decision_id=incoming.decision_id,
            event_time=incoming.event_time,
            conversation_id=facts.conversation_id,
            user_id=facts.user_id,
            segment=facts.segment or None,
            policy=policy.name if policy is not None else None,
            policy_version=policy.version if policy is not None else None,
            mode=placement.mode,
            origin=incoming.origin,
            eligible=placement.setting.eligible,
            arm=placement.arm,
            arm_probability=placement.arm_probability,
            requested_model=facts.requested_model,
            prompt_hash=facts.prompt_hash,
            endpoint=facts.endpoint,
            key_name=incoming.key_name,
            client_retry=incoming.client_retry,
            trace_id=incoming.trace_id,
            span_id=incoming.span_id,
            parent_span_id=incoming.parent_span_id,
        )

    def record(
        self, facts: AnswerFacts | None, *, status: str, tier: str | None = None, error: str | None = None
    ) -> None:
        """Write the one record of this request."""
        assert not self.recorded, "one record a request"
        self.recorded = True
        incoming, placement, ask = self.incoming, self.incoming.placement, self.ask
        known, policy = incoming.facts, placement.policy
        judgement = ask.judgement if ask is not None else NOT_JUDGED
        reason = ask.reason if ask is not None else placement.reason
        decided_tier = tier
        if placement.observed_tier is not None:
            # The beginning of an answer says nothing of the whole.
            decided_tier, judgement = self.decided(facts if error is None else None)
        usage = facts.usage if facts is not None else None
        costs = [call.cost_usd for call in self.calls if call.cost_usd is not None]
        is_empty = facts is not None and facts.is_empty and error is None
        answer_text = facts.text if facts is not None else None
        draws = self.drawn(tier, status, judgement)
        record = DecisionRecord(
            decision_id=incoming.decision_id,
            event_time=incoming.event_time,
            conversation_id=known.conversation_id,
            user_id=known.user_id,
            segment=known.segment or None,
            policy=policy.name if policy is not None else None,
            policy_version=policy.version if policy is not None else None,
            calibration_version=judgement.calibration_version,
            mode=placement.mode,
            origin=incoming.origin,
            eligible=placement.setting.eligible,
            arm=placement.arm,
            arm_probability=placement.arm_probability,
            propensity=ask.propensity if ask is not None and tier is not None else None,
            first_tier=self.first_tier,
            tier=tier,
            requested_model=known.requested_model,
            model=None if tier is None else (facts.model if facts is not None else None) or self.tiers[tier].model,
            model_fingerprint=facts.fingerprint if facts is not None else None,
            escalated=ask.escalated if ask is not None else False,
            reason=reason,
            score=judgement.score,
            confidence=judgement.confidence,
            threshold=judgement.threshold,
            confidence_kind=judgement.confidence_kind,
            novelty=judgement.novelty,
            input_tokens=usage.input_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            calls=tuple(self.calls) or None,
            cost_usd=sum(costs) if costs else None,
            baseline_cost_usd=self.baseline_usd(tier, usage, known.segment) if tier is not None else None,
            latency_ms=self.elapsed_ms(),
            ttft_ms=self.ttft_ms,
            status=status,
            finish_reason=facts.finish_reason if facts is not None else None,
            prompt_hash=known.prompt_hash,
            prompt=self.kept(incoming.prompt),
            response=self.kept(answer_text),
            endpoint=known.endpoint,
            key_name=incoming.key_name,
            decided_tier=decided_tier,
            error="empty_answer" if is_empty else error,
            delivered_chars=self.sent_chars if tier is not None else None,
            client_retry=incoming.client_retry,
            trace_id=incoming.trace_id,
            span_id=incoming.span_id,
            parent_span_id=incoming.parent_span_id,
            features=self.features(judgement, facts if error is None else None),
            committed_tokens=self.committed_tokens if tier is not None else None,
            draws=draws or None,
        )
        self.parts.decisions.finish(record)
        self.parts.on_record(record, incoming, self.without_evidence(facts))
        if self._may_be_chosen and facts is not None and any(each.chosen for each in draws):
            assert self.parts.on_drawn is not None, "who draws takes what is drawn"
            self.parts.on_drawn(record, incoming, facts)

    def features(self, judgement: Judgement, facts: AnswerFacts | None) -> dict[str, float] | None:
        """What the answer was judged by. One that was committed was judged by its beginning: what the whole shows is added, since a calibration to
        come needs it to tell what other thresholds would have done.
        """
        if self.committed_tokens is None or facts is None:
            return judgement.features or None
        measured = {} if judgement.novelty is None else {"novelty": judgement.novelty}
        return features_of(self.judged(facts), self.incoming.facts, measured) | (judgement.features or {})

    def without_evidence(self, facts: AnswerFacts | None) -> AnswerFacts | None:
        """What others may know of an answer: not its text, nor its tokens, which only the policy needed."""
        if facts is None or (facts.text is None and facts.tokens is None):
            return facts
        if self.parts.keeps_text:
            return msgspec.structs.replace(facts, tokens=None)
        return msgspec.structs.replace(facts, text=None, written=None, tokens=None)

    def kept(self, text: str | None) -> str | None:
        """A text as it may be written: through the redaction hook, and not at all where that fails."""
        parts = self.parts
        if text is None or not parts.keeps_text:
            return None
        if parts.redact is None:
            return text
        try:
            return parts.redact(text)
        except Exception as error:  # noqa: BLE001 (the user's hook: a text that could not be cleaned is not kept)
            # Not its message, nor its traceback: either may quote the text, and in a client's process the log is not ours.
            log.error(  # noqa: TRY400
                "redaction_failed", extra={"decision_id": self.incoming.decision_id, "error": type(error).__name__}
            )
            return None
