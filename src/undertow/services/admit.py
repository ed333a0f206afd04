"""Admit one request: read its body, complete its labels and ids, find who decides, apply constraints, draw its arm.

Everything here is settled before any score is known, and none of it can be overridden by one. What cannot be admitted is
raised as a `WireError` with the status and code that the caller sees.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from undertow.policies.assignment import assign, uniform
from undertow.policies.base import Policy, Setting
from undertow.policies.constraints import is_never_cheap, usable_tiers
from undertow.policies.exposure import Restrictions, restricted
from undertow.ports.wire import Dialect, ReadRequest, WireError
from undertow.records.decision import DecisionRecord
from undertow.records.pseudonym import pseudonym
from undertow.records.request import RequestFacts
from undertow.records.serving import HoldoutPlan, KeyPlan, ServingPlan
from undertow.services.conversations import Stickiness
from undertow.services.routing import Incoming, Placement

AUTO = "auto"
NO_HOLDOUT = HoldoutPlan(share=0.0)
NO_RESTRICTIONS: Mapping[str, Restrictions] = MappingProxyType({})
PREFIX = "undertow/"
"""Models are also known as `undertow/auto` and so on, for clients that want a provider's name in front."""


class Context(msgspec.Struct, frozen=True, gc=False):
    """What is known of a request beside its body.

    Attributes:
        decision_id: Its id.
        event_time: When it arrived, RFC 3339.
        began: The same on the router's clock, in seconds.
        labels: Labels from headers; they come before those of the body.
        conversation_id: As given, or None: the body's.
        user_id: As given, or None: the body's.
        key: The gateway key that it came with, or None.
        headers: Headers for the upstream.
        client_retry: How often the caller's client had tried before.
        trace_id, span_id, parent_span_id: Trace context, or None.
        origin: `live`, or `suite`: no traffic, so it is not held out.
    """

    decision_id: str
    event_time: str
    began: float
    labels: Mapping[str, str]
    conversation_id: str | None = None
    user_id: str | None = None
    key: KeyPlan | None = None
    headers: Sequence[tuple[bytes, bytes]] = ()
    client_retry: int | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    origin: str = "live"


class Admission:
    """Admits requests under one plan.

    Args:
        plan: Tiers, policies, constraints and the holdout.
        policies: By name, as `undertow.policies.build` made them.
        speaks: Wire format -> tiers with an endpoint that speaks it.
        id_key: Key of pseudonyms, or None.
        stickiness: What is remembered of conversations; None: nothing.

    Attributes:
        restrictions: What restricts policies, by their names; it is replaced as a whole when that changes (`undertow.bootstrap.controls`).
    """

    def __init__(
        self,
        plan: ServingPlan,
        policies: Mapping[str, Policy],
        speaks: Mapping[str, frozenset[str]],
        id_key: bytes | None = None,
        stickiness: Stickiness | None = None,
    ) -> None:
        self.restrictions = NO_RESTRICTIONS
        self._stickiness = stickiness
        self._plan = plan
        self._policies = policies
        self._modes = {policy.name: policy.mode for policy in plan.policies}
        self._drawing = frozenset(policy.name for policy in plan.policies if policy.kind == "split")
        self._tiers_of = {policy.name: policy.tiers for policy in plan.policies}
        self._order = tuple(tier.name for tier in plan.tiers)
        self._speaks = speaks
        self._id_key = id_key
        self._context_tokens = {tier.name: tier.context_tokens for tier in plan.tiers}
        # A tier's own name comes before a model's; a model that several tiers share means the dearest of them.
        self._names = {tier.model: tier.name for tier in plan.tiers} | {tier.name: tier.name for tier in plan.tiers}

    @property
    def models(self) -> tuple[str, ...]:
        """Model names that callers may ask for, what is routed first."""
        return tuple(dict.fromkeys((*self._policies, *self._names)))

    def pseudonym(self, value: str | None) -> str | None:
        """A user's or conversation's id as it is stored."""
        return pseudonym(value, self._id_key)

    def admit(self, dialect: Dialect, body: bytes, context: Context) -> Incoming:
        """Read and place one request.

        Args:
            dialect: Its wire format.
            body: Its body.
            context: What is known beside it.

        Raises:
            WireError: 400 for a body that cannot be meant, 404 for an unknown model, 403 for a tier that is not allowed.
        """
        read = dialect.read_request(body, max_nesting=self._plan.limits.max_nesting)
        key, facts = context.key, read.facts
        labels = facts.segment
        if context.labels:
            labels = {**labels, **context.labels}
        if key is not None and key.labels:
            labels = {**labels, **key.labels}
        conversation_id = context.conversation_id or facts.conversation_id
        user_id = context.user_id or facts.user_id
        if self._id_key is not None:
            conversation_id, user_id = self.pseudonym(conversation_id), self.pseudonym(user_id)
        facts = msgspec.structs.replace(
            facts,
            segment=labels,
            conversation_id=conversation_id,
            user_id=user_id,
            allowed_tiers=key.tiers if key is not None and key.tiers else None,
        )
        placement = self.place(facts, dialect.kind, context.decision_id, context.origin)
        if self._stickiness is not None and placement.policy is not None and placement.mode == "route":
            setting = self._stickiness.settled(
                placement.setting, facts, placement.policy.name, key.name if key is not None else None, context.began
            )
            if setting is not placement.setting:
                placement = msgspec.structs.replace(placement, setting=setting)
        return Incoming(
            dialect=dialect,
            read=read,
            facts=facts,
            placement=placement,
            decision_id=context.decision_id,
            event_time=context.event_time,
            began=context.began,
            headers=tuple(context.headers),
            key_name=key.name if key is not None else None,
            client_retry=context.client_retry,
            trace_id=context.trace_id,
            span_id=context.span_id,
            parent_span_id=context.parent_span_id,
            origin=context.origin,
            prompt=_messages(read) if self._plan.store.keeps_text else None,
        )

    def place(self, facts: RequestFacts, kind: str, decision_id: str, origin: str = "live") -> Placement:
        """Find who decides, and settle eligibility, arm, draw and exposure.

        A suite asks what the policy does with a request: it is in no arm, or the holdout would answer some of its cases, and nothing restricts
        it. Neither does anything where the policy only observes.

        Raises:
            WireError: The model is unknown, or no tier may answer this request.
        """
        asked = facts.requested_model.removeprefix(PREFIX)
        policy = self._policies.get(asked)
        named_tier = None if policy is not None else self._names.get(asked)
        if policy is None and named_tier is None:
            raise self._unknown(asked)
        auto = self._policies[AUTO]
        if policy is None and self._modes[AUTO] == "observe":
            policy = auto
        if policy is None:
            assert named_tier is not None
            return self._direct(facts, kind, named_tier)
        constrained = usable_tiers(
            facts, self._plan.constraints, self._tiers_of[policy.name], self._context_tokens, self._speaks[kind]
        )
        if constrained.refused is not None:
            raise WireError(constrained.refused, param="model", code="tier_not_allowed", status=403)
        holdout = self._plan.holdout if origin == "live" else NO_HOLDOUT
        drawn = assign(holdout, facts, decision_id, needs_draw=policy.name in self._drawing)
        is_observed = self._modes[policy.name] == "observe"
        setting = Setting(
            tiers=constrained.tiers,
            eligible=constrained.eligible,
            is_holdout=drawn.is_holdout and not is_observed,
            treatment_probability=1.0 if is_observed else drawn.treatment_probability,
            draw=drawn.draw,
        )
        if is_observed:
            observed = named_tier if named_tier is not None else constrained.tiers[-1]
            self._check_allowed(facts, kind, observed)
            return Placement(policy, "observe", setting, observed_tier=observed)
        restrictions = self.restrictions.get(policy.name) if origin == "live" else None
        if restrictions is not None:
            # After the arm, and independent of it: arms and eligibility are as they would be without, and stay comparable.
            number = uniform(self._plan.holdout.salt, drawn.unit, "rollout")
            setting = restricted(setting, restrictions.holds(facts.segment, number))
        return Placement(policy, "route", setting, drawn.arm, drawn.arm_probability)

    def _direct(self, facts: RequestFacts, kind: str, tier: str) -> Placement:
        """The caller named a tier, and gets it; but what is never cheap goes to the capable tier all the same."""
        self._check_allowed(facts, kind, tier)
        capable = self._order[-1]
        reason = "requested"
        if tier != capable and is_never_cheap(facts, self._plan.constraints):
            self._check_allowed(facts, kind, capable)
            tier, reason = capable, "constraint"
        setting = Setting((tier,), eligible=False, is_holdout=False, treatment_probability=1.0, draw=0.0)
        return Placement(None, "route", setting, reason=reason)

    def _check_allowed(self, facts: RequestFacts, kind: str, tier: str) -> None:
        if facts.allowed_tiers is not None and tier not in facts.allowed_tiers:
            raise WireError(
                "this key may not use the tier of this model", param="model", code="tier_not_allowed", status=403
            )
        if tier not in self._speaks[kind]:
            known = "the Anthropic messages format" if kind == "anthropic" else "OpenAI's format"
            raise WireError(
                f"no upstream of this tier speaks {known}; ask for it on another path, or set kind in its [tiers] section",
                param="model", code="wire_format_unsupported", status=400,
            )  # fmt: skip

    def _unknown(self, asked: str) -> WireError:
        import difflib  # noqa: PLC0415 (a client starts sooner without it)

        near = difflib.get_close_matches(asked[:128], self.models, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "GET /v1/models lists what can be asked for"
        return WireError(f"the model is not known here; {hint}", param="model", code="model_not_found", status=404)


def _messages(read: ReadRequest) -> str | None:
    """The conversation as it was sent, for a store that keeps text."""
    messages = read.fields.get("messages") or read.fields.get("input")
    return None if messages is None else bytes(messages).decode("utf-8", "replace")


def refused_record(
    *,
    decision_id: str,
    event_time: str,
    error: str | None,
    endpoint: str | None = None,
    key_name: str | None = None,
    latency_ms: float | None = None,
    client_retry: int | None = None,
    status: str = "refused",
    reason: str = "refused",
) -> DecisionRecord:
    """The record of a request that was refused before it was routed: no tier, no call, no cost.

    Examples:
        >>> refused_record(decision_id="d", event_time="2026-01-01T00:00:00.000Z", error="unknown_key").status
        'refused'
    """
    return DecisionRecord(
        decision_id=decision_id,
        event_time=event_time,
        origin="live",
        reason=reason,
        status=status,
        endpoint=endpoint,
        key_name=key_name,
        error=error,
        latency_ms=latency_ms,
        client_retry=client_retry,
    )
