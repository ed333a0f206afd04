"""The live policy and its tiers as a suite asks them: in this process, with the store's thresholds, recorded with origin `suite`."""

import os
import time
from collections.abc import Mapping

from msgspec.structs import replace

from undertow.adapters.wire import dialects
from undertow.bootstrap.gateway import build_engine
from undertow.client.answer import encode_body
from undertow.client.reply import MemoryReply
from undertow.client.sink import Sink
from undertow.ports.suite import TargetAnswer
from undertow.ports.wire import WireError
from undertow.records.answer import AnswerFacts, Evidence
from undertow.records.decision import DecisionRecord
from undertow.records.serving import ServingPlan
from undertow.records.suite import ROUTED, SuiteCase
from undertow.services.admit import Context
from undertow.services.routing import Incoming

PATH = "/v1/chat/completions"
TEXT = Evidence(text=True)
PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 that may pass."""


class EngineTargets:
    """Implements `undertow.ports.suite.SuiteTargets`.

    Args:
        plan: The serving plan.
        env: Environment with the keys that it names.
        sink: Where records go.
        policy: Policy that routes.

    Raises:
        ConfigError: The plan cannot be served.
    """

    def __init__(self, plan: ServingPlan, env: Mapping[str, str], sink: Sink, policy: str) -> None:
        self._policy, self._sink = policy, sink
        self._records: dict[str, DecisionRecord] = {}
        self._dialect = dialects()[PATH]
        self._engine = build_engine(plan, env, decisions=sink.decisions, signals=sink.signals, on_record=self._note)

    async def ask(self, case: SuiteCase, target: str) -> TargetAnswer:
        """Send a case."""
        wall_s, began = time.time(), time.perf_counter()
        ms = int(wall_s * 1000)
        decision_id = f"{ms:012x}{os.urandom(10).hex()}"
        event_time = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms // 1000))}.{ms % 1000:03d}Z"
        self._sink.tick()
        self._engine.refresh()
        model = self._policy if target == ROUTED else target
        try:
            body = encode_body({"model": model, "messages": case.messages})
            context = Context(decision_id, event_time, began, case.segment, origin="suite")
            incoming = self._engine.admission.admit(self._dialect, body, context)
        except WireError as error:
            status = "not_allowed" if error.status == 403 else "failed"
            return TargetAnswer(status=status, why=f"refused: {error.code or 'invalid_request'}")
        if target != ROUTED and incoming.placement.policy is None and incoming.placement.setting.tiers != (target,):
            return TargetAnswer(status="not_allowed", why="constraint")
        reply = MemoryReply()
        await self._engine.router.route(incoming, reply)
        record = self._records.pop(decision_id, None)
        return self._answer(incoming, reply, record, decision_id)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._engine.aclose()

    def _note(self, record: DecisionRecord, _incoming: Incoming, _facts: AnswerFacts | None) -> None:
        self._records[record.decision_id] = record

    def _answer(
        self, incoming: Incoming, reply: MemoryReply, record: DecisionRecord | None, decision_id: str
    ) -> TargetAnswer:
        base = TargetAnswer(status="failed", decision_id=decision_id)
        if record is not None:
            base = TargetAnswer(
                status="failed",
                decision_id=decision_id,
                tier=record.tier,
                model=record.model,
                fingerprint=record.model_fingerprint,
                policy_version=record.policy_version,
                calibration_version=record.calibration_version,
                cost_usd=record.cost_usd,
                why=record.error,
            )
        if reply.status >= 400:
            passes = reply.status >= 500 or reply.status in PASSING
            return replace(base, is_worth_a_retry=passes, why=base.why or f"http_{reply.status}")
        try:
            facts = self._dialect.read_answer(incoming.read, bytes(reply.body), evidence=TEXT).facts
        except ValueError:
            return replace(base, why="no_answer")
        return replace(base, status="ok", text=facts.text or facts.written or "", why=None)
