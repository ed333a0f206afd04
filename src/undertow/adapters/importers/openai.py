"""OpenAI: stored completions, batch output, plain chat completion objects, and DPO pairs.

The only time is `created`, in whole seconds; latency is unknown, users are known only where `input_user` or metadata say so. DPO rows are
preference pairs without a model or a time: they label answers, but nothing says which tier gave them, so they are counted
and left out, as are fine-tuning rows and batch inputs.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from undertow.adapters.importers.fields import first, stamp
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.labels import labels, tier_label
from undertow.adapters.importers.rows import Decision, Rejected, Row

COMPLETIONS = ("chat.completion", "text_completion", "response")


def rows(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    """Rows of one OpenAI object."""
    if record.get("object") == "list" and isinstance(record.get("data"), list):
        for entry in record["data"]:
            if isinstance(entry, dict):
                yield from rows(entry, reading)
            else:
                yield Rejected("not_an_object")
        return
    if "preferred_output" in record:
        yield Rejected("preference_pair_without_tier")
    elif "custom_id" in record and "response" in record:
        yield from _batch(record, reading)
    elif "custom_id" in record and "body" in record:
        yield Rejected("batch_input")
    elif record.get("object") == "chat.completion.chunk":
        yield Rejected("stream_chunk")
    elif record.get("object") in COMPLETIONS or ("choices" in record and "created" in record):
        yield _completion(record, reading)
    elif isinstance(record.get("response"), (str, dict)) and (
        "title" in record or "examples" in record or "path" in record
    ):
        yield from _nested(record["response"], reading)
    elif isinstance(record.get("examples"), dict):
        yield from _nested(record["examples"].get("response"), reading)
    elif "messages" in record:
        yield Rejected("fine_tuning_row")
    else:
        yield Rejected("unknown_record")


def _nested(response: Any, reading: Reading) -> Iterator[Row]:
    """A completion that stands as JSON text inside another object."""
    inner = reading.fields.mapping(response)
    if inner and "examples" not in inner and "title" not in inner:
        yield from rows(inner, reading)
    else:
        yield Rejected("unknown_record")


def _batch(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    response = record.get("response")
    if not isinstance(response, dict):
        yield Rejected("batch_request_failed")
        return
    body = response.get("body")
    if not isinstance(body, dict) or ("created" not in body and "created_at" not in body):
        yield Rejected("batch_request_failed")
        return
    reading.remark("{n} batch answers: their latency is unknown, and their time is when OpenAI made them")
    yield _completion(body, reading, custom_id=reading.fields.text(record.get("custom_id")))


def _completion(record: Mapping[str, Any], reading: Reading, *, custom_id: str | None = None) -> Row:
    fields = reading.fields
    started = reading.moment(first(record, "created", "created_at"), unit="s")
    if isinstance(started, Rejected):
        return started
    identity = fields.text(record.get("id"))
    if identity is None:
        return Rejected("missing_id")
    usage = fields.mapping(record.get("usage"))
    details = fields.mapping(first(usage, "prompt_tokens_details", "input_tokens_details"))
    metadata = fields.mapping(record.get("metadata"))
    choices = record.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    model = fields.text(record.get("model"))
    failed = record.get("status") in ("failed", "cancelled")
    row = {
        "decision_id": identity,
        "event_time": stamp(started),
        "conversation_id": fields.text(first(metadata, "conversation_id", "session_id"))
        or fields.text(record.get("prompt_cache_key")),
        "user_id": fields.text(first(record, "input_user", "safety_identifier", "user"))
        or fields.text(metadata.get("user_id")),
        "segment": labels(metadata),
        "origin": "live",
        "model": model,
        "model_fingerprint": fields.text(record.get("system_fingerprint")),
        "input_tokens": fields.integer(first(usage, "prompt_tokens", "input_tokens"), "input_tokens"),
        "output_tokens": fields.integer(first(usage, "completion_tokens", "output_tokens"), "output_tokens"),
        "status": "error" if failed else "ok",
        "finish_reason": fields.text(choice.get("finish_reason")),
    }
    return Decision(
        {name: value for name, value in row.items() if value is not None and value != {}},
        names=(model,) if model else (),
        logged_tier=tier_label(metadata, reading.tier_names),
        provider="openai",
        cached_tokens=fields.integer(details.get("cached_tokens"), "cached_tokens"),
        served=not failed,
        aliases=tuple(f"request:{a}" for a in (custom_id, fields.text(record.get("request_id"))) if a),
    )


def recognise(record: Mapping[str, Any]) -> str | None:
    """By what a record is known as OpenAI's."""
    if record.get("object") in COMPLETIONS or record.get("object") == "chat.completion.chunk":
        return f"object {record['object']!r}"
    if (
        record.get("object") == "list"
        and isinstance(record.get("data"), list)
        and record["data"]
        and isinstance(record["data"][0], dict)
    ):
        return recognise(record["data"][0])
    if "custom_id" in record and ("response" in record or "body" in record):
        return "custom_id and " + ("response (batch output)" if "response" in record else "body (batch input)")
    if {"input", "preferred_output", "non_preferred_output"} <= record.keys():
        return "preferred_output and non_preferred_output (DPO pairs)"
    if record.keys() <= {"messages", "tools", "parallel_tool_calls", "functions"} and isinstance(
        record.get("messages"), list
    ):
        return "messages (fine-tuning rows)"
    examples = record.get("examples")
    inner = (
        record.get("response")
        if isinstance(record.get("response"), str)
        else examples.get("response")
        if isinstance(examples, dict)
        else None
    )
    if isinstance(inner, str) and ('"chat.completion"' in inner):
        return "a chat.completion as JSON text"
    return None


OPENAI = Importer(
    format="openai",
    rows=rows,
    recognise=recognise,
    sources={
        "decision_id": "id",
        "event_time": "created (whole seconds)",
        "conversation_id": "metadata.session_id, else prompt_cache_key",
        "user_id": "input_user / safety_identifier",
        "segment": "metadata",
        "origin": "live",
        "model": "model",
        "model_fingerprint": "system_fingerprint",
        "input_tokens": "usage.prompt_tokens",
        "output_tokens": "usage.completion_tokens",
        "status": "status",
        "finish_reason": "choices[0].finish_reason",
    },
    hints={
        "user_id": "send safety_identifier (or user) with each request",
        "segment": "send metadata with each request (store: true)",
        "latency_ms": "not in stored completions or batches",
        "requested_model": "not kept by OpenAI",
    },
)
