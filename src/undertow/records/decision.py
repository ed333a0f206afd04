"""One decision, as the log keeps it: the record, the intent written before the first upstream call, and each call made.

Field names and order are those of `undertow.records.columns`; a test holds the two together. Encoded as one JSON line by
msgspec, which leaves absent (None) fields out: that is what a null column is in JSON lines.
"""

import msgspec

from undertow.records.sampling import Drawn


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One upstream call that was made for a decision.

    Encoded whole, nulls too: to leave defaults out would leave out `serve` and `ok`, which readers would take for unknown.

    Attributes:
        tier: Tier it was made for.
        model: Model that answered, else the one asked for.
        purpose: `serve`, `classify`, `self_check`, `race`, `shadow` or `judge`.
        input_tokens: All prompt tokens, cached ones included (OpenAI's way of counting).
        cached_tokens: The part of `input_tokens` that was read from the provider's prompt cache.
        output_tokens: All completion tokens, reasoning included.
        reasoning_tokens: The part of `output_tokens` that was reasoning.
        cost_usd: What it cost; None where no price or no usage is known.
        latency_ms: From sending it to its last byte.
        status: `ok`, `discarded` (a whole answer that was not served), `cancelled` (stopped since another tier answered), or why it failed: `connect`, `timeout`, `http_503`,
            `cut`, `garbage`, `abandoned`, `breaker_open`.
    """

    tier: str
    model: str | None = None
    purpose: str = "serve"
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    status: str = "ok"


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One row of the decision log (docs/reference/decision-log.md). `event_time` is RFC 3339 with milliseconds and `Z`."""

    decision_id: str
    event_time: str
    conversation_id: str | None = None
    user_id: str | None = None
    segment: dict[str, str] | None = None
    policy: str | None = None
    policy_version: str | None = None
    calibration_version: str | None = None
    mode: str | None = None
    origin: str | None = None
    eligible: bool | None = None
    arm: str | None = None
    arm_probability: float | None = None
    propensity: float | None = None
    first_tier: str | None = None
    tier: str | None = None
    requested_model: str | None = None
    model: str | None = None
    model_fingerprint: str | None = None
    escalated: bool | None = None
    reason: str | None = None
    score: float | None = None
    confidence: float | None = None
    threshold: float | None = None
    confidence_kind: str | None = None
    novelty: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    calls: tuple[Call, ...] | None = None
    cost_usd: float | None = None
    baseline_cost_usd: float | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    status: str | None = None
    finish_reason: str | None = None
    prompt_hash: str | None = None
    prompt: str | None = None
    response: str | None = None
    # What the gateway adds to the contract's columns.
    endpoint: str | None = None
    key_name: str | None = None
    decided_tier: str | None = None
    error: str | None = None
    delivered_chars: int | None = None
    client_retry: int | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    features: dict[str, float] | None = None
    committed_tokens: int | None = None
    draws: tuple[Drawn, ...] | None = None


class Intent(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What is known before the first upstream call; becomes the record of a decision whose process died.

    Fields are those of `DecisionRecord` with the same names.
    """

    decision_id: str
    event_time: str
    conversation_id: str | None = None
    user_id: str | None = None
    segment: dict[str, str] | None = None
    policy: str | None = None
    policy_version: str | None = None
    calibration_version: str | None = None
    mode: str | None = None
    origin: str | None = None
    eligible: bool | None = None
    arm: str | None = None
    arm_probability: float | None = None
    requested_model: str | None = None
    prompt_hash: str | None = None
    endpoint: str | None = None
    key_name: str | None = None
    client_retry: int | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None


def record_of_dead_process(intent: Intent) -> DecisionRecord:
    """The record of a decision whose process died before it could write one: what was served, if anything, is unknown.

    Examples:
        >>> record_of_dead_process(Intent(decision_id="d", event_time="2026-01-01T00:00:00.000Z")).reason
        'process_died'
    """
    known = {name: getattr(intent, name) for name in Intent.__struct_fields__}
    return DecisionRecord(**known, status="error", reason="process_died", error="process_died")
