"""Log-probabilities of an answer, summed; and how many alternatives of its tokens a caller asks for."""

from collections.abc import Mapping
from operator import attrgetter

import msgspec

from undertow.adapters.wire.body import decode, is_given

MAX_ALTERNATIVES = 20
"""What the OpenAI API itself allows of `top_logprobs`."""


class _Token(msgspec.Struct, gc=False):
    logprob: float


class _Choice(msgspec.Struct, gc=False):
    content: list[_Token] | None = None
    refusal: list[_Token] | None = None


_logprob = attrgetter("logprob")
_TOKENS = msgspec.json.Decoder(list[_Token])
_CHOICE = msgspec.json.Decoder(_Choice)
_COUNT = msgspec.json.Decoder(int)


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


def read_top_logprobs(fields: Mapping[str, msgspec.Raw]) -> int:
    """How many alternatives of each token a caller asks for.

    What is no number from 0 to 20 counts as 20: it is then neither raised nor cut, and the upstream says what is wrong with it.

    Examples:
        >>> read_top_logprobs({"top_logprobs": msgspec.Raw(b"2")}), read_top_logprobs({})
        (2, 0)
    """
    value = fields.get("top_logprobs")
    if value is None or not is_given(value):
        return 0
    try:
        most = decode(_COUNT, value)
    except ValueError:
        return MAX_ALTERNATIVES
    return most if 0 <= most <= MAX_ALTERNATIVES else MAX_ALTERNATIVES
