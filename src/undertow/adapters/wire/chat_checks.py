"""Two further calls by which a model tells what its own answer is worth: it is asked whether that is right, or asked once more.

Self-evaluation: Kadavath et al. (2022), Language Models (Mostly) Know What They Know, arXiv 2207.05221, section 3: P(True) is the
probability that the model gives to the answer being true. Self-consistency: Wang et al. (2022), arXiv 2203.11171: several
answers drawn at a temperature above 0, and how many of them agree.
"""

import math

import msgspec

from undertow.adapters.wire.body import ABSENT, decode, encode
from undertow.adapters.wire.tokens import is_logprob
from undertow.ports.wire import ReadRequest

OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens")
"""Names of the limit of an answer, of which an upstream takes only one; the first is the newer one."""
ALTERNATIVES = 5
"""Asked for: `True`, ` True`, `true`, `Yes`, and room for the same of false."""
MIN_MASS = 0.1
"""Less probability than this on true and false together is no answer to the question."""

QUESTION = "Is the proposed answer above right: correct, complete, and what was asked for? Answer with one word, True or False."

_EXCESS = 1e-3
_CHANGED_BY_SAMPLES = ("stream", "stream_options", "n", "logprobs", "top_logprobs", "seed")
"""A seed would make all samples the same."""
_ABSENT_FROM_CHECKS = (
    *_CHANGED_BY_SAMPLES,
    *OUTPUT_LIMITS,
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "stop",
    "logit_bias",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "prediction",
    "store",
)
"""What is meant for the answer, would cut or bend the one word, or would keep the check beside the caller's own requests."""
_TRUE, _FALSE = frozenset({"true", "yes"}), frozenset({"false", "no"})


class _Message(msgspec.Struct, gc=False):
    role: str = ""
    tool_calls: msgspec.Raw = ABSENT
    function_call: msgspec.Raw = ABSENT


class _Alternative(msgspec.Struct, gc=False):
    token: str
    logprob: float


class _Token(msgspec.Struct, gc=False):
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct, gc=False):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct, gc=False):
    logprobs: _Logprobs | None = None


class _Answer(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None


_MESSAGES = msgspec.json.Decoder(list[_Message])
_RAW_MESSAGES = msgspec.json.Decoder(list[msgspec.Raw])
_ANSWER = msgspec.json.Decoder(_Answer)
_TOOL_ROLES = frozenset({"tool", "function"})


def self_check_body(request: ReadRequest, answer_text: str, merged: dict[str, object]) -> bytes | None:
    """A request that asks the model whether an answer is right, in one word of which the probability is read.

    Args:
        request: What was asked.
        answer_text: What the model answered.
        merged: The fields that the tier was sent for that.

    Returns:
        None where the conversation has media or tool calls, or where the tier gives no log-probabilities.
    """
    if request.facts.has_media or merged.get("logprobs") is False or _has_calls(request):
        return None
    limit = OUTPUT_LIMITS[0] if OUTPUT_LIMITS[0] in merged else OUTPUT_LIMITS[1]
    asked = [
        *decode(_RAW_MESSAGES, request.fields["messages"]),
        {"role": "assistant", "content": answer_text},
        {"role": "user", "content": QUESTION},
    ]
    kept = {name: value for name, value in merged.items() if name not in _ABSENT_FROM_CHECKS}
    changed = {"messages": asked, limit: 1, "temperature": 0, "logprobs": True, "top_logprobs": ALTERNATIVES}
    return encode(kept | changed)


def read_self_check(body: bytes) -> float | None:
    """P(True): probability of the words that say so, among all that say true or false, in [0, 1].

    None where there is no answer, no log-probability, one that makes no sense, or where true and false have less than a tenth
    of the probability between them.

    Examples:
        >>> def answer(probs):
        ...     top = [{"token": token, "logprob": math.log(prob)} for token, prob in probs.items()]
        ...     return encode({"choices": [{"logprobs": {"content": [{"token": "x", "top_logprobs": top}]}}]})
        >>> round(read_self_check(answer({"True": 0.5, " true": 0.1, "No": 0.2, "The": 0.1})), 3)
        0.75
        >>> read_self_check(answer({"The": 0.95, "True": 0.05})) is None
        True
    """
    try:
        answer = decode(_ANSWER, body)
    except ValueError:
        return None
    logprobs = answer.choices[0].logprobs if answer.choices else None
    alternatives = logprobs.content[0].top_logprobs if logprobs is not None and logprobs.content else None
    if not alternatives or not all(is_logprob(alternative.logprob) for alternative in alternatives):
        return None
    probs = [
        (alternative.token.strip().lower(), math.exp(min(alternative.logprob, 0.0))) for alternative in alternatives
    ]
    true = sum(prob for word, prob in probs if word in _TRUE)
    false = sum(prob for word, prob in probs if word in _FALSE)
    if sum(prob for _, prob in probs) > 1 + _EXCESS or true + false < MIN_MASS:
        return None
    return true / (true + false)


def sample_body(merged: dict[str, object], temperature: float) -> bytes:
    """The same request for one whole answer at a temperature (at least 0).

    Args:
        merged: The fields that the tier was sent.
        temperature: In place of the caller's and the tier's.
    """
    kept = {name: value for name, value in merged.items() if name not in _CHANGED_BY_SAMPLES}
    return encode(kept | {"temperature": temperature})


def _has_calls(request: ReadRequest) -> bool:
    messages = decode(_MESSAGES, request.fields["messages"])
    return any(
        message.role in _TOOL_ROLES or _is_some(message.tool_calls) or _is_some(message.function_call)
        for message in messages
    )


def _is_some(value: msgspec.Raw) -> bool:
    return bytes(value) not in (b"", b"null", b"[]")
