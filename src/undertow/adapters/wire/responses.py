"""OpenAI responses: requests, and the dialect. Which response came before is for the upstream to know: ids are passed on."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from undertow.adapters.wire.answer_format import read_text_format
from undertow.adapters.wire.body import (
    ABSENT,
    decode,
    encode,
    is_given,
    read_fields,
    read_limit,
    read_model,
    with_parameters,
    wrong_type,
)
from undertow.adapters.wire.chat import openai_error
from undertow.adapters.wire.content import TEXT_CHARS, Media, read_content, text_of
from undertow.adapters.wire.logprobs import read_top_logprobs
from undertow.adapters.wire.request import request_facts
from undertow.adapters.wire.responses_answer import read_response
from undertow.adapters.wire.responses_stream import ResponseStream
from undertow.adapters.wire.shadow import RESPONSE_TOOLS, shadow_body
from undertow.adapters.wire.sse import event_bytes
from undertow.adapters.wire.tools import read_tools
from undertow.ports.wire import ReadAnswer, ReadRequest, StreamReader, WireError
from undertow.records.answer import NO_EVIDENCE, Evidence
from undertow.records.request import Endpoint

LOGPROBS = "message.output_text.logprobs"
"""What stands in `include` to ask for log-probabilities."""

_CALLERS_OWN = frozenset({"model", "input", "stream", "include"})
_PROMPT_ROLES = frozenset({"system", "developer"})
_COUNTED = ("input", "instructions", "tools")
_INSTEAD_OF_INPUT = ("prompt", "conversation", "previous_response_id")


class _Item(msgspec.Struct, gc=False):
    """One item of the input: a message, a call, its output, reasoning."""

    type: str = ""
    role: str = ""
    content: msgspec.Raw = ABSENT
    output: msgspec.Raw = ABSENT


_INPUT = msgspec.json.Decoder(str | list[_Item])
_INCLUDE = msgspec.json.Decoder(list[str])


class ResponsesDialect:
    """OpenAI responses; see `undertow.ports.wire.Dialect`. The format always reports usage."""

    endpoint: Endpoint = "responses"
    kind: Literal["openai", "anthropic"] = "openai"
    path = "/responses"

    def read_request(self, body: bytes, *, max_nesting: int) -> ReadRequest:
        """Read and check a request body.

        Raises:
            WireError: See `docs/reference/wire.md`.
        """
        fields = read_fields(body, max_nesting=max_nesting)
        model = read_model(fields)
        text, is_user_turn, prompts, media = _read_input(fields)
        has_tools, tools = read_tools(fields, "tools")
        if "instructions" in fields:
            prompts.insert(0, text_of(read_content(fields["instructions"])))
        answer_format = read_text_format(fields["text"]) if "text" in fields else None
        facts = request_facts(
            fields,
            endpoint="responses",
            model=model,
            text=text,
            is_user_turn=is_user_turn,
            prompts=prompts,
            media=media,
            counted=_COUNTED,
            output_limit=read_limit(fields, "max_output_tokens"),
            has_tools=has_tools,
            has_format=answer_format is not None,
        )
        return ReadRequest(
            facts=facts,
            fields=fields,
            wants_logprobs=LOGPROBS in _include(fields),
            wants_usage=True,
            tools=tools,
            top_logprobs=read_top_logprobs(fields),
            answer_format=answer_format,
        )

    def upstream_body(
        self, request: ReadRequest, *, model: str, parameters: Mapping[str, object], evidence: Evidence = NO_EVIDENCE
    ) -> bytes:
        """The body for a tier. The tier's own `top_logprobs` parameter, if it has one, decides how many alternatives there are."""
        merged = with_parameters(request.fields, model=model, parameters=parameters, own=_CALLERS_OWN)
        if evidence.logprobs:
            if not request.wants_logprobs:
                merged["include"] = [*_include(request.fields), LOGPROBS]
            if evidence.alternatives > request.top_logprobs and "top_logprobs" not in parameters:
                merged["top_logprobs"] = evidence.alternatives
        return encode(merged)

    def read_answer(self, request: ReadRequest, body: bytes, *, evidence: Evidence = NO_EVIDENCE) -> ReadAnswer:
        """Read a whole response.

        Raises:
            ValueError: It is none, or one that failed.
        """
        return read_response(request, body, evidence)

    def stream_reader(self, request: ReadRequest, *, evidence: Evidence = NO_EVIDENCE) -> StreamReader:
        """A reader for one stream."""
        return ResponseStream(request, evidence)

    def self_check_body(
        self, request: ReadRequest, answer_text: str, *, model: str, parameters: Mapping[str, object]
    ) -> bytes | None:
        """None: answers are checked in chat completions only."""
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
        """The same request for another tier, off the request path; the provider, which keeps responses unasked, is told not to."""
        return shadow_body(
            with_parameters(request.fields, model=model, parameters=parameters, own=_CALLERS_OWN),
            tools=RESPONSE_TOOLS,
            refused=("conversation", "prompt"),
            dropped=("metadata",),
            kept=_not_kept(request.fields),
        )

    def error_body(self, message: str, *, type_: str, code: str | None = None, param: str | None = None) -> bytes:
        """An error in OpenAI's shape."""
        return encode(openai_error(message, type_=type_, code=code, param=param))

    def error_event(self, message: str, *, type_: str, code: str | None = None) -> bytes:
        """An event at which the official clients raise `APIError`.

        It has the fields of the documented `error` event and, as OpenAI's servers send it, the `error` object too: the
        clients raise on that one only.
        """
        event = {"type": "error", "code": code, "message": message, "param": None, "sequence_number": 0}
        return event_bytes(encode(event | openai_error(message, type_=type_, code=code, param=None)), "error")


def _read_input(fields: Mapping[str, msgspec.Raw]) -> tuple[str, bool, list[str], Media]:
    """Text of the last user message, whether the input ends with it, texts of system messages, and media."""
    media = Media()
    value = fields.get("input")
    if value is None or not is_given(value):
        if any(name in fields for name in _INSTEAD_OF_INPUT):
            return "", False, [], media
        raise WireError(
            "input: expected a string or a list of items, got none", param="input", code="missing_required_parameter"
        )
    try:
        items = decode(_INPUT, value)
    except ValueError as error:
        if bytes(value)[:1] != b"[":
            raise wrong_type("input", "a string or a list of items", value) from None
        raise WireError(f"input: {error}", param="input", code="invalid_type") from None
    if isinstance(items, str):
        return items[:TEXT_CHARS], True, [], media
    if not items:
        raise WireError("input: expected at least one item, got none", param="input", code="empty_array")
    text, prompts = "", []
    for item in items:
        content = read_content(item.content)
        media.add(content)
        if item.role == "user":
            text = text_of(content)[:TEXT_CHARS]
        elif item.role in _PROMPT_ROLES:
            prompts.append(text_of(content))
        if item.output:
            media.add(read_content(item.output))
            if item.type == "computer_call_output":
                media.images += 1
                media.image_bytes += len(item.output)
    return text, items[-1].role == "user", prompts, media


def _not_kept(fields: Mapping[str, msgspec.Raw]) -> dict[str, object]:
    """That the response is not to be kept, and what the caller wants included, without log-probabilities."""
    include = [name for name in _include(fields) if name != LOGPROBS]
    return {"store": False, "include": include} if "include" in fields else {"store": False}


def _include(fields: Mapping[str, msgspec.Raw]) -> list[str]:
    if "include" not in fields:
        return []
    try:
        return decode(_INCLUDE, fields["include"])
    except ValueError:
        # null, or something for the upstream to refuse; what we ask for then stands alone.
        return []
