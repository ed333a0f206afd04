"""Answers of the fake upstream in the three wire formats, whole or as server-sent events."""

import json
import math
from typing import Any

from gateway_fakes.reply import Reply

Document = dict[str, Any]

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def whole(path: str, request: Document, reply: Reply) -> bytes:
    """The whole answer as JSON."""
    maker = {"/chat/completions": _chat, "/messages": _message, "/responses": _response}[path]
    return json.dumps(maker(request, reply)).encode()


def events(path: str, request: Document, reply: Reply) -> list[bytes]:
    """The answer as events, each complete with its empty line."""
    maker = {"/chat/completions": _chat_events, "/messages": _message_events, "/responses": _response_events}[path]
    return maker(request, reply)


def error(path: str, status: int, message: str) -> bytes:
    """An error in the format's own shape."""
    if path == "/messages":
        return json.dumps({"type": "error", "error": {"type": "api_error", "message": message}}).encode()
    kind = "rate_limit_error" if status == 429 else "server_error" if status >= 500 else "invalid_request_error"
    code = "rate_limit_exceeded" if status == 429 else None
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


def error_event(path: str) -> bytes:
    """The event with which a provider says that its stream failed."""
    if path == "/messages":
        return _named({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    if path == "/responses":
        return _named({"type": "error", "code": "server_error", "message": "Overloaded", "param": None})
    return _plain({"error": {"message": "Overloaded", "type": "server_error", "param": None, "code": None}})


def _plain(document: Document) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def _named(document: Document) -> bytes:
    return b"event: " + document["type"].encode() + b"\ndata: " + json.dumps(document).encode() + b"\n\n"


def _pieces(reply: Reply) -> list[str]:
    words = reply.words
    if reply.pieces is None or not words:
        return words
    size = math.ceil(len(words) / reply.pieces)
    return ["".join(words[start : start + size]) for start in range(0, len(words), size)]


def _tokens(text: str, reply: Reply, *, top: int = 0, start: int = 0) -> list[Document]:
    assert reply.confidence is not None
    result = []
    for place, word in enumerate(Reply(text=text).words, start):
        first = reply.first_confidences
        logprob = math.log(first[place] if place < len(first) else reply.confidence)
        others = [{"token": f"other{rank}", "logprob": logprob - 1 - rank, "bytes": None} for rank in range(top)]
        result.append({"token": word, "logprob": logprob, "bytes": list(word.encode()), "top_logprobs": others})
    return result


def _finish(reply: Reply) -> str:
    return reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")


# --- chat completions


def _chat_usage(reply: Reply) -> Document:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.input_tokens + reply.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens, "audio_tokens": 0},
    }


def _calls(reply: Reply) -> list[Document]:
    return [
        {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for index, (name, arguments) in enumerate(reply.tool_calls)
    ]


def _chat_logprobs(request: Document, reply: Reply, text: str, *, start: int = 0) -> Document | None:
    if not request.get("logprobs") or reply.confidence is None:
        return None
    written = text or "".join(arguments for _, arguments in reply.tool_calls)
    return {"content": _tokens(written, reply, top=request.get("top_logprobs") or 0, start=start), "refusal": None}


def _chat(request: Document, reply: Reply) -> Document:
    message: Document = {"role": "assistant", "content": reply.text, "refusal": reply.refusal, "annotations": []}
    if reply.reasoning is not None:
        message["reasoning_content"] = reply.reasoning
    if reply.tool_calls:
        message["tool_calls"] = _calls(reply)
    logprobs = _chat_logprobs(request, reply, reply.text or "")
    document = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": request.get("model", "fake"),
        "choices": [
            {"index": index, "message": message, "logprobs": logprobs, "finish_reason": _finish(reply)}
            for index in range(request.get("n") or 1)
        ],
        "service_tier": "default",
        "system_fingerprint": reply.fingerprint,
    }
    if reply.has_usage:
        document["usage"] = _chat_usage(reply)
    return document


def _chat_events(request: Document, reply: Reply) -> list[bytes]:
    wants_usage = bool((request.get("stream_options") or {}).get("include_usage"))
    base: Document = {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": request.get("model", "fake"),
        "system_fingerprint": reply.fingerprint,
    }
    if wants_usage:
        base["usage"] = None

    def chunk(delta: Document, *, finish: str | None = None, logprobs: Document | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return _plain({**base, "choices": [choice]})

    opening: Document = {"role": "assistant", "content": "" if reply.text is not None else None, "refusal": None}
    result = [chunk(opening)]
    if reply.reasoning is not None:
        result.append(chunk({"reasoning_content": reply.reasoning}))
    start = 0
    for piece in _pieces(reply):
        result.append(chunk({"content": piece}, logprobs=_chat_logprobs(request, reply, piece, start=start)))
        start += len(Reply(text=piece).words)
    if reply.refusal is not None:
        result.append(chunk({"refusal": reply.refusal}))
    for index, call in enumerate(_calls(reply)):
        arguments = call["function"]["arguments"]
        first = {**call, "index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
        result.append(chunk({"tool_calls": [first]}))
        for part in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
            logprobs = None
            if request.get("logprobs") and reply.confidence is not None:
                logprobs = {"content": _tokens(part, reply), "refusal": None}
            result.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]}, logprobs=logprobs))
    result.append(chunk({}, finish=_finish(reply)))
    if wants_usage and reply.has_usage:
        result.append(_plain({**base, "choices": [], "usage": _chat_usage(reply)}))
    return [*result, b"data: [DONE]\n\n"]


# --- Anthropic messages


def _message_usage(reply: Reply) -> Document:
    # Anthropic counts cached tokens beside input_tokens, OpenAI inside its prompt_tokens.
    return {
        "input_tokens": reply.input_tokens - reply.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": reply.cached_tokens,
        "output_tokens": reply.completion_tokens,
    }


def _blocks(reply: Reply) -> list[Document]:
    result: list[Document] = []
    if reply.reasoning is not None:
        result.append({"type": "thinking", "thinking": reply.reasoning, "signature": "c2ln"})
    spoken = reply.text if reply.refusal is None else reply.refusal
    if spoken is not None:
        result.append({"type": "text", "text": spoken})
    for index, (name, arguments) in enumerate(reply.tool_calls):
        try:
            read = json.loads(arguments)
        except ValueError:
            read = arguments
        result.append({"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": read})
    return result


def _stop_reason(reply: Reply) -> str:
    return "refusal" if reply.refusal is not None else STOP_REASONS[_finish(reply)]


def _message(request: Document, reply: Reply) -> Document:
    document = {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": request.get("model", "fake"),
        "content": _blocks(reply),
        "stop_reason": _stop_reason(reply),
        "stop_sequence": None,
    }
    if reply.has_usage:
        document["usage"] = _message_usage(reply)
    return document


def _message_events(request: Document, reply: Reply) -> list[bytes]:
    start = {**_message(request, reply), "content": [], "stop_reason": None}
    if reply.has_usage:
        start["usage"] = {**_message_usage(reply), "output_tokens": 1}
    result = [_named({"type": "message_start", "message": start})]
    for index, block in enumerate(_blocks(reply)):
        match block["type"]:
            case "text":
                opened = {"type": "text", "text": ""}
                parts = _pieces(reply) if reply.refusal is None else [block["text"]]
                deltas: list[Document] = [{"type": "text_delta", "text": part} for part in parts]
            case "thinking":
                opened = {"type": "thinking", "thinking": "", "signature": ""}
                deltas = [
                    {"type": "thinking_delta", "thinking": block["thinking"]},
                    {"type": "signature_delta", "signature": block["signature"]},
                ]
            case _:
                opened = {**block, "input": {}}
                written = reply.tool_calls[int(block["id"].removeprefix("toolu_"))][1]
                half = len(written) // 2
                deltas = [
                    {"type": "input_json_delta", "partial_json": part} for part in (written[:half], written[half:])
                ]
        result.append(_named({"type": "content_block_start", "index": index, "content_block": opened}))
        if index == 0:
            result.append(_named({"type": "ping"}))
        result += [_named({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas]
        result.append(_named({"type": "content_block_stop", "index": index}))
    ending: Document = {
        "type": "message_delta",
        "delta": {"stop_reason": _stop_reason(reply), "stop_sequence": None},
    }
    ending["usage"] = {"output_tokens": reply.completion_tokens}
    return [*result, _named(ending), _named({"type": "message_stop"})]


# --- OpenAI responses


def _response_usage(reply: Reply) -> Document:
    return {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": reply.cached_tokens},
        "output_tokens": reply.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        "total_tokens": reply.input_tokens + reply.completion_tokens,
    }


def _wants_response_logprobs(request: Document, reply: Reply) -> bool:
    return reply.confidence is not None and "message.output_text.logprobs" in (request.get("include") or [])


def _output(request: Document, reply: Reply) -> list[Document]:
    result: list[Document] = []
    if reply.reasoning is not None:
        summary = [{"type": "summary_text", "text": reply.reasoning}]
        result.append({"type": "reasoning", "id": "rs_fake", "summary": summary})
    content: list[Document] = []
    if reply.text is not None and reply.refusal is None:
        logprobs = _tokens(reply.text, reply) if _wants_response_logprobs(request, reply) else []
        content.append({"type": "output_text", "text": reply.text, "annotations": [], "logprobs": logprobs})
    if reply.refusal is not None:
        content.append({"type": "refusal", "refusal": reply.refusal})
    if content:
        result.append(
            {"type": "message", "id": "msg_fake", "role": "assistant", "status": "completed", "content": content}
        )
    for index, (name, arguments) in enumerate(reply.tool_calls):
        call = {"type": "function_call", "id": f"fc_{index}", "call_id": f"call_{index}", "status": "completed"}
        result.append({**call, "name": name, "arguments": arguments})
    return result


def _response(request: Document, reply: Reply) -> Document:
    is_cut_short = _finish(reply) in {"length", "content_filter"}
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(_finish(reply))
    return {
        "id": "resp_fake",
        "object": "response",
        "created_at": 1_760_000_000,
        "model": request.get("model", "fake"),
        "status": "incomplete" if is_cut_short else "completed",
        "error": None,
        "incomplete_details": {"reason": reason} if is_cut_short else None,
        "instructions": None,
        "metadata": request.get("metadata") or {},
        "output": _output(request, reply),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": request.get("tools") or [],
        "top_p": 1.0,
        "usage": _response_usage(reply) if reply.has_usage else None,
    }


def _response_events(request: Document, reply: Reply) -> list[bytes]:
    final = _response(request, reply)
    started = {**final, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    documents: list[Document] = [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
    ]
    for index, item in enumerate(final["output"]):
        at: Document = {"output_index": index, "item_id": item["id"]}
        hollow = {**item, "status": "in_progress"} if "status" in item else dict(item)
        if item["type"] == "message":
            hollow["content"] = []
        if item["type"] == "function_call":
            hollow["arguments"] = ""
        documents.append({"type": "response.output_item.added", "output_index": index, "item": hollow})
        if item["type"] == "message":
            documents += _content_events(request, reply, at, item["content"][0])
        if item["type"] == "function_call":
            written, half = item["arguments"], len(item["arguments"]) // 2
            documents += [
                {"type": "response.function_call_arguments.delta", **at, "delta": written[:half]},
                {"type": "response.function_call_arguments.delta", **at, "delta": written[half:]},
                {"type": "response.function_call_arguments.done", **at, "arguments": written, "name": item["name"]},
            ]
        documents.append({"type": "response.output_item.done", "output_index": index, "item": item})
    ending = "response.incomplete" if final["status"] == "incomplete" else "response.completed"
    documents.append({"type": ending, "response": final})
    return [_named({**document, "sequence_number": number}) for number, document in enumerate(documents)]


def _content_events(request: Document, reply: Reply, at: Document, part: Document) -> list[Document]:
    at = {**at, "content_index": 0}
    if part["type"] == "refusal":
        hollow = {"type": "refusal", "refusal": ""}
        middle: list[Document] = [
            {"type": "response.refusal.delta", **at, "delta": part["refusal"]},
            {"type": "response.refusal.done", **at, "refusal": part["refusal"]},
        ]
    else:
        hollow = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        has_logprobs = _wants_response_logprobs(request, reply)
        middle = [
            {
                "type": "response.output_text.delta",
                **at,
                "delta": piece,
                "logprobs": _tokens(piece, reply) if has_logprobs else [],
            }
            for piece in _pieces(reply)
        ]
        done = {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": part["logprobs"]}
        middle.append(done)
    return [
        {"type": "response.content_part.added", **at, "part": hollow},
        *middle,
        {"type": "response.content_part.done", **at, "part": part},
    ]
