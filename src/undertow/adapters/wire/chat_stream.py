"""Streams of chat completions.

The end is `data: [DONE]` and nothing else: an upstream that closes after a finish reason counts as cut, since without the
end nobody can tell a whole answer from most of one.
"""

import msgspec

from undertow.adapters.wire.body import ABSENT, NULL, decode
from undertow.adapters.wire.chat_answer import REFUSED
from undertow.adapters.wire.content import Part, text_of
from undertow.adapters.wire.sse import Event, event_bytes
from undertow.adapters.wire.stream import FollowedStream, error_word
from undertow.adapters.wire.stripping import Stripping
from undertow.adapters.wire.usage import openai_usage
from undertow.ports.wire import ReadRequest, StreamPiece
from undertow.records.answer import NO_EVIDENCE, Evidence

_NO_TEXT = (b"", b"null", b'""')


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, gc=False):
    index: int | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | list[Part] | None = None
    refusal: str | None = None
    reasoning_content: msgspec.Raw = ABSENT
    reasoning: msgspec.Raw = ABSENT
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    audio: msgspec.Raw = ABSENT


class _Choice(msgspec.Struct, gc=False):
    index: int | None = None
    delta: _Delta | None = None
    finish_reason: str | None = None
    logprobs: msgspec.Raw = ABSENT


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    usage: msgspec.Raw = ABSENT
    error: msgspec.Raw = ABSENT


_CHUNK = msgspec.json.Decoder(_Chunk)


class ChatStream(FollowedStream):
    """Follows one stream of chat completion chunks."""

    def __init__(self, request: ReadRequest, evidence: Evidence = NO_EVIDENCE) -> None:
        super().__init__(request, evidence)
        self._stripping = Stripping(request, evidence, b"null")

    def _take(self, event: Event, data: bytes, piece: StreamPiece) -> bytes:
        if data.startswith(b"[DONE]"):
            return self._end(event, piece)
        chunk = decode(_CHUNK, data)
        if chunk.error and chunk.error != NULL:
            return self._fail(error_word(chunk.error), piece)
        tally = self._tally
        if chunk.model:
            tally.model = chunk.model
        if chunk.system_fingerprint:
            tally.fingerprint = chunk.system_fingerprint
        has_usage = bool(chunk.usage) and chunk.usage != NULL
        if has_usage:
            tally.usage = openai_usage(chunk.usage) or tally.usage
        if not chunk.choices:
            # Naive clients take choices[0] of every chunk, so only those that asked get this one.
            return b"" if has_usage and chunk.choices is not None and not self._request.wants_usage else event.raw
        found = None
        for choice in chunk.choices:
            index = choice.index or 0
            if choice.logprobs and choice.logprobs != NULL:
                found = found or []
                found.append(choice.logprobs)
                if index == 0:
                    tally.add_choice_logprobs(choice.logprobs)
            elif index == 0 and tally.tokens is not None and choice.delta is not None and choice.delta.content:
                tally.miss_logprobs()
            if choice.finish_reason:
                if index == 0:
                    tally.finish_reason = choice.finish_reason
                if choice.finish_reason == REFUSED:
                    tally.is_refusal = True
            if choice.delta is not None and self._add(index, choice.delta):
                piece.has_content = True
        if found is None:
            return event.raw
        made = self._stripping.in_place(event.raw, found)
        return event_bytes(self._stripping.rebuilt(data), event.name.decode()) if made is None else made

    def _add(self, index: int, delta: _Delta) -> bool:
        """Count a delta, and say whether it holds a piece of the answer."""
        tally = self._tally
        has_content = False
        if delta.content:
            text = delta.content if isinstance(delta.content, str) else text_of(delta.content)
            tally.add_text(text, is_kept=index == 0)
            has_content = True
        if delta.refusal:
            tally.add_refusal(delta.refusal)
            has_content = True
        if delta.tool_calls:
            for place, call in enumerate(delta.tool_calls):
                self._add_call((index, place if call.index is None else call.index), call.function)
            has_content = True
        elif delta.function_call is not None:
            self._add_call((index, "function_call"), delta.function_call)
            has_content = True
        if delta.audio and delta.audio != NULL:
            has_content = tally.has_other = True
        if delta.reasoning_content or delta.reasoning:
            longest = max(bytes(delta.reasoning_content), bytes(delta.reasoning), key=len)
            if longest not in _NO_TEXT:
                tally.hidden_chars += len(longest) - 2
                has_content = True
        return has_content

    def _add_call(self, key: object, function: _Function | None) -> None:
        if function is None:
            self._tally.add_call_piece(key, None, None)
        else:
            self._tally.add_call_piece(key, function.name, function.arguments)
