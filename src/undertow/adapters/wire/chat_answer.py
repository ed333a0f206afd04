"""Whole chat completions."""

import msgspec

from undertow.adapters.wire.body import ABSENT, check_text, decode, is_given
from undertow.adapters.wire.content import Part, text_of
from undertow.adapters.wire.stripping import Stripping
from undertow.adapters.wire.tally import AnswerTally
from undertow.adapters.wire.usage import openai_usage
from undertow.ports.wire import ReadAnswer, ReadRequest
from undertow.records.answer import NO_EVIDENCE, Evidence

REFUSED = "content_filter"


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: msgspec.Raw = ABSENT


class _Custom(msgspec.Struct, gc=False):
    name: str | None = None
    input: msgspec.Raw = ABSENT


class _Call(msgspec.Struct, gc=False):
    function: _Function | None = None
    custom: _Custom | None = None


class _Message(msgspec.Struct, gc=False):
    content: str | list[Part] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    audio: msgspec.Raw = ABSENT


class _Choice(msgspec.Struct, gc=False):
    message: _Message
    index: int | None = None
    finish_reason: str | None = None
    logprobs: msgspec.Raw = ABSENT


class _Answer(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    usage: msgspec.Raw = ABSENT


_ANSWER = msgspec.json.Decoder(_Answer)
_TEXT = msgspec.json.Decoder(str)


def read_chat_answer(request: ReadRequest, body: bytes, evidence: Evidence = NO_EVIDENCE) -> ReadAnswer:
    """Read a whole chat completion; log-probabilities that the caller did not ask for become null.

    Raises:
        ValueError: It is no chat completion with at least one choice.
    """
    check_text(body)
    answer = decode(_ANSWER, body)
    if not answer.choices:
        raise ValueError("no chat completion: it has no choices")
    tally = AnswerTally(request, evidence)
    tally.model = answer.model
    tally.fingerprint = answer.system_fingerprint
    found = []
    for place, choice in enumerate(answer.choices):
        if is_given(choice.logprobs):
            found.append(choice.logprobs)
            if place == 0:
                tally.add_choice_logprobs(choice.logprobs)
        if place == 0:
            tally.finish_reason = choice.finish_reason
        if choice.finish_reason == REFUSED:
            tally.is_refusal = True
        _add_message(tally, choice.message, is_first=place == 0)
    usage = openai_usage(answer.usage) if answer.usage else None
    if found:
        stripping = Stripping(request, evidence, b"null")
        made = stripping.in_place(body, found)
        body = stripping.rebuilt(body) if made is None else made
    return ReadAnswer(facts=tally.facts(usage), body=body)


def _add_message(tally: AnswerTally, message: _Message, *, is_first: bool) -> None:
    content = message.content
    if content:
        tally.add_text(content if isinstance(content, str) else text_of(content), is_kept=is_first)
    if message.refusal:
        tally.add_refusal(message.refusal)
    if message.tool_calls:
        for call in message.tool_calls:
            if call.custom is not None:
                tally.add_call(call.custom.name, call.custom.input, is_free_form=True)
            elif call.function is not None:
                _add_function(tally, call.function)
            else:
                tally.add_call(None, None)
    elif message.function_call is not None:
        _add_function(tally, message.function_call)
    if message.audio and is_given(message.audio):
        tally.has_other = True


def _add_function(tally: AnswerTally, function: _Function) -> None:
    try:
        arguments = decode(_TEXT, function.arguments)
    except ValueError:
        arguments = None  # an object, where the format has a string that holds one
    tally.add_call(function.name, arguments)
