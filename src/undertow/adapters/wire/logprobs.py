"""Log-probabilities of an answer: summing them, and taking them out where only the gateway had asked for them."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import msgspec

from undertow.adapters.wire.body import decode, encode


class _Token(msgspec.Struct, gc=False):
    logprob: float


class _Choice(msgspec.Struct, gc=False):
    content: list[_Token] | None = None
    refusal: list[_Token] | None = None


_logprob = attrgetter("logprob")
_KEY = b'"logprobs":'
_TOKENS = msgspec.json.Decoder(list[_Token])
_CHOICE = msgspec.json.Decoder(_Choice)
_ANYTHING = msgspec.json.Decoder()


def choice_logprobs(value: msgspec.Raw) -> tuple[float, int]:
    """Sum of natural log-probabilities and number of tokens of a chat choice's `logprobs`; (0, 0) where they make no sense.

    Examples:
        >>> choice_logprobs(msgspec.Raw(b'{"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1}]}'))
        (-1.5, 2)
    """
    try:
        found = decode(_CHOICE, value)
    except ValueError:
        return 0.0, 0
    tokens = found.content or []
    if found.refusal:
        tokens += found.refusal
    return sum(map(_logprob, tokens)), len(tokens)


def token_logprobs(value: msgspec.Raw) -> tuple[float, int]:
    """The same of a plain list of tokens, as the responses API has it."""
    try:
        tokens = decode(_TOKENS, value)
    except ValueError:
        return 0.0, 0
    return sum(map(_logprob, tokens)), len(tokens)


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
        start = document.find(_KEY)
        while start >= 0:
            start += len(_KEY)
            if document.startswith(b" ", start):
                start += 1
            if document.startswith(raw, start):
                break
            start = document.find(_KEY, start)
        if start < 0:
            return None
        document = b"%b%b%b" % (document[:start], empty, document[start + len(raw) :])
    return document


def rebuilt_without_logprobs(document: bytes, empty: object) -> bytes:
    """The document written anew with the value of every key `logprobs` replaced; for documents with unusual white space.

    Raises:
        ValueError: It is no JSON.
    """
    return encode(_cleared(decode(_ANYTHING, document), empty))


def _cleared(value: Any, empty: object) -> Any:
    if isinstance(value, dict):
        return {key: empty if key == "logprobs" else _cleared(item, empty) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleared(item, empty) for item in value]
    return value
