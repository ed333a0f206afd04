"""Requests, answers and streams of the three wire formats, small and made up, for tests of the dialects."""

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from undertow.adapters.wire import dialects
from undertow.ports.wire import Dialect, ReadRequest, StreamPiece, StreamReader

DIALECTS = dialects()
CHAT = DIALECTS["/v1/chat/completions"]
MESSAGES = DIALECTS["/v1/messages"]
RESPONSES = DIALECTS["/v1/responses"]

LOOK_UP = {
    "name": "look_up",
    "description": "Look an order up.",
    "parameters": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
}


def dumps(value: Any) -> bytes:
    """Compact JSON, text as UTF-8, as the official servers and clients write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def asked(dialect: Dialect, **fields: Any) -> ReadRequest:
    """A small request with some fields changed or added, read."""
    body: dict[str, Any] = {"model": "auto"}
    if dialect is RESPONSES:
        body["input"] = "How do I reset it?"
    else:
        body["messages"] = [{"role": "user", "content": "How do I reset it?"}]
    if dialect is MESSAGES:
        body["max_tokens"] = 100
    return dialect.read_request(dumps({**body, **fields}), max_nesting=100)


def sse(*events: Any, done: bool = False, end: str = "\n") -> bytes:
    """Events as a server writes them: named by their type where they have one."""
    out = []
    for event in events:
        name = f"event: {event['type']}{end}" if "type" in event else ""
        out.append(name.encode() + b"data: " + dumps(event) + 2 * end.encode())
    return b"".join(out) + (f"data: [DONE]{end}{end}".encode() if done else b"")


def fed(reader: StreamReader, chunks: Iterable[bytes]) -> StreamPiece:
    """Everything that chunks became, in one piece."""
    whole = StreamPiece()
    for chunk in chunks:
        piece = reader.feed(chunk)
        whole.forward += piece.forward
        whole.last += piece.last
        whole.has_content |= piece.has_content
        whole.error = whole.error or piece.error
    return whole


def cut(document: bytes, places: Iterable[int]) -> Iterator[bytes]:
    """A document cut at some places."""
    start = 0
    for place in sorted({place % (len(document) + 1) for place in places}):
        yield document[start:place]
        start = place
    yield document[start:]


# --- chat completions


def tokens(*logprobs: float) -> dict[str, Any]:
    """`logprobs` of a choice."""
    content = [
        {"token": f"t{n}", "logprob": value, "bytes": [116], "top_logprobs": []} for n, value in enumerate(logprobs)
    ]
    return {"content": content, "refusal": None}


def with_alternatives(logprobs: dict[str, Any], count: int) -> dict[str, Any]:
    """`logprobs` of a choice with so many alternatives of each token, of probability 1/2, 1/4, 1/8, ..."""
    top = [{"token": f"x{n}", "logprob": -(n + 1) * math.log(2), "bytes": None} for n in range(count)]
    return {**logprobs, "content": [{**token, "top_logprobs": top} for token in logprobs["content"]]}


def completion(content: str | None = "Press the button.", **changes: Any) -> dict[str, Any]:
    """A chat completion; `message`, `logprobs` and `finish_reason` go into its choice."""
    message = {"role": "assistant", "content": content, "refusal": None} | changes.pop("message", {})
    choice = {"index": 0, "message": message, "logprobs": changes.pop("logprobs", None)}
    choice["finish_reason"] = changes.pop("finish_reason", "stop")
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "small-2026",
        "choices": [choice],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
        "system_fingerprint": "fp_1",
    } | changes


def chunk(delta: dict[str, Any] | None = None, *, finish: str | None = None, **changes: Any) -> dict[str, Any]:
    """A chunk of a chat completion; without a delta one without choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    if "logprobs" in changes:
        choices[0]["logprobs"] = changes.pop("logprobs")
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "small-2026",
        "choices": choices,
        "usage": None,
    } | changes


CHAT_USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
CHAT_EVENTS = (
    chunk({"role": "assistant", "content": "", "refusal": None}, obfuscation="x9"),
    chunk({"content": "Drück "}, logprobs=tokens(-0.25)),
    chunk({"content": "den Knopf 🔘"}, logprobs=tokens(-0.5, -0.25)),
    chunk({}, finish="stop"),
    chunk(usage=CHAT_USAGE),
)


# --- Anthropic messages


def message(*content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An Anthropic message."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "small-2026",
        "content": list(content or ({"type": "text", "text": "Press the button."},)),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 5,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 20,
            "output_tokens": 4,
        },
    } | changes


MESSAGE_EVENTS = (
    {"type": "message_start", "message": {**message(), "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Drück "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "den Knopf 🔘"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t1", "name": "look_up", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"order":'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ' "7"}'}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 30},
    },
    {"type": "message_stop"},
)


# --- responses


def response(*output: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A response of the responses API."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "small-2026",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "output": list(output or (said("Press the button."),)),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 3},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 13,
        },
    } | changes


def said(text: str, *logprobs: float, alternatives: int = 0) -> dict[str, Any]:
    """An output message; each token with so many alternatives."""
    content = with_alternatives(tokens(*logprobs), alternatives)["content"]
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": content}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


_AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_WHOLE = said("Drück den Knopf 🔘", -0.25, -0.5)
RESPONSE_EVENTS = (
    {
        "type": "response.created",
        "sequence_number": 0,
        "response": {**response(), "output": [], "status": "in_progress", "usage": None},
    },
    {
        "type": "response.output_item.added",
        "sequence_number": 1,
        "output_index": 0,
        "item": {**said(""), "content": []},
    },
    {"type": "response.content_part.added", "sequence_number": 2, **_AT, "part": said("")["content"][0]},
    {
        "type": "response.output_text.delta",
        "sequence_number": 3,
        **_AT,
        "delta": "Drück ",
        "logprobs": tokens(-0.25)["content"],
    },
    {
        "type": "response.output_text.delta",
        "sequence_number": 4,
        **_AT,
        "delta": "den Knopf 🔘",
        "logprobs": tokens(-0.5)["content"],
    },
    {
        "type": "response.output_text.done",
        "sequence_number": 5,
        **_AT,
        "text": "Drück den Knopf 🔘",
        "logprobs": _WHOLE["content"][0]["logprobs"],
    },
    {"type": "response.content_part.done", "sequence_number": 6, **_AT, "part": _WHOLE["content"][0]},
    {"type": "response.output_item.done", "sequence_number": 7, "output_index": 0, "item": _WHOLE},
    {"type": "response.completed", "sequence_number": 8, "response": response(_WHOLE)},
)

STREAMS = {
    "chat": (CHAT, sse(*CHAT_EVENTS, done=True)),
    "messages": (MESSAGES, b": hello\n\n" + sse(*MESSAGE_EVENTS)),
    "responses": (RESPONSES, sse(*RESPONSE_EVENTS)),
}
"""A dialect and a whole stream of it each."""
