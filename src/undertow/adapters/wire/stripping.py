"""Taking out of an answer what only the gateway had asked for of log-probabilities, and nothing else.

What the caller did not ask for at all becomes what an upstream writes unasked; where it asked for fewer alternatives of each
token than the gateway did, it gets the first of them. Bytes around that stay as they came.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from undertow.adapters.wire.body import ABSENT, decode, encode
from undertow.ports.wire import ReadRequest
from undertow.records.answer import Evidence


class _Token(msgspec.Struct, gc=False):
    top_logprobs: msgspec.Raw = ABSENT


class _Choice(msgspec.Struct, gc=False):
    content: list[_Token] | None = None
    refusal: list[_Token] | None = None


_KEY = b'"logprobs":'
_TOP_KEY = b'"top_logprobs":'
_TOKENS = msgspec.json.Decoder(list[_Token])
_CHOICE = msgspec.json.Decoder(_Choice)
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ANYTHING = msgspec.json.Decoder()


class Stripping:
    """What of the log-probabilities that an upstream was asked for the caller gets.

    Args:
        request: What the caller asked for.
        evidence: What the gateway asked for.
        empty: What an upstream that was not asked writes: `null` or `[]`.

    Attributes:
        is_all: The caller gets none.
        most: How many alternatives of each token it gets, where the gateway asked for more; None where it did not.
    """

    __slots__ = ("_empty", "is_all", "most")

    def __init__(self, request: ReadRequest, evidence: Evidence, empty: bytes) -> None:
        self._empty = empty
        self.is_all = not request.wants_logprobs
        is_raised = evidence.logprobs and evidence.alternatives > request.top_logprobs
        self.most = request.top_logprobs if is_raised else None

    def in_place(self, document: bytes, found: list[msgspec.Raw], count: msgspec.Raw = ABSENT) -> bytes | None:
        """The document with just that taken out.

        Args:
            document: Bytes of JSON, or of an event that holds JSON.
            found: Values of `logprobs`, in order, as they were cut out of it.
            count: Its own `top_logprobs`, with which a response tells how it was asked; absent, or what stands there.

        Returns:
            None where something could not be found in the bytes (unusual white space); the document must then be `rebuilt`.
        """
        made: bytes | None = document
        if found and self.is_all:
            made = without_logprobs(document, found, self._empty)
        elif found and self.most is not None:
            made = with_fewer_alternatives(document, found, self.most)
        if made is not None and self.most is not None and _is_number(count):
            made = with_count(made, count, self.most)
        return made

    def rebuilt(self, document: bytes) -> bytes:
        """The same document, written anew.

        Raises:
            ValueError: It is no JSON.
        """
        value = decode(_ANYTHING, document)
        if self.most is not None:
            value = _cut(value, self.most)
        return encode(_cleared(value, decode(_ANYTHING, self._empty)) if self.is_all else value)


def without_logprobs(document: bytes, found: Iterable[msgspec.Raw], empty: bytes) -> bytes | None:
    """The document with each value of `found` replaced where it stands under a key `logprobs`, all else byte for byte as it was.

    An unescaped quote before `logprobs":` cannot stand in a string, so what matches is such a key with that very value.

    Args:
        document: Bytes of JSON, or of an event that holds JSON.
        found: Values as they were cut out of the document.
        empty: What an upstream that was not asked writes: `null` or `[]`.

    Returns:
        The new bytes, or None where a value could not be found in them (unusual white space).

    Examples:
        >>> without_logprobs(b'{"logprobs": {"content":[]} , "n":1}', [msgspec.Raw(b'{"content":[]}')], b"null")
        b'{"logprobs": null , "n":1}'
    """
    for value in found:
        raw = bytes(value)
        start = _find(document, _KEY, raw, 0)
        if start < 0:
            return None
        document = b"%b%b%b" % (document[:start], empty, document[start + len(raw) :])
    return document


def with_fewer_alternatives(document: bytes, found: Iterable[msgspec.Raw], most: int) -> bytes | None:
    """The document with at most so many alternatives of each token, the first ones, and all else byte for byte as it was.

    Args:
        document: Bytes of JSON, or of an event that holds JSON.
        found: Values of `logprobs`, in order, as they were cut out of the document.
        most: How many alternatives the caller asked for.

    Returns:
        The new bytes, or None where a value could not be found in them (unusual white space).

    Examples:
        >>> value = b'[{"token": "a", "top_logprobs": [{"token":"a"}, {"token":"b"}]}]'
        >>> with_fewer_alternatives(b'{"logprobs":' + value + b"}", [msgspec.Raw(value)], 1)
        b'{"logprobs":[{"token": "a", "top_logprobs": [{"token":"a"}]}]}'
    """
    pieces, done = [], 0
    for value in found:
        for alternatives in _alternatives(value):
            raw = bytes(alternatives)
            kept = _first(alternatives, most)
            if kept is None:
                continue
            start = _find(document, _TOP_KEY, raw, done)
            if start < 0:
                return None
            pieces += [document[done:start], kept]
            done = start + len(raw)
    return b"".join([*pieces, document[done:]])


def with_count(document: bytes, count: msgspec.Raw, most: int) -> bytes | None:
    """The document with the caller's own `top_logprobs` in place of the first `count` that stands there, or None as above.

    Examples:
        >>> with_count(b'{"top_logprobs": 5, "n": 5}', msgspec.Raw(b"5"), 0)
        b'{"top_logprobs": 0, "n": 5}'
    """
    raw = bytes(count)
    start = _find(document, _TOP_KEY, raw, 0)
    return None if start < 0 else b"%b%d%b" % (document[:start], most, document[start + len(raw) :])


def _find(document: bytes, key: bytes, raw: bytes, start: int) -> int:
    """Where a value begins that stands under a key, or -1."""
    start = document.find(key, start)
    while start >= 0:
        start += len(key)
        if document.startswith(b" ", start):
            start += 1
        if document.startswith(raw, start):
            return start
        start = document.find(key, start)
    return -1


def _alternatives(value: msgspec.Raw) -> Iterator[msgspec.Raw]:
    try:
        if bytes(value)[:1] == b"[":
            tokens = decode(_TOKENS, value)
        else:
            choice = decode(_CHOICE, value)
            tokens = [*(choice.content or ()), *(choice.refusal or ())]
    except ValueError:
        return
    yield from (token.top_logprobs for token in tokens if token.top_logprobs)


def _first(alternatives: msgspec.Raw, most: int) -> bytes | None:
    """The list with its first items alone; None where it has no more than these."""
    try:
        items = decode(_RAW_LIST, alternatives)
    except ValueError:
        return None
    return b"[%b]" % b",".join(map(bytes, items[:most])) if len(items) > most else None


def _is_number(value: msgspec.Raw) -> bool:
    return bytes(value).isdigit()


def _cut(value: Any, most: int) -> Any:
    if isinstance(value, dict):
        return {key: _cut_top(item, most) if key == "top_logprobs" else _cut(item, most) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item, most) for item in value]
    return value


def _cut_top(value: Any, most: int) -> Any:
    if isinstance(value, list):
        return value[:most]
    return most if type(value) is int else value


def _cleared(value: Any, empty: object) -> Any:
    if isinstance(value, dict):
        return {key: empty if key == "logprobs" else _cleared(item, empty) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleared(item, empty) for item in value]
    return value
