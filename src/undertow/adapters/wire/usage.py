"""Tokens as upstreams report them, in one shape: cached, cache-write and audio input are parts of the input."""

import math
from typing import Annotated, Any

import msgspec

from undertow.adapters.wire.body import T, decode, encode
from undertow.records.answer import Usage

CHARS_PER_TOKEN = 4
"""For an answer whose upstream said nothing, such as a stream that was cut."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**40)] | None
"""What is zero may be left out or null."""


class _Details(msgspec.Struct, gc=False):
    cached_tokens: Count = None
    cache_write_tokens: Count = None
    reasoning_tokens: Count = None
    audio_tokens: Count = None


class _OpenAI(msgspec.Struct, gc=False):
    """Both of OpenAI's shapes: `prompt_tokens` of chat completions, `input_tokens` of responses."""

    prompt_tokens: Count = None
    completion_tokens: Count = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: Count = None
    input_tokens: Count = None
    output_tokens: Count = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Thinking(msgspec.Struct, gc=False):
    thinking_tokens: Count = None


class _Anthropic(msgspec.Struct, gc=False):
    input_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    output_tokens: Count = None
    output_tokens_details: _Thinking | None = None


_ANYTHING = msgspec.json.Decoder()
_OPENAI = msgspec.json.Decoder(_OpenAI)
_ANTHROPIC = msgspec.json.Decoder(_Anthropic)
_NO_DETAILS = _Details()


def openai_usage(value: msgspec.Raw) -> Usage | None:
    """Usage of a chat completion or a response, or None where it is absent or makes no sense.

    Examples:
        >>> usage = openai_usage(msgspec.Raw(b'{"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}'))
        >>> usage.input_tokens, usage.cached_tokens, usage.output_tokens
        (9, 4, 2)
    """
    if not value:
        return None
    try:
        seen = _read(_OPENAI, value)
        if seen.prompt_tokens is None and seen.completion_tokens is None:
            given, made = seen.input_tokens, seen.output_tokens
            of_given, of_made = seen.input_tokens_details, seen.output_tokens_details
        else:
            given, made = seen.prompt_tokens, seen.completion_tokens
            of_given, of_made = seen.prompt_tokens_details, seen.completion_tokens_details
        if given is None and made is None:
            return None
        of_given, of_made = of_given or _NO_DETAILS, of_made or _NO_DETAILS
        cached = of_given.cached_tokens if of_given.cached_tokens is not None else seen.prompt_cache_hit_tokens
        return Usage(
            input_tokens=given or 0,
            cached_tokens=cached or 0,
            cache_write_tokens=of_given.cache_write_tokens or 0,
            audio_input_tokens=of_given.audio_tokens or 0,
            output_tokens=made or 0,
            reasoning_tokens=of_made.reasoning_tokens or 0,
            audio_output_tokens=of_made.audio_tokens or 0,
        )
    except ValueError:
        return None


class AnthropicCounts:
    """Usage of an Anthropic message, put together from the parts that a stream reports; a later count replaces an earlier one."""

    __slots__ = ("_cached", "_input", "_output", "_thinking", "_written")

    def __init__(self) -> None:
        self._input: int | None = None
        self._cached = 0
        self._written = 0
        self._output: int | None = None
        self._thinking = 0

    def add(self, value: msgspec.Raw, *, is_start: bool = False) -> None:
        """Take in one `usage` object. The output count at the start of a stream is a place holder and is left out."""
        if not value:
            return
        try:
            seen = _read(_ANTHROPIC, value)
            if seen.input_tokens is not None:
                self._input = seen.input_tokens
            if seen.cache_read_input_tokens is not None:
                self._cached = seen.cache_read_input_tokens
            if seen.cache_creation_input_tokens is not None:
                self._written = seen.cache_creation_input_tokens
            if seen.output_tokens is not None and not is_start:
                self._output = seen.output_tokens
            if seen.output_tokens_details is not None:
                self._thinking = seen.output_tokens_details.thinking_tokens or 0
        except ValueError:
            return

    def usage(self) -> Usage | None:
        """What is known; None unless both input and output were reported."""
        return None if self._input is None or self._output is None else self._made(self._output, is_estimated=False)

    def estimate(self, input_tokens: int, chars: int) -> Usage:
        """What is known, and the rest estimated."""
        if self._input is None:
            return estimated_usage(input_tokens, chars)
        return self._made(math.ceil(chars / CHARS_PER_TOKEN), is_estimated=True)

    def _made(self, output_tokens: int, *, is_estimated: bool) -> Usage:
        # Anthropic's input tokens are those beside the cache; ours are all.
        return Usage(
            input_tokens=(self._input or 0) + self._cached + self._written,
            cached_tokens=self._cached,
            cache_write_tokens=self._written,
            output_tokens=output_tokens,
            reasoning_tokens=min(self._thinking, output_tokens),
            is_estimated=is_estimated,
        )


def anthropic_usage(value: msgspec.Raw) -> Usage | None:
    """Usage of a whole Anthropic message, or None where it is absent or makes no sense.

    Examples:
        >>> anthropic_usage(msgspec.Raw(b'{"input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 2}')).input_tokens
        103
    """
    counts = AnthropicCounts()
    counts.add(value)
    return counts.usage()


def estimated_usage(input_tokens: int, chars: int) -> Usage:
    """Usage of an answer of `chars` characters whose upstream reported none; the prompt as estimated from the request."""
    return Usage(input_tokens=input_tokens, output_tokens=math.ceil(chars / CHARS_PER_TOKEN), is_estimated=True)


def _read(decoder: msgspec.json.Decoder[T], value: msgspec.Raw) -> T:
    try:
        return decode(decoder, value)
    except ValueError:
        # Some servers count in floats.
        return decode(decoder, encode(_whole(decode(_ANYTHING, value))))


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
