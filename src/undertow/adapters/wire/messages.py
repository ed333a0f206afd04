"""Anthropic messages: requests, whole answers, and the dialect."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from undertow.adapters.wire.body import (
    ABSENT,
    check_text,
    decode,
    encode,
    is_given,
    read_fields,
    read_limit,
    read_model,
    with_parameters,
)
from undertow.adapters.wire.content import last_user_text, media_of, read_content, read_messages, text_of
from undertow.adapters.wire.messages_stream import REFUSED, MessageStream
from undertow.adapters.wire.request import request_facts
from undertow.adapters.wire.shadow import MESSAGE_TOOLS, shadow_body
from undertow.adapters.wire.sse import event_bytes
from undertow.adapters.wire.tally import AnswerTally
from undertow.adapters.wire.tools import read_tools
from undertow.adapters.wire.usage import anthropic_usage
from undertow.ports.wire import ReadAnswer, ReadRequest, StreamReader
from undertow.records.answer import NO_EVIDENCE, Evidence
from undertow.records.request import Endpoint

_CALLERS_OWN = frozenset({"model", "messages", "stream"})
_COUNTED = ("messages", "system", "tools")

TYPES: Mapping[str, str] = {
    "model_not_found": "not_found_error",
    "http_404": "not_found_error",
    "invalid_api_key": "authentication_error",
    "tier_not_allowed": "permission_error",
    "body_too_large": "request_too_large",
    "http_413": "request_too_large",
    "http_429": "rate_limit_error",
    "http_529": "overloaded_error",
    "upstream_resting": "overloaded_error",
    "upstream_timeout": "timeout_error",
}
"""Code of an error -> Anthropic's type, which is what that API's clients tell errors apart by."""
TYPE_NAMES: Mapping[str, str] = {"upstream_error": "api_error", "insufficient_quota": "rate_limit_error"}
"""OpenAI's type -> Anthropic's, where the code says nothing."""


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    name: str | None = None
    input: msgspec.Raw = ABSENT


class _Answer(msgspec.Struct, gc=False):
    content: list[_Block] | None = None
    type: str = ""
    model: str | None = None
    stop_reason: str | None = None
    usage: msgspec.Raw = ABSENT


_ANSWER = msgspec.json.Decoder(_Answer)


class MessagesDialect:
    """Anthropic messages; see `undertow.ports.wire.Dialect`. The format always reports usage and has no log-probabilities."""

    endpoint: Endpoint = "messages"
    kind: Literal["openai", "anthropic"] = "anthropic"
    path = "/messages"

    def read_request(self, body: bytes, *, max_nesting: int) -> ReadRequest:
        """Read and check a request body.

        Raises:
            WireError: See `docs/reference/wire.md`.
        """
        fields = read_fields(body, max_nesting=max_nesting)
        model = read_model(fields)
        messages = read_messages(fields)
        text, is_user_turn = last_user_text(messages)
        has_tools, tools = read_tools(fields, "tools")
        system = fields.get("system")
        facts = request_facts(
            fields,
            endpoint="messages",
            model=model,
            text=text,
            is_user_turn=is_user_turn,
            prompts=[] if system is None else [text_of(read_content(system))],
            media=media_of(messages),
            counted=_COUNTED,
            output_limit=read_limit(fields, "max_tokens"),
            has_tools=has_tools,
        )
        return ReadRequest(facts=facts, fields=fields, wants_usage=True, tools=tools)

    def upstream_body(
        self, request: ReadRequest, *, model: str, parameters: Mapping[str, object], evidence: Evidence = NO_EVIDENCE
    ) -> bytes:
        """The body for a tier. The format has no log-probabilities to ask for, so `evidence` changes nothing."""
        del evidence
        return encode(with_parameters(request.fields, model=model, parameters=parameters, own=_CALLERS_OWN))

    def read_answer(self, request: ReadRequest, body: bytes, *, evidence: Evidence = NO_EVIDENCE) -> ReadAnswer:
        """Read a whole message.

        Raises:
            ValueError: It is none.
        """
        check_text(body)
        answer = decode(_ANSWER, body)
        if answer.content is None or answer.type == "error":
            raise ValueError("no message: it has no content")
        tally = AnswerTally(request, evidence)
        tally.model = answer.model
        tally.finish_reason = answer.stop_reason
        tally.is_refusal = answer.stop_reason == REFUSED
        for block in answer.content:
            if block.text:
                tally.add_text(block.text)
            if block.type == "tool_use":
                tally.add_call(block.name, block.input)
        usage = anthropic_usage(answer.usage) if is_given(answer.usage) else None
        return ReadAnswer(facts=tally.facts(usage), body=body)

    def stream_reader(self, request: ReadRequest, *, evidence: Evidence = NO_EVIDENCE) -> StreamReader:
        """A reader for one stream."""
        return MessageStream(request, evidence)

    def self_check_body(
        self, request: ReadRequest, answer_text: str, *, model: str, parameters: Mapping[str, object]
    ) -> bytes | None:
        """None: the format has no log-probabilities."""
        del request, answer_text, model, parameters

    def read_self_check(self, body: bytes) -> float | None:
        """None, as nothing was asked."""
        del body

    def sample_body(
        self, request: ReadRequest, *, model: str, parameters: Mapping[str, object], temperature: float
    ) -> bytes | None:
        """None: answers are sampled in chat completions only."""
        del request, model, parameters, temperature

    def shadow_body(self, request: ReadRequest, *, model: str, parameters: Mapping[str, object]) -> bytes | None:
        """The same request for another tier, off the request path."""
        return shadow_body(
            with_parameters(request.fields, model=model, parameters=parameters, own=_CALLERS_OWN),
            tools=frozenset({"custom"}),
            tool_beginnings=MESSAGE_TOOLS,
            is_typed=False,
            refused=("mcp_servers", "container"),
        )

    def error_body(self, message: str, *, type_: str, code: str | None = None, param: str | None = None) -> bytes:
        """An error in Anthropic's shape, with Anthropic's type for its code; the field at fault stands in the message."""
        del param
        return encode(_error(message, TYPES.get(code or "", TYPE_NAMES.get(type_, type_))))

    def error_event(self, message: str, *, type_: str, code: str | None = None) -> bytes:
        """An event at which the official clients raise `APIStatusError`."""
        del code
        return event_bytes(encode(_error(message, TYPE_NAMES.get(type_, type_))), "error")


def _error(message: str, type_: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": type_, "message": message}}
