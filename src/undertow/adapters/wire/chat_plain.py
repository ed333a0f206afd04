"""The usual chat request, read in one go: texts alone, no tools, nothing odd. It is most of the traffic, and every function call counts.

What is not plain, and what is wrong, is left to the reading field by field in `chat.py`, whose result is the same where both
can read a request (a property test holds the two together).
"""

from collections.abc import Mapping

import msgspec

from undertow.adapters.wire.answer_format import read_answer_format
from undertow.adapters.wire.body import MAX_TOKENS, TRUE
from undertow.adapters.wire.content import BYTES_PER_TOKEN, TEXT_CHARS, prompt_hash
from undertow.adapters.wire.labels import CONVERSATION_KEYS, MAX_KEY_CHARS, MAX_PAIRS, MAX_VALUE_CHARS, USER_KEY
from undertow.adapters.wire.logprobs import read_top_logprobs
from undertow.ports.wire import ReadRequest
from undertow.records.request import RequestFacts

_NOT_PLAIN = frozenset({"tools", "functions", "modalities", "audio", "stream_options"})
_COUNTED = ("messages", "response_format")


class _Message(msgspec.Struct, gc=False):
    role: str = ""
    content: str | None = None


class _Request(msgspec.Struct, gc=False):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    metadata: dict[str, str] = {}
    safety_identifier: str | None = None
    user: str | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None


_REQUEST = msgspec.json.Decoder(_Request)


def read_plain_chat(fields: Mapping[str, msgspec.Raw], body: bytes) -> ReadRequest | None:
    """A plain request; None where it is not plain, or wrong.

    Args:
        fields: Its top-level fields.
        body: All of it, known to be UTF-8 and not nested too deeply.
    """
    if not _NOT_PLAIN.isdisjoint(fields):
        return None
    try:
        seen = _REQUEST.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    labels = seen.metadata
    if not seen.model or not seen.messages or len(labels) > MAX_PAIRS:
        return None
    conversation_id = None
    if labels:
        for key, value in labels.items():
            if len(key) > MAX_KEY_CHARS or len(value) > MAX_VALUE_CHARS:
                return None
        for key in CONVERSATION_KEYS:
            if key in labels:
                given = labels.pop(key)
                conversation_id = conversation_id or given or None
    user_id = seen.safety_identifier or seen.user
    if user_id and len(user_id) > MAX_VALUE_CHARS:
        return None
    limit = seen.max_completion_tokens if seen.max_completion_tokens is not None else seen.max_tokens
    if limit is not None:
        if limit < 0:
            return None
        limit = min(limit, MAX_TOKENS)
    text: str | None = None
    prompts = None
    for message in seen.messages:
        role = message.role
        if role == "user":
            text = message.content or ""
        elif role in ("system", "developer"):
            prompts = [message.content or ""] if prompts is None else [*prompts, message.content or ""]
    size = 0
    for name in _COUNTED:
        if name in fields:
            size += len(fields[name])
    answer_format = read_answer_format(fields["response_format"]) if "response_format" in fields else None
    facts = RequestFacts(
        endpoint="chat.completions",
        requested_model=seen.model,
        segment=labels,
        conversation_id=conversation_id,
        user_id=user_id or (labels.pop(USER_KEY, None) or None if labels else None),
        input_tokens=-(-size // BYTES_PER_TOKEN),
        output_limit=limit,
        wants_stream=seen.stream is True,
        text=text[:TEXT_CHARS] if text else "",
        is_user_turn=seen.messages[-1].role == "user",
        prompt_hash=prompt_hash(prompts) if prompts else None,
        has_format=answer_format is not None,
    )
    if labels:
        labels.pop(USER_KEY, None)
    return ReadRequest(
        facts=facts,
        fields=fields,
        wants_logprobs=fields.get("logprobs") == TRUE,
        top_logprobs=read_top_logprobs(fields) if "top_logprobs" in fields else 0,
        answer_format=answer_format,
    )
