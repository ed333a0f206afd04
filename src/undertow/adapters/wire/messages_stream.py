"""Streams of Anthropic messages. The end is the event `message_stop`."""

import msgspec

from undertow.adapters.wire.body import ABSENT, decode
from undertow.adapters.wire.sse import Event
from undertow.adapters.wire.stream import FollowedStream, event_error_word
from undertow.adapters.wire.usage import AnthropicCounts
from undertow.ports.wire import ReadRequest, StreamPiece
from undertow.records.answer import NO_EVIDENCE, AnswerFacts, Evidence, Usage

REFUSED = "refusal"


class _Message(msgspec.Struct, gc=False):
    model: str | None = None
    usage: msgspec.Raw = ABSENT


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    name: str | None = None


class _Delta(msgspec.Struct, gc=False):
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct, gc=False):
    """All events of the format in one shape."""

    type: str = ""
    index: int | None = None
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: msgspec.Raw = ABSENT


_EVENT = msgspec.json.Decoder(_Event)


class MessageStream(FollowedStream):
    """Follows one stream of an Anthropic message."""

    def __init__(self, request: ReadRequest, evidence: Evidence = NO_EVIDENCE) -> None:
        super().__init__(request, evidence)
        self._counts = AnthropicCounts()

    def facts(self) -> AnswerFacts:
        """What is known so far; an answer that was cut keeps the input tokens that its first event reported."""
        usage = self._counts.usage() or self._counts.estimate(self._request.facts.input_tokens, self._tally.chars)
        # A call without arguments streams none; the official clients make {} of it.
        return self._tally.facts(usage, is_whole=self.is_complete, no_arguments="{}")

    def _usage(self) -> Usage | None:
        return self._counts.usage()

    def _take(self, event: Event, data: bytes, piece: StreamPiece) -> bytes:
        seen = decode(_EVENT, data)
        kind = seen.type
        if kind == "content_block_delta":
            if seen.delta is not None and self._add(seen.index, seen.delta):
                piece.has_content = True
        elif kind == "content_block_start":
            block = seen.content_block
            if block is not None and block.type == "tool_use":
                self._tally.add_call_piece(seen.index, block.name, None)
                piece.has_content = True
            elif block is not None and block.text:
                self._tally.add_text(block.text)
                piece.has_content = True
        elif kind == "message_start":
            if seen.message is not None:
                self._tally.model = seen.message.model
                self._counts.add(seen.message.usage, is_start=True)
        elif kind == "message_delta":
            self._counts.add(seen.usage)
            if seen.delta is not None and seen.delta.stop_reason:
                self._tally.finish_reason = seen.delta.stop_reason
                self._tally.is_refusal = seen.delta.stop_reason == REFUSED
        elif kind == "message_stop":
            return self._end(event, piece)
        elif kind == "error":
            return self._fail(event_error_word(data), piece)
        return event.raw

    def _add(self, index: int | None, delta: _Delta) -> bool:
        """Count a delta, and say whether it holds a piece of the answer."""
        if delta.text:
            self._tally.add_text(delta.text)
        elif delta.partial_json:
            self._tally.add_call_piece(index, None, delta.partial_json)
        elif delta.thinking:
            self._tally.hidden_chars += len(delta.thinking)
        else:
            return False
        return True
