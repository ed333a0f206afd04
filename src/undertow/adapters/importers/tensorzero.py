"""TensorZero: inferences, model inferences and feedback.

Times are decoded from UUIDv7 ids, because exports leave out the materialised `timestamp`. A decision is one inference (ChatInference
or JsonInference); its model, tokens and cost come from the ModelInference rows that name it. `variant_name` stands in for the
model, and for the tier where no price is known. Feedback names an inference or an episode, which only the metric's
configuration tells: both are tried, an episode counts for its last inference.
"""

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from undertow.adapters.importers.fields import EARLIEST, LATEST, BadTime, first, stamp
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.labels import labels, tier_label
from undertow.adapters.importers.rows import Context, Decision, Rejected, Row
from undertow.adapters.importers.scores import purpose_of, signal


def uuid7_time(text: Any) -> datetime | None:
    """The moment in the first 48 bits of a UUIDv7, or None.

    Examples:
        >>> uuid7_time("01965ac6-bd5a-7260-b680-85ac6566ee63").isoformat()
        '2025-04-21T23:54:56.218000+00:00'
    """
    try:
        parsed = uuid.UUID(str(text))
    except (ValueError, AttributeError):
        return None
    if parsed.version != 7:
        return None
    moment = (
        datetime.fromtimestamp(int(parsed) // 2**80 / 1000, UTC) if int(parsed) // 2**80 < 7_258_118_400_000 else None
    )
    return moment if moment is not None and EARLIEST <= moment < LATEST else None


def rows(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    """Rows of one TensorZero record, whatever table it is from."""
    if "model_name" in record and "inference_id" in record:
        yield from _model_inference(record, reading)
    elif "function_name" in record and "variant_name" in record:
        yield from _inference(record, reading)
    elif "metric_name" in record and "target_id" in record:
        yield from _feedback(record, reading)
    elif "inference_id" in record and "value" in record:
        yield Rejected("demonstration_feedback")
    elif "target_id" in record and "value" in record:
        yield Rejected("comment_feedback")
    else:
        yield Rejected("unknown_record")


def _moment(record: Mapping[str, Any], reading: Reading) -> datetime | Rejected:
    given = first(record, "timestamp", "created_at")
    if given is not None:
        try:
            return reading.fields.time(given)
        except BadTime:
            pass  # the id says it too
    return uuid7_time(record.get("id")) or Rejected("missing_time")


def _inference(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    fields = reading.fields
    started = _moment(record, reading)
    identity = fields.text(record.get("id"))
    if isinstance(started, Rejected):
        yield started
        return
    if identity is None:
        yield Rejected("missing_id")
        return
    tags = fields.mapping(record.get("tags"))
    variant = fields.text(record.get("variant_name"))
    episode = fields.text(record.get("episode_id"))
    row = {
        "decision_id": identity,
        "event_time": stamp(started),
        "conversation_id": fields.text(first(tags, "conversation_id", "session_id")) or episode,
        "user_id": fields.text(first(tags, "user_id", "user", "customer_id")),
        "segment": {
            **labels({k: v for k, v in tags.items() if isinstance(k, str) and not k.startswith("tensorzero::")}),
            **labels({"function": record.get("function_name"), "variant": variant}),
        },
        "policy": fields.text(record.get("function_name")),
        "mode": "route",
        "origin": "live",
        "reason": "variant",
        "latency_ms": fields.number(record.get("processing_time_ms"), "latency_ms"),
        "ttft_ms": fields.number(record.get("ttft_ms"), "ttft_ms"),
        "status": "ok",
        "prompt_hash": variant,
    }
    yield Decision(
        {name: value for name, value in row.items() if value is not None and value != {}},
        logged_tier=tier_label(tags, reading.tier_names) or (variant if variant in reading.tier_names else None),
        proxy_tier=variant,
        aliases=tuple(a for a in (f"inference:{identity}", f"episode:{episode}" if episode else "") if a),
        context=(f"inference:{identity}",),
    )


def _model_inference(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    """One upstream call of an inference; retries and fallbacks make several."""
    fields = reading.fields
    inference = fields.text(record.get("inference_id"))
    if inference is None:
        yield Rejected("missing_id")
        return
    model = fields.text(record.get("model_name"))
    cost = fields.number(record.get("cost"), "cost_usd")
    if fields.boolean(record.get("cached"), "cached") is True:
        reading.remark("{n} model inferences came from TensorZero's cache, at no cost")
        cost = 0.0
    row = {
        "model": model,
        "input_tokens": fields.integer(record.get("input_tokens"), "input_tokens"),
        "output_tokens": fields.integer(record.get("output_tokens"), "output_tokens"),
        "finish_reason": fields.text(record.get("finish_reason")),
    }
    call = {
        "purpose": "serve",
        "model": model,
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "cost_usd": cost,
        "latency_ms": fields.number(record.get("response_time_ms"), "latency_ms"),
        "status": "ok",
    }
    yield Context(
        f"inference:{inference}",
        {name: value for name, value in row.items() if value is not None},
        names=(model,) if model else (),
        provider=fields.text(record.get("model_provider_name")),
        calls=({name: value for name, value in call.items() if value is not None},),
    )


def _feedback(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    fields = reading.fields
    made = _moment(record, reading)
    if isinstance(made, Rejected):
        yield made
        return
    name, target = fields.text(record.get("metric_name")), fields.text(record.get("target_id"))
    if name is None or target is None:
        yield Rejected("score_without_name" if name is None else "missing_id")
        return
    tags = fields.mapping(record.get("tags"))
    human = str(tags.get("tensorzero::human_feedback")).lower() == "true"
    yield signal(
        {
            "signal_id": f"tensorzero/{record.get('id') or f'{target}/{name}'}",
            "event_time": stamp(made),
            "source": "tensorzero.human" if human else "tensorzero.metric",
        },
        name=name,
        kind="review" if human else purpose_of(name),
        value=record.get("value"),
        fields=fields,
        rules=reading.rules,
        refs=(f"inference:{target}", f"episode:{target}"),
    )


def recognise(record: Mapping[str, Any]) -> str | None:
    """By what a record is known as TensorZero's."""
    keys = record.keys()
    if {"function_name", "variant_name", "episode_id"} <= keys:
        return "function_name, variant_name and episode_id (TensorZero inference)"
    if {"inference_id", "model_name", "model_provider_name"} <= keys:
        return "inference_id and model_provider_name (TensorZero model inference)"
    if {"target_id", "metric_name", "value"} <= keys:
        return "target_id and metric_name (TensorZero feedback)"
    if "tags" in keys and "value" in keys and ({"target_id", "target_type"} <= keys or "inference_id" in keys):
        return "target_id / inference_id and value (TensorZero comment or demonstration)"
    return None


TENSORZERO = Importer(
    format="tensorzero",
    rows=rows,
    recognise=recognise,
    sources={
        "decision_id": "id of the inference",
        "event_time": "first 48 bits of the UUIDv7 id",
        "conversation_id": "tags.session_id, else episode_id",
        "user_id": "tags.user_id",
        "segment": "tags, function_name, variant_name",
        "policy": "function_name",
        "mode": "route",
        "origin": "live",
        "reason": "variant",
        "model": "ModelInference.model_name",
        "input_tokens": "ModelInference.input_tokens",
        "output_tokens": "ModelInference.output_tokens",
        "calls": "ModelInference rows",
        "cost_usd": "ModelInference.cost",
        "latency_ms": "processing_time_ms",
        "ttft_ms": "ttft_ms",
        "status": "ok: failed inferences are not stored",
        "finish_reason": "ModelInference.finish_reason",
        "prompt_hash": "variant_name",
    },
    hints={
        "model": "export the ModelInference table too",
        "input_tokens": "export the ModelInference table too",
        "output_tokens": "export the ModelInference table too",
        "cost_usd": "export the ModelInference table too (cost since 2026-02), or tokens and a listed model",
        "user_id": "send tags.user_id with each inference",
        "segment": "send tags with each inference",
        "propensity": "TensorZero's experiments draw variants at random, but the rows do not keep the weights",
    },
    naive_is_utc=True,
    latest_wins=True,
)
