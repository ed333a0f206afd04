"""Streams of responses. The end is `response.completed` or `response.incomplete`, which hold the whole response again.

`response.failed` is an error of the upstream and handled as one: the answer may then still come from another tier.
"""

import msgspec

from undertow.adapters.wire.body import ABSENT, decode, is_given
from undertow.adapters.wire.responses_answer import ContentPart, OutputItem, Response, add_response, has_logprobs
from undertow.adapters.wire.sse import Event, event_bytes
from undertow.adapters.wire.stream import FollowedStream, error_word, event_error_word
from undertow.adapters.wire.stripping import Stripping
from undertow.adapters.wire.tally import AnswerTally
from undertow.ports.wire import ReadRequest, StreamPiece
from undertow.records.answer import NO_EVIDENCE, Evidence

_TEXT = "response.output_text.delta"
_REFUSAL = "response.refusal.delta"
_ARGUMENTS = "response.function_call_arguments.delta"
_WRITTEN = frozenset(
    {
        _TEXT,
        _REFUSAL,
        _ARGUMENTS,
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.custom_tool_call_input.delta",
        "response.mcp_call_arguments.delta",
        "response.code_interpreter_call_code.delta",
    }
)
_SOUND = frozenset({"response.audio.delta", "response.image_generation_call.partial_image"})


class _Event(msgspec.Struct, gc=False):
    """All events of the format in one shape."""

    type: str = ""
    delta: msgspec.Raw = ABSENT
    logprobs: msgspec.Raw = ABSENT
    output_index: int | None = None
    part: msgspec.Raw = ABSENT
    item: OutputItem | None = None
    response: Response | None = None


_EVENT = msgspec.json.Decoder(_Event)
_PART = msgspec.json.Decoder(ContentPart)
_STRING = msgspec.json.Decoder(str)


class ResponseStream(FollowedStream):
    """Follows one stream of a response."""

    def __init__(self, request: ReadRequest, evidence: Evidence = NO_EVIDENCE) -> None:
        super().__init__(request, evidence)
        self._stripping = Stripping(request, evidence, b"[]")

    def _take(self, event: Event, data: bytes, piece: StreamPiece) -> bytes:
        seen = decode(_EVENT, data)
        kind = seen.type
        found: list[msgspec.Raw] = []
        if has_logprobs(seen.logprobs):
            found.append(seen.logprobs)
        if kind.endswith(".delta"):
            self._add_delta(seen, piece)
        elif kind in _SOUND:
            piece.has_content = self._tally.has_other = True
        elif kind == "error":
            return self._fail(event_error_word(data), piece)
        elif kind == "response.failed":
            return self._fail(error_word(seen.response.error if seen.response else ABSENT), piece)
        elif seen.part and is_given(seen.part):
            found += [part.logprobs for part in [decode(_PART, seen.part)] if has_logprobs(part.logprobs)]
        elif seen.item is not None:
            found += [part.logprobs for part in seen.item.parts() if has_logprobs(part.logprobs)]
            if kind == "response.output_item.added" and seen.item.type in {"function_call", "custom_tool_call"}:
                self._tally.add_call_piece(seen.output_index, seen.item.name, None)
                piece.has_content = True
        elif seen.response is not None:
            if kind in {"response.completed", "response.incomplete"}:
                found += self._add_whole(seen.response)
                event = Event(self._stripped(event, data, found, seen.response.top_logprobs), event.name, data)
                return self._end(event, piece)
            self._tally.model = seen.response.model
            return self._stripped(event, data, found, seen.response.top_logprobs)
        return self._stripped(event, data, found)

    def _add_delta(self, seen: _Event, piece: StreamPiece) -> None:
        tally = self._tally
        if seen.type in _WRITTEN:
            text = decode(_STRING, seen.delta)
            if text:
                piece.has_content = True
            if seen.type == _TEXT:
                tally.add_text(text)
                if has_logprobs(seen.logprobs):
                    tally.add_token_logprobs(seen.logprobs)
                elif text:
                    tally.miss_logprobs()
            elif seen.type == _REFUSAL:
                tally.add_refusal(text)
            elif seen.type == _ARGUMENTS:
                tally.add_call_piece(seen.output_index, None, text)
            else:
                tally.hidden_chars += len(text)
        elif seen.type in _SOUND:
            piece.has_content = tally.has_other = True

    def _add_whole(self, response: Response) -> list[msgspec.Raw]:
        """Let the whole response replace what its pieces told, where it says as much."""
        whole = AnswerTally(self._request, self._evidence)
        found = add_response(whole, response)
        if response.output:
            if not whole.logprob_count:
                whole.take_logprobs(self._tally)
            self._tally = whole
        else:
            # Some servers leave the output out of the last event.
            self._tally.finish_reason = whole.finish_reason
            self._tally.is_refusal = whole.is_refusal
            self._tally.usage = whole.usage
            self._tally.model = whole.model or self._tally.model
        return found

    def _stripped(self, event: Event, data: bytes, found: list[msgspec.Raw], count: msgspec.Raw = ABSENT) -> bytes:
        made = self._stripping.in_place(event.raw, found, count)
        return event_bytes(self._stripping.rebuilt(data), event.name.decode()) if made is None else made
