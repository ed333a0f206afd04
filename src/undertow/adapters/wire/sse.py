r"""Server-sent events, cut out of a stream whose chunks may end anywhere: in a line end, in a UTF-8 character, in a word.

Lines end with LF, CRLF or CR, events with an empty line, as in the HTML standard. An event is kept as the bytes that came, so
it can be passed on unchanged. The one thing that must wait for the next byte: CR at the very end of a chunk after a line end,
which may be the first half of a CRLF.
"""

import re

import msgspec

MAX_EVENT_BYTES = 8_000_000

_END = re.compile(rb"\n(?:\n|\r\n|\r(?=[^\n]))|\r\r")
_END_BYTES = 3
_LINE = re.compile(rb"\r\n|\n|\r")
_FIELD = re.compile(rb"[A-Za-z0-9_-]*")
_BOM = b"\xef\xbb\xbf"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event.

    Attributes:
        raw: Its bytes, the empty line at its end included.
        name: Its `event` field, or empty.
        data: Its `data` fields joined by LF, or None: it has none (a comment, a keep-alive, an empty line).
    """

    raw: bytes
    name: bytes
    data: bytes | None


class EventSplitter:
    r"""Gives whole events for chunks.

    Examples:
        >>> splitter = EventSplitter()
        >>> splitter.feed(b": hi\n\ndata: 1"), splitter.feed(b"2\n\n")
        ([Event(raw=b': hi\n\n', name=b'', data=None)], [Event(raw=b'data: 12\n\n', name=b'', data=b'12')])
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in this chunk.

        Raises:
            ValueError: An event is longer than 8 MB, or this is no event stream.
        """
        if not self._rest and b"\r" not in chunk and len(chunk) <= MAX_EVENT_BYTES:
            if 0 < chunk.find(b"\n\n") == len(chunk) - 2:
                return [parse_event(chunk)]
            *whole, rest = chunk.split(b"\n\n")
            if rest:
                self._rest += rest
                self._check_rest()
            return [parse_event(event + b"\n\n") for event in whole]
        return self._feed_slowly(chunk)

    def _feed_slowly(self, chunk: bytes) -> list[Event]:
        rest = self._rest
        searched = max(0, len(rest) - _END_BYTES)
        rest += chunk
        events, start = [], 0
        while end := _END.search(rest, searched):
            searched = end.end()
            if searched - start > MAX_EVENT_BYTES:
                raise ValueError(f"an event is longer than {MAX_EVENT_BYTES} bytes")
            events.append(parse_event(bytes(rest[start:searched])))
            start = searched
        del rest[:start]
        self._check_rest()
        return events

    def _check_rest(self) -> None:
        if len(self._rest) > MAX_EVENT_BYTES:
            raise ValueError(f"an event is longer than {MAX_EVENT_BYTES} bytes")
        # A page or a JSON document in place of a stream need not be waited for: no field begins like this.
        if self._rest.startswith((b"<", b"{")):
            raise ValueError("no event stream: a line that is no field")


def parse_event(raw: bytes) -> Event:
    r"""Read one event.

    Raises:
        ValueError: A line is no field and no comment, as in HTML or JSON.

    Examples:
        >>> parse_event(b"event: a\r\ndata: 1\r\ndata:2\r\n\r\n")
        Event(raw=b'event: a\r\ndata: 1\r\ndata:2\r\n\r\n', name=b'a', data=b'1\n2')
    """
    # The two forms that upstreams send, before the general one.
    first = raw.find(b"\n")
    if b"\r" not in raw:
        last = len(raw) - 2
        if first == last and raw.startswith(b"data: "):
            return Event(raw, b"", raw[6:last])
        if raw.startswith(b"event: ") and raw.startswith(b"data: ", first + 1) and raw.find(b"\n", first + 1) == last:
            return Event(raw, raw[7:first], raw[first + 7 : last])
    name, data = b"", []
    for line in _LINE.split(raw.removeprefix(_BOM)):
        if not line or line.startswith(b":"):
            continue
        field, _, value = line.partition(b":")
        if not _FIELD.fullmatch(field):
            raise ValueError("no event stream: a line that is no field")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return Event(raw, name, b"\n".join(data) if data else None)


def event_bytes(data: bytes, name: str = "") -> bytes:
    r"""An event.

    Examples:
        >>> event_bytes(b"{}", "ping")
        b'event: ping\ndata: {}\n\n'
    """
    return (b"event: %b\n" % name.encode() if name else b"") + b"data: %b\n\n" % data
