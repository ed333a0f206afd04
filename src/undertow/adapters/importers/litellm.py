"""LiteLLM: `LiteLLM_SpendLogs` rows (JSON, JSONL, CSV), StandardLoggingPayload objects, and shadow evaluation.

Tier: the price class of the model that served. The auto-router's own tier (SIMPLE, MEDIUM, COMPLEX, REASONING or custom names) is
a judgement of the request, and several of them often share a model, so it becomes the segment `router_tier`. A tier pattern
may name it, though: `[tiers.cheap] models = ["SIMPLE", "MEDIUM"]`.

Left out of the traffic, with their spend kept: calls that LiteLLM made for itself (`internal_call_origin`), silent
experiments. A classifier's own row is left out with its spend, because the routed row names the same charge
(`routing_decision.classifier_cost`).

Shadow evaluation: each `LiteLLM_ShadowEvalAttempt` is a blind verdict of a judge between the served answer and another
model's; it becomes a pairwise `judge` signal `preference`. `shadow_percentage` of the job's row gives its inclusion probability.
What the evaluation cost is taken from the attempts, which name their request; the spend rows of its calls name none and stay
in the log as rows that are no traffic.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from undertow.adapters.importers.fields import first, milliseconds, stamp
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.labels import labels, tag_labels, tier_label
from undertow.adapters.importers.rows import Context, Decision, Rejected, Row, Signal

MODEL_CALLS = frozenset({
    "completion", "text_completion", "responses", "anthropic_messages", "generate_content", "generate_content_stream",
    "pass_through_endpoint", "chat", "chat_completion",
})  # fmt: skip
CLASSIFIER = "autorouter_classifier"
PURPOSES = {
    "shadow_eval_router": "shadow",
    "shadow_eval_judge": "judge",
    "llm_as_a_judge_guardrail": "judge",
    "autorouter_compaction": "other",
}
"""Purpose of the spend of an internal call, by its origin."""
ATTEMPT_COSTS = (
    ("shadow", "shadow_cost", "shadow_model"),
    ("shadow", "shadow_classifier_cost", ""),
    ("judge", "judge_cost", ""),
)
"""Purpose, column of the cost and column of the model of what one shadow evaluation attempt spends."""
VERDICTS = {"real": (1.0, 0.0), "shadow": (0.0, 1.0), "tie": (0.5, 0.5)}


def rows(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    """Rows of one LiteLLM record."""
    if "outcome" in record and "job_id" in record:
        yield from _attempt(record, reading)
    elif "shadow_percentage" in record and "judge_model" in record:
        yield from _job(record, reading)
    elif "call_type" in record or "startTime" in record:
        yield from _call(record, reading)
    elif "not_sampled" in record and "job_id" in record:
        reading.remark("{n} shadow evaluation funnel rows were read over: they count requests and hold no verdict")
    else:
        yield Rejected("unknown_record")


def recognise(record: Mapping[str, Any]) -> str | None:
    """By what a record is known as LiteLLM's."""
    if "call_type" in record and "startTime" in record and ("spend" in record or "response_cost" in record):
        return "call_type, startTime and " + (
            "spend (LiteLLM_SpendLogs)" if "spend" in record else "response_cost (StandardLoggingPayload)"
        )
    if {"job_id", "outcome", "request_id", "shadow_model"} <= record.keys():
        return "job_id, outcome and shadow_model (LiteLLM_ShadowEvalAttempt)"
    if {"shadow_percentage", "judge_model"} <= record.keys():
        return "shadow_percentage and judge_model (LiteLLM_ShadowEvalJob)"
    return None


def _call(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    fields = reading.fields
    metadata = fields.mapping(record.get("metadata"))
    routing = fields.mapping(metadata.get("routing_decision"))
    spend = fields.number(first(record, "spend", "response_cost"), "cost_usd")
    identity = fields.text(first(record, "request_id", "id", "litellm_call_id"))
    started = reading.moment(record.get("startTime"))
    if isinstance(started, Rejected):
        yield started
        return
    if identity is None:
        yield Rejected("missing_id")
        return
    origin = fields.text(metadata.get("internal_call_origin"))
    silent = fields.boolean(metadata.get("is_silent_experiment"), "is_silent_experiment") is True
    if origin is not None or silent:
        yield Rejected("excluded_silent_experiment" if silent else "excluded_internal_call")
        if origin != CLASSIFIER and spend:
            purpose = "shadow" if silent else PURPOSES.get(origin or "", "other")
            yield _kept_spend(record, identity, started, reading, purpose=purpose, spend=spend)
        return
    call_type = (fields.text(record.get("call_type")) or "completion").lower()
    if call_type.removeprefix("a") not in MODEL_CALLS and call_type not in MODEL_CALLS:
        yield Rejected("not_a_model_call")
        return
    yield _decision(record, metadata, routing, reading, identity=identity, started=started, spend=spend)


def _decision(
    record: Mapping[str, Any],
    metadata: Mapping[str, Any],
    routing: Mapping[str, Any],
    reading: Reading,
    *,
    identity: str,
    started: datetime,
    spend: float | None,
) -> Decision:
    fields = reading.fields
    response = fields.mapping(record.get("response"))
    ended = fields.time_or_none(record.get("endTime"), "endTime")
    first_token = fields.time_or_none(record.get("completionStartTime"), "completionStartTime")
    failed = fields.text(record.get("status")) == "failure" or fields.text(metadata.get("status")) == "failure"
    fallbacks = fields.integer(metadata.get("attempted_fallbacks"), "attempted_fallbacks") or 0
    model = fields.text(record.get("model"))
    group = fields.text(first(metadata, "original_model_group")) or fields.text(record.get("model_group"))
    routed = fields.text(routing.get("routed_model"))
    router_tier = fields.text(routing.get("tier"))
    usage = fields.mapping(metadata.get("usage_object")) or fields.mapping(response.get("usage"))
    classifier_usd = fields.number(routing.get("classifier_cost"), "classifier_cost")
    cost = None if spend is None and classifier_usd is None else (spend or 0.0) + (classifier_usd or 0.0)
    row: dict[str, Any] = {
        "decision_id": identity,
        "event_time": stamp(started),
        "conversation_id": _conversation(record, metadata, reading),
        "user_id": _user(record, metadata, reading),
        "segment": _segment(record, metadata, router_tier, reading),
        "origin": "live",
        "requested_model": group,
        "model": model,
        "model_fingerprint": fields.text(response.get("system_fingerprint")),
        "input_tokens": fields.integer(record.get("prompt_tokens"), "input_tokens"),
        "output_tokens": fields.integer(record.get("completion_tokens"), "output_tokens"),
        "cost_usd": cost,
        "latency_ms": _latency(record, started, ended, reading),
        "ttft_ms": milliseconds(started, first_token) if first_token and ended and first_token < ended else None,
        "status": "error" if failed else "fallback" if fallbacks else "ok",
        "finish_reason": _finish_reason(response, reading),
        "prompt_hash": fields.text(fields.mapping(metadata.get("prompt_management_metadata")).get("prompt_id")),
    }
    if routing:
        row |= _routing_columns(routing, reading)
        if classifier_usd is not None:
            row["calls"] = [
                {"purpose": "serve", "model": model, "cost_usd": spend, "status": row["status"]},
                {
                    "purpose": "classify",
                    "model": fields.text(routing.get("classifier_model")),
                    "cost_usd": classifier_usd,
                },
            ]
    row["baseline_cost_usd"] = _baseline(record, metadata, spend, reading)
    if fields.text(record.get("cache_hit")) in {"true", "True"}:
        reading.remark(
            "{n} answers came from LiteLLM's own response cache; they count as served by the model that first gave them, at no cost"
        )
        row["baseline_cost_usd"] = cost
    return Decision(
        {name: value for name, value in row.items() if value is not None and value != {}},
        names=tuple(dict.fromkeys(n for n in (model, routed, group if not routing else None, router_tier) if n)),
        logged_tier=tier_label(metadata, reading.tier_names)
        or tier_label(fields.mapping(metadata.get("spend_logs_metadata")), reading.tier_names)
        or tier_label(fields.mapping(metadata.get("requester_metadata")), reading.tier_names),
        proxy_tier=router_tier or routed,
        provider=fields.text(record.get("custom_llm_provider")),
        cached_tokens=_cached(usage, metadata, reading),
        served=not failed,
        aliases=tuple(
            dict.fromkeys(
                f"request:{alias}"
                for alias in (identity, fields.text(record.get("litellm_call_id")), fields.text(response.get("id")))
                if alias
            )
        ),
        context=(f"request:{identity}",),
    )


def _routing_columns(routing: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    fields = reading.fields
    calibrated = fields.number(
        first(routing, "classifier_calibrated_efficient_p_solve", "classifier_calibrated_p_solve"), "confidence"
    )
    confidence = calibrated
    if confidence is None:
        confidence = fields.number(
            first(routing, "classifier_efficient_p_solve", "classifier_p_solve", "classifier_confidence"), "confidence"
        )
    if confidence is not None and not 0 <= confidence <= 1:
        fields.issues["out_of_range:confidence"] += 1
        confidence = None
    threshold = fields.number(routing.get("classifier_threshold"), "threshold")
    return {
        "policy": fields.text(routing.get("router_model_name")),
        "policy_version": fields.text(
            first(routing, "router_config_fingerprint", "router_config_updated_at", "router_config_id")
        ),
        "calibration_version": fields.text(routing.get("classifier_calibration_version")),
        "mode": "route",
        "reason": fields.text(routing.get("cause")),
        "score": fields.number(routing.get("score"), "score"),
        "confidence": confidence,
        "confidence_kind": None if confidence is None else "calibrated" if calibrated is not None else "uncalibrated",
        "threshold": threshold if threshold is not None and 0 <= threshold <= 1 else None,
    }


def _conversation(record: Mapping[str, Any], metadata: Mapping[str, Any], reading: Reading) -> str | None:
    # The logging payload leaves session_id empty and puts the caller's session into trace_id.
    return reading.fields.text(first(record, "session_id", "trace_id")) or reading.fields.text(
        metadata.get("session_id")
    )


def _user(record: Mapping[str, Any], metadata: Mapping[str, Any], reading: Reading) -> str | None:
    fields = reading.fields
    parameters = fields.mapping(record.get("model_parameters"))
    user = (
        fields.text(record.get("end_user"))
        or fields.text(metadata.get("user_api_key_end_user_id"))
        or fields.text(parameters.get("user"))
        or fields.text(parameters.get("safety_identifier"))
    )
    if user is None and (owner := fields.text(record.get("user")) or fields.text(metadata.get("user_api_key_user_id"))):
        reading.remark("{n} rows name no end user; the owner of the API key stands in as user_id")
        return owner
    return user


def _segment(
    record: Mapping[str, Any], metadata: Mapping[str, Any], router_tier: str | None, reading: Reading
) -> dict[str, str]:
    fields = reading.fields
    found = {
        **tag_labels(fields.array(record.get("request_tags"))),
        **labels(fields.mapping(metadata.get("spend_logs_metadata"))),
        **labels(fields.mapping(metadata.get("requester_metadata"))),
    }
    if team := fields.text(first(metadata, "user_api_key_team_alias", "team_alias")):
        found.update(labels({"team": team}))
    if router_tier:
        found["router_tier"] = router_tier[:64]
    return found


def _latency(record: Mapping[str, Any], started: datetime, ended: datetime | None, reading: Reading) -> float | None:
    duration = reading.fields.number(record.get("request_duration_ms"), "latency_ms")
    if duration is not None:
        return duration
    seconds = reading.fields.number(record.get("response_time"), "latency_ms")
    return seconds * 1000.0 if seconds is not None else milliseconds(started, ended)


def _finish_reason(response: Mapping[str, Any], reading: Reading) -> str | None:
    choices = response.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return reading.fields.text(choices[0].get("finish_reason"))
    return None


def _cached(usage: Mapping[str, Any], metadata: Mapping[str, Any], reading: Reading) -> int | None:
    details = reading.fields.mapping(usage.get("prompt_tokens_details"))
    extra = reading.fields.mapping(metadata.get("additional_usage_values"))
    return reading.fields.integer(
        first(details, "cached_tokens") or first(extra, "cache_read_input_tokens"), "cached_tokens"
    )


def _baseline(
    record: Mapping[str, Any], metadata: Mapping[str, Any], spend: float | None, reading: Reading
) -> float | None:
    """LiteLLM's own estimate of what its savings baseline would have cost, where it made one."""
    savings = reading.fields.number(
        first(record, "autorouter_savings") or first(metadata, "autorouter_savings"), "autorouter_savings"
    )
    if savings is None or spend is None:
        return None
    return max(spend + savings, 0.0)


def _kept_spend(
    record: Mapping[str, Any], identity: str, started: datetime, reading: Reading, *, purpose: str, spend: float
) -> Decision:
    """A row that is no traffic (`origin` replay) and bears the spend of an internal call."""
    reading.remark(f"{{n}} calls that LiteLLM made for itself ({purpose}) are no traffic")
    reading.unattached_usd[purpose] = reading.unattached_usd.get(purpose, 0.0) + spend
    call = {"purpose": purpose, "model": reading.fields.text(record.get("model")), "cost_usd": spend, "status": "ok"}
    return Decision(
        {
            "decision_id": identity,
            "event_time": stamp(started),
            "origin": "replay",
            "status": "ok",
            "calls": [call],
            "cost_usd": spend,
        },
        served=False,
    )


def _attempt(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    fields = reading.fields
    request = fields.text(record.get("request_id"))
    if request is None:
        yield Rejected("missing_id")
        return
    calls = [
        {"purpose": purpose, "model": fields.text(record.get(model)), "cost_usd": usd, "status": "ok"}
        for purpose, column, model in ATTEMPT_COSTS
        if (usd := fields.number(record.get(column), column))
    ]
    if calls:
        yield Context(
            f"request:{request}", calls=tuple({k: v for k, v in call.items() if v is not None} for call in calls)
        )
    verdict = VERDICTS.get(str(record.get("outcome")).lower())
    made = reading.moment(record.get("created_at"))
    if verdict is None:
        yield Rejected("shadow_without_verdict")
        return
    if isinstance(made, Rejected):
        yield made
        return
    models = (fields.text(record.get("real_model")), fields.text(record.get("shadow_model")))
    job = fields.text(record.get("job_id")) or "unknown"
    identity = fields.text(record.get("id")) or f"{job}/{request}/{record.get('router_name')}"
    yield Signal(
        {
            "signal_id": f"litellm.shadow_eval/{identity}",
            "event_time": stamp(made),
            "kind": "judge",
            "name": "preference",
            "value": verdict[0],
            "reference_value": verdict[1],
            "selection": "unknown",
            "source": "litellm.shadow_eval",
        },
        refs=(f"request:{request}",),
        context=(f"job:{job}",),
        pair=(models[0], models[1]) if models[0] and models[1] else None,
    )


def _job(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    share = reading.fields.number(record.get("shadow_percentage"), "shadow_percentage")
    job = reading.fields.text(record.get("id"))
    if share is None or job is None or not 0 < share <= 100:
        yield Rejected("shadow_job_without_share")
        return
    yield Context(f"job:{job}", {"inclusion_probability": share / 100.0})


LITELLM = Importer(
    format="litellm",
    rows=rows,
    recognise=recognise,
    sources={
        "decision_id": "request_id / id",
        "event_time": "startTime",
        "conversation_id": "session_id, else trace_id",
        "user_id": "end_user, else model_parameters.user, else the key's owner",
        "segment": "request_tags, metadata.spend_logs_metadata, team alias; router_tier = routing_decision.tier",
        "policy": "routing_decision.router_model_name",
        "policy_version": "routing_decision.router_config_fingerprint",
        "calibration_version": "routing_decision.classifier_calibration_version",
        "mode": "route where there is a routing_decision",
        "origin": "live; internal calls: replay",
        "requested_model": "model_group",
        "model": "model",
        "model_fingerprint": "response.system_fingerprint",
        "reason": "routing_decision.cause",
        "score": "routing_decision.score",
        "confidence": "routing_decision.classifier_*_p_solve, else classifier_confidence",
        "confidence_kind": "calibrated where classifier_calibrated_p_solve is logged",
        "threshold": "routing_decision.classifier_threshold",
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "calls": "spend, routing_decision.classifier_cost",
        "cost_usd": "spend / response_cost + routing_decision.classifier_cost",
        "baseline_cost_usd": "spend + autorouter_savings",
        "latency_ms": "request_duration_ms / response_time",
        "ttft_ms": "completionStartTime - startTime",
        "status": "status, metadata.attempted_fallbacks",
        "finish_reason": "response.choices[0].finish_reason",
        "prompt_hash": "metadata.prompt_management_metadata.prompt_id",
    },
    hints={
        "user_id": "send `user` with each request (it becomes end_user)",
        "conversation_id": "send metadata.session_id or the x-litellm-session-id header",
        "segment": "send metadata.tags or spend_logs_metadata with each request",
        "confidence": "an auto_router with a classifier logs classifier_confidence",
        "score": "an auto_router logs routing_decision.score; a plain model group has none",
        "policy": "only requests through an auto_router have a routing_decision",
        "baseline_cost_usd": "an auto_router with a savings baseline logs autorouter_savings",
        "model_fingerprint": "store_prompts_in_spend_logs keeps the response, which bears system_fingerprint",
        "finish_reason": "store_prompts_in_spend_logs keeps the response, which bears finish_reason",
    },
)
