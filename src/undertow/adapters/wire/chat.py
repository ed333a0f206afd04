"""OpenAI chat completions: requests, and the dialect that ties requests, answers and streams together."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from undertow.adapters.wire.answer_format import read_answer_format
from undertow.adapters.wire.body import TRUE, Fields, decode, encode, is_given, read_fields, read_limit, read_model
from undertow.adapters.wire.body import with_parameters as with_tier
from undertow.adapters.wire.chat_answer import read_chat_answer
from undertow.adapters.wire.chat_checks import OUTPUT_LIMITS, read_self_check, sample_body, self_check_body
from undertow.adapters.wire.chat_plain import read_plain_chat
from undertow.adapters.wire.chat_stream import ChatStream
from undertow.adapters.wire.content import last_user_text, media_of, read_messages, text_of
from undertow.adapters.wire.logprobs import read_top_logprobs
from undertow.adapters.wire.request import request_facts
from undertow.adapters.wire.shadow import CHAT_TOOLS, shadow_body
from undertow.adapters.wire.sse import event_bytes
from undertow.adapters.wire.tools import read_tools
from undertow.ports.wire import ReadAnswer, ReadRequest, StreamReader
from undertow.records.answer import NO_EVIDENCE, Evidence
from undertow.records.request import Endpoint

_CALLERS_OWN = frozenset({"model", "messages", "stream", "stream_options"})
_PROMPT_ROLES = frozenset({"system", "developer"})
_COUNTED = ("messages", "tools", "functions", "response_format")

_OPTIONS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MODALITIES = msgspec.json.Decoder(list[str])


def openai_error(message: str, *, type_: str, code: str | None, param: str | None) -> dict[str, object]:
    """An error as OpenAI writes it."""
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


class ChatDialect:
    """Chat completions; see `undertow.ports.wire.Dialect`."""

    endpoint: Endpoint = "chat.completions"
    kind: Literal["openai", "anthropic"] = "openai"
    path = "/chat/completions"

    def read_request(self, body: bytes, *, max_nesting: int) -> ReadRequest:
        """Read and check a request body.

        Raises:
            WireError: See `docs/reference/wire.md`.
        """
        fields = read_fields(body, max_nesting=max_nesting)
        plain = read_plain_chat(fields, body)
        return plain if plain is not None else self._read_any(fields)

    def _read_any(self, fields: Fields) -> ReadRequest:
        """Read a request field by field, with an error that names what is wrong."""
        model = read_model(fields)
        messages = read_messages(fields)
        text, is_user_turn = last_user_text(messages)
        has_tools, tools = (
            read_tools(fields, "tools", "functions") if "tools" in fields or "functions" in fields else (False, {})
        )
        answer_format = read_answer_format(fields["response_format"]) if "response_format" in fields else None
        facts = request_facts(
            fields,
            endpoint="chat.completions",
            model=model,
            text=text,
            is_user_turn=is_user_turn,
            prompts=[text_of(message.content) for message in messages if message.role in _PROMPT_ROLES],
            media=media_of(messages),
            counted=_COUNTED,
            output_limit=read_limit(fields, *OUTPUT_LIMITS),
            has_tools=has_tools,
            asks_for_media=_asks_for_media(fields),
            has_format=answer_format is not None,
        )
        return ReadRequest(
            facts=facts,
            fields=fields,
            wants_logprobs=fields.get("logprobs") == TRUE,
            wants_usage="stream_options" in fields and _options(fields).get("include_usage") == TRUE,
            tools=tools,
            top_logprobs=read_top_logprobs(fields),
            answer_format=answer_format,
        )

    def upstream_body(
        self, request: ReadRequest, *, model: str, parameters: Mapping[str, object], evidence: Evidence = NO_EVIDENCE
    ) -> bytes:
        """The body for a tier. The tier's own `logprobs` and `top_logprobs` parameters, if it has them, decide whether they are asked for."""
        fields = request.fields
        merged = self._merged(request, model, parameters)
        if evidence.logprobs and not _has_audio(fields):
            if not request.wants_logprobs and "logprobs" not in parameters:
                merged["logprobs"] = True
            if (
                evidence.alternatives > request.top_logprobs
                and "top_logprobs" not in parameters
                and parameters.get("logprobs", True) is True
            ):
                merged["top_logprobs"] = evidence.alternatives
        if request.facts.wants_stream and not request.wants_usage:
            tiers = parameters.get("stream_options")
            merged["stream_options"] = {
                **_options(fields),
                **(tiers if isinstance(tiers, Mapping) else {}),
                "include_usage": True,
            }
        return encode(merged)

    def read_answer(self, request: ReadRequest, body: bytes, *, evidence: Evidence = NO_EVIDENCE) -> ReadAnswer:
        """Read a whole answer.

        Raises:
            ValueError: It is none.
        """
        return read_chat_answer(request, body, evidence)

    def stream_reader(self, request: ReadRequest, *, evidence: Evidence = NO_EVIDENCE) -> StreamReader:
        """A reader for one stream."""
        return ChatStream(request, evidence)

    def self_check_body(
        self, request: ReadRequest, answer_text: str, *, model: str, parameters: Mapping[str, object]
    ) -> bytes | None:
        """A request that asks the model whether an answer is right; see `chat_checks`."""
        return self_check_body(request, answer_text, self._merged(request, model, parameters))

    def read_self_check(self, body: bytes) -> float | None:
        """Probability that the model gives its answer of being right."""
        return read_self_check(body)

    def sample_body(
        self, request: ReadRequest, *, model: str, parameters: Mapping[str, object], temperature: float
    ) -> bytes | None:
        """The same request once more, for one answer at another temperature."""
        return sample_body(self._merged(request, model, parameters), temperature)

    def shadow_body(self, request: ReadRequest, *, model: str, parameters: Mapping[str, object]) -> bytes | None:
        """The same request for another tier, off the request path; labels stay here, since upstreams take them with `store` alone."""
        return shadow_body(
            self._merged(request, model, parameters),
            tools=CHAT_TOOLS,
            refused=("web_search_options", "plugins", "audio"),
            dropped=("metadata",),
        )

    def _merged(self, request: ReadRequest, model: str, parameters: Mapping[str, object]) -> dict[str, object]:
        return with_tier(
            request.fields, model=model, parameters=parameters, own=_CALLERS_OWN, alternatives=OUTPUT_LIMITS
        )

    def error_body(self, message: str, *, type_: str, code: str | None = None, param: str | None = None) -> bytes:
        """An error in OpenAI's shape."""
        return encode(openai_error(message, type_=type_, code=code, param=param))

    def error_event(self, message: str, *, type_: str, code: str | None = None) -> bytes:
        """An event at which the official clients raise `APIError`."""
        return event_bytes(encode(openai_error(message, type_=type_, code=code, param=None)))


def _options(fields: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    options = fields.get("stream_options")
    if options is None:
        return {}
    try:
        return decode(_OPTIONS, options)
    except ValueError:
        # null, or something for the upstream to refuse; what we ask for then stands alone.
        return {}


def _has_audio(fields: Mapping[str, msgspec.Raw]) -> bool:
    return "audio" in fields and is_given(fields["audio"])


def _asks_for_media(fields: Mapping[str, msgspec.Raw]) -> bool:
    modalities = fields.get("modalities")
    if modalities is not None:
        try:
            if any(modality != "text" for modality in decode(_MODALITIES, modalities)):
                return True
        except ValueError:
            pass
    return _has_audio(fields)
