"""`GET /openapi.json`: what the gateway's own paths take and answer, as OpenAPI 3.1.

Requests are described as far as the gateway itself checks them; whatever else stands in a body goes to the upstream, which may refuse it. Answers of
upstreams come as they are, so of them only what makes them answers is described. A test runs requests that are made from this
document against a gateway.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from undertow.adapters.wire.labels import MAX_KEY_CHARS, MAX_PAIRS, MAX_VALUE_CHARS
from undertow.gateway.http_errors import SENTENCES
from undertow.records.columns import SELECTIONS, SIGNAL_KINDS
from undertow.services.collect import MAX_CHARS, MAX_REVISION, MAX_ROWS

Schema = dict[str, Any]

_JSON: Final = "application/json"
_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
_ANY_LIST: Final[Schema] = {"type": ["array", "null"], "items": {"type": "object"}}
_HEADERS: Final = (
    "Headers, each of at most 512 printable characters, in UTF-8 with per-cent escapes: x-undertow-conversation-id is the same for all requests of a "
    "conversation, x-undertow-user-id names the user, x-undertow-segment-KEY is a label."
)
_ID: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": MAX_CHARS, "pattern": r"\S"}


def openapi_document(models: Sequence[str], version: str) -> bytes:
    """The document, as JSON.

    Args:
        models: What callers may name as `model`.
        version: Of Undertow.
    """
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Undertow gateway",
                "version": version,
                "summary": "Routes requests for language models by confidence, and records each decision.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "security": [{"key": []}, {"x-api-key": []}, {}],
            "paths": _routed(models) | _signals() | _reads(),
            "components": {
                "securitySchemes": {
                    "key": {"type": "http", "scheme": "bearer", "description": "A gateway key, where keys are set."},
                    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                },
                "headers": {
                    "decision": {
                        "description": "Id of the decision's record.",
                        "required": True,
                        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                    }
                },
                "schemas": {"Error": _error(), "MessagesError": _messages_error(), "Signal": _signal()},
            },
        }
    )


def _error() -> Schema:
    words = sorted(SENTENCES)
    return _object(
        {
            "error": _object(
                {
                    "message": _TEXT,
                    "type": {"type": ["string", "null"]},
                    "param": {"type": ["string", "null"]},
                    "code": {
                        "type": ["string", "integer", "null"],
                        "description": f"Of requests that never became one: {', '.join(words)}.",
                    },
                },
                needs=("message",),
            )
        },
        needs=("error",),
    )


def _messages_error() -> Schema:
    inner = _object({"type": _TEXT, "message": _TEXT}, needs=("type", "message"))
    return _object({"type": {"const": "error"}, "error": inner}, needs=("type", "error"))


def _object(properties: Schema, *, needs: Sequence[str] = ()) -> Schema:
    return {"type": "object", "properties": properties, "required": list(needs)}


def _content(schema: Schema) -> Schema:
    return {_JSON: {"schema": schema}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _routed(models: Sequence[str]) -> Schema:
    named: Schema = {"type": "string", "enum": list(models)}
    metadata: Schema = {
        "type": ["object", "null"],
        "maxProperties": MAX_PAIRS,
        "propertyNames": {"maxLength": MAX_KEY_CHARS},
        "additionalProperties": {"type": ["string", "null"], "maxLength": MAX_VALUE_CHARS},
    }
    user: Schema = {"type": ["string", "null"], "maxLength": MAX_VALUE_CHARS}
    shared: Schema = {"model": named, "stream": {"type": ["boolean", "null"]}, "metadata": metadata, "tools": _ANY_LIST}
    # What a message holds is the upstream's to judge.
    message = _object({"role": _TEXT})
    messages: Schema = {"type": "array", "minItems": 1, "items": message}
    chat = _object(
        {**shared, "messages": messages, "max_tokens": _COUNT, "max_completion_tokens": _COUNT, "user": user, "safety_identifier": user},
        needs=("model", "messages"),
    )  # fmt: skip
    anthropic = _object({**shared, "messages": messages, "max_tokens": _COUNT}, needs=("model", "messages"))
    responses = _object(
        {
            **shared,
            "input": {"oneOf": [_TEXT, {"type": "array", "minItems": 1, "items": message}]},
            "max_output_tokens": _COUNT,
            "user": user,
            "safety_identifier": user,
        },
        needs=("model", "input"),
    )
    return {
        "/v1/chat/completions": _post("chatCompletion", "A chat completion", chat, {"choices": {"type": "array"}}, "Error"),
        "/v1/messages": _post("message", "An Anthropic message", anthropic, {"content": {"type": "array"}}, "MessagesError"),
        "/v1/responses": _post("response", "A response", responses, {"output": {"type": "array"}}, "Error"),
    }  # fmt: skip


def _post(name: str, summary: str, body: Schema, answer: Schema, error: str) -> Schema:
    """A path whose requests are routed; each answer names its record, but for requests that never became one."""
    headers = {"x-undertow-decision-id": {"$ref": "#/components/headers/decision"}}
    whole = _object(answer, needs=tuple(answer))
    return {
        "post": {
            "operationId": name,
            "summary": f"{summary}, from the tier that the policy chooses",
            "description": _HEADERS,
            "requestBody": {"required": True, "content": _content(body)},
            "responses": {
                "200": {
                    "description": "The upstream's answer, whole or as a stream of events.",
                    "headers": headers,
                    "content": {**_content(whole), "text/event-stream": {}},
                },
                **_refusals(error, 400, 401, 403, 404, 408, 413, 415, 429, 500, 502, 503, 504),
                "default": {"description": "What the upstream refused, with its status.", "content": _content(_ref(error))},
            },
        }
    }  # fmt: skip


_MEANING: Final = {
    400: "The request cannot be meant.",
    401: "No key that is known here.",
    403: "This key may not do that.",
    404: "There is no such thing.",
    405: "Another method is expected here.",
    408: "The request did not arrive in time.",
    413: "The body is too large.",
    415: "The body is compressed.",
    422: "No row was accepted.",
    429: "Too much for this key, or for the gateway.",
    500: "The gateway failed.",
    502: "No upstream answered.",
    503: "The gateway has too much to do, or is stopping.",
    504: "No upstream answered in time.",
}


def _refusals(schema: str, *statuses: int) -> Schema:
    return {str(status): {"description": _MEANING[status], "content": _content(_ref(schema))} for status in statuses}


def _signal() -> Schema:
    share: Schema = {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1}
    optional_id: Schema = {"anyOf": [_ID, {"type": ["integer", "null"]}]}
    properties: Schema = {
        "signal_id": optional_id,
        "decision_id": optional_id,
        "conversation_id": optional_id,
        "user_id": optional_id,
        "event_time": {"type": ["string", "null"], "format": "date-time", "description": "At most five minutes ahead."},
        "kind": {"enum": [*SIGNAL_KINDS, None]},
        "name": optional_id,
        "value": {"type": ["number", "boolean"], "description": "In [0, 1]; of outcomes in the outcome's own unit."},
        "selection": {"enum": [*SELECTIONS, None]},
        "inclusion_probability": share,
        "pair_probability": share,
        "reference_value": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "stratum": optional_id,
        "source": optional_id,
        "revision": {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_REVISION},
        "deleted": {"type": ["boolean", "null"]},
        "comment": {"description": "Accepted, and not stored."},
    }
    needs_one = [{"required": [name]} for name in ("decision_id", "conversation_id", "user_id")]
    return {
        **_object(properties, needs=("value",)),
        "anyOf": needs_one,
        "description": "Rows of kind thumb need no name. value may be left out of an outcome that is deleted. A selection of sampled needs "
        "its inclusion_probability.",
    }


def _signals() -> Schema:
    rows: Schema = {
        "oneOf": [_ref("Signal"), {"type": "array", "minItems": 1, "maxItems": MAX_ROWS, "items": _ref("Signal")}]
    }
    row = _object({"index": {"type": "integer", "minimum": 0}, "reason": _TEXT}, needs=("index", "reason"))
    rejected: Schema = {"type": "array", "items": row}
    count: Schema = {"type": "integer", "minimum": 0}
    accepted = _object(
        {
            "accepted": count,
            "duplicates": count,
            "rejected": rejected,
            "not_stored": {"type": "array", "items": _TEXT},
        },
        needs=("accepted", "duplicates", "rejected"),
    )
    none_accepted: Schema = {"allOf": [_ref("Error"), _object({"rejected": rejected}, needs=("rejected",))]}
    return {
        path: {
            "post": {
                "operationId": name,
                "summary": summary,
                "description": "The header idempotency-key makes the ids of rows that have none, so that a second sending is known as one.",
                "requestBody": {"required": True, "content": _content(rows)},
                "responses": {
                    "202": {"description": "What became of each row; the accepted ones are kept.", "content": _content(accepted)},
                    "422": {"description": _MEANING[422], "content": _content(none_accepted)},
                    **_refusals("Error", 400, 401, 408, 413, 415, 500, 503),
                },
            }
        }
        for path, name, summary in (
            ("/v1/feedback", "feedback", "What users and reviewers thought of answers"),
            ("/v1/outcomes", "outcomes", "What came of conversations: tickets, refunds, churn"),
        )
    }  # fmt: skip


def _reads() -> Schema:
    model = _object({"id": _TEXT, "object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": _TEXT}, needs=("id", "object"))  # fmt: skip
    models = _object({"object": {"const": "list"}, "data": {"type": "array", "items": model}}, needs=("object", "data"))
    record = _object({"decision_id": {"type": "string"}, "event_time": _TEXT}, needs=("decision_id", "event_time"))
    status = _object({"status": _TEXT}, needs=("status",))
    ready = _object(
        {"status": {"enum": ["ok", "log_degraded", "controls_unreadable", "draining"]}, "records_waiting": {"type": "integer"}, "records_lost": {"type": "integer"}},
        needs=("status",),
    )  # fmt: skip
    anybody: Schema = {"security": []}
    decision = _get("decision", "One decision's record, without its text", _content(record), 401, 404)
    decision["get"]["parameters"] = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}
    ]
    ready_get = _get("ready", "Whether requests are taken", _content(ready))
    ready_get["get"]["responses"]["503"] = {"description": "It is stopping.", "content": _content(ready)}
    for path in (ready_get, live := _get("live", "Whether the process answers", _content(status)), health := _get("health", "The same", _content(status))):  # fmt: skip
        path["get"] |= anybody
    metrics: Schema = {"text/plain": {"schema": _TEXT}}
    own = _get("openapi", "This document", _content({"type": "object"}))
    own["get"] |= anybody
    return {
        "/v1/models": _get("models", "What may be named as model", _content(models), 401),
        "/v1/undertow/decisions/{id}": decision,
        "/healthz": health,
        "/livez": live,
        "/readyz": ready_get,
        "/metrics": _get("metrics", "Counts, for Prometheus", metrics, 401),
        "/openapi.json": own,
    }


def _get(name: str, summary: str, content: Schema, *refused: int) -> Schema:
    responses = {"200": {"description": summary, "content": content}, **_refusals("Error", 400, *refused, 500)}
    return {"get": {"operationId": name, "summary": summary, "responses": responses}}
