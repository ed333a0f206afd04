"""Following a stream, whatever its format: events go in, what the caller may have of them comes out."""

import re
from abc import ABC, abstractmethod

import msgspec

from undertow.adapters.wire.body import ABSENT, check_text, decode, is_given
from undertow.adapters.wire.sse import Event, EventSplitter
from undertow.adapters.wire.tally import AnswerTally
from undertow.adapters.wire.usage import estimated_usage
from undertow.ports.wire import ReadRequest, StreamPiece
from undertow.records.answer import NO_EVIDENCE, AnswerFacts, Evidence, Usage

MAX_WORD_CHARS = 64

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class _Error(msgspec.Struct, gc=False):
    type: str | int | None = None
    code: str | int | None = None


class _Event(msgspec.Struct, gc=False):
    error: msgspec.Raw = ABSENT


_ERROR = msgspec.json.Decoder(_Error)
_EVENT = msgspec.json.Decoder(_Event)


class FollowedStream(ABC):
    """A `StreamReader` but for what one event means. Nothing that comes after its end, or after an error, is passed on.

    Attributes:
        is_complete: The terminal event has been seen.
    """

    def __init__(self, request: ReadRequest, evidence: Evidence = NO_EVIDENCE) -> None:
        self.is_complete = False
        self._request = request
        self._evidence = evidence
        self._tally = AnswerTally(request, evidence)
        self._splitter = EventSplitter()
        self._is_over = False

    def feed(self, chunk: bytes) -> StreamPiece:
        """Take the next chunk; see `undertow.ports.wire.StreamReader`."""
        piece = StreamPiece()
        if self._is_over:
            return piece
        forward = []
        for event in self._splitter.feed(chunk):
            data = event.data
            if data is None:
                forward.append(event.raw)
                continue
            if not data.isascii():
                check_text(data)
            if event.name == b"error":
                self._fail(event_error_word(data), piece)
            else:
                forward.append(self._take(event, data, piece))
            if self._is_over:
                break
        piece.forward = forward[0] if len(forward) == 1 else b"".join(forward)
        return piece

    def facts(self) -> AnswerFacts:
        """What is known so far; usage estimated where the upstream has not said."""
        usage = self._usage() or estimated_usage(self._request.facts.input_tokens, self._tally.chars)
        return self._tally.facts(usage, is_whole=self.is_complete)

    @abstractmethod
    def _take(self, event: Event, data: bytes, piece: StreamPiece) -> bytes:
        """Count one event and say what of it to pass on; set what `piece` must tell beside that.

        Raises:
            ValueError: The event is none of this format.
        """

    def _usage(self) -> Usage | None:
        return self._tally.usage

    def _end(self, event: Event, piece: StreamPiece) -> bytes:
        self._is_over = self.is_complete = True
        # CR LF CR may be all that there will be: the LF after it is not waited for, nor lost.
        piece.last = event.raw + b"\n" if event.raw.endswith(b"\n\r") else event.raw
        return b""

    def _fail(self, word: str, piece: StreamPiece) -> bytes:
        self._is_over = True
        piece.error = word
        return b""


def error_word(value: msgspec.Raw) -> str:
    r"""The type of an upstream's error (else its code) as a word that is safe in logs and metrics; never its message.

    Examples:
        >>> error_word(msgspec.Raw(b'{"type": "server error\\n", "message": "..."}')), error_word(msgspec.Raw(b'"no"'))
        ('server_error_', 'error')
    """
    try:
        found = decode(_ERROR, value)
    except ValueError:
        return "error"
    kind = found.type if found.type != "error" else None
    word = _UNSAFE.sub("_", str(kind or found.code or ""))
    return word[:MAX_WORD_CHARS] or "error"


def event_error_word(data: bytes) -> str:
    r"""The same of an `error` event's data, which holds an `error` object or is one itself.

    Examples:
        >>> event_error_word(b'{"type": "error", "code": "server_error"}'), event_error_word(b"no JSON")
        ('server_error', 'error')
    """
    try:
        inner = decode(_EVENT, data).error
    except ValueError:
        return "error"
    return error_word(inner if is_given(inner) else msgspec.Raw(data))
