"""Whole responses, which also stand in the last event of a stream."""

import msgspec

from undertow.adapters.wire.body import ABSENT, check_text, decode, is_given
from undertow.adapters.wire.stripping import Stripping
from undertow.adapters.wire.tally import AnswerTally
from undertow.adapters.wire.usage import openai_usage
from undertow.ports.wire import ReadAnswer, ReadRequest
from undertow.records.answer import NO_EVIDENCE, Evidence

EMPTY_LOGPROBS = msgspec.Raw(b"[]")
"""What stands there unasked."""

_SILENT = frozenset(
    {
        "reasoning",
        "compaction",
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "mcp_call",
        "mcp_list_tools",
    }
)
"""Items that are work on the way to an answer, and none themselves."""
_UNFINISHED = "incomplete"
_REFUSED = "content_filter"


class ContentPart(msgspec.Struct, gc=False):
    """One part of a message's content."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    logprobs: msgspec.Raw = ABSENT


class OutputItem(msgspec.Struct, gc=False):
    """One item of the output; the content of items that are no messages has shapes of its own."""

    type: str = ""
    name: str | None = None
    arguments: msgspec.Raw = ABSENT
    input: msgspec.Raw = ABSENT
    content: msgspec.Raw = ABSENT

    def parts(self) -> list[ContentPart]:
        """The parts of a message.

        Raises:
            ValueError: They are none.
        """
        return decode(_PARTS, self.content) if self.type == "message" and is_given(self.content) else []


class _Incomplete(msgspec.Struct, gc=False):
    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """A response, as far as it is needed."""

    output: list[OutputItem] | None = None
    status: str | None = None
    model: str | None = None
    incomplete_details: _Incomplete | None = None
    usage: msgspec.Raw = ABSENT
    error: msgspec.Raw = ABSENT
    top_logprobs: msgspec.Raw = ABSENT


_PARTS = msgspec.json.Decoder(list[ContentPart])
_RESPONSE = msgspec.json.Decoder(Response)
_TEXT = msgspec.json.Decoder(str)


def read_response(request: ReadRequest, body: bytes, evidence: Evidence = NO_EVIDENCE) -> ReadAnswer:
    """Read a whole response; log-probabilities that the caller did not ask for become empty lists.

    Raises:
        ValueError: It is no response, or one with the status `failed`.
    """
    check_text(body)
    response = decode(_RESPONSE, body)
    if response.output is None:
        raise ValueError("no response: it has no output")
    if response.status == "failed" or (response.error and is_given(response.error)):
        raise ValueError("the response failed")
    tally = AnswerTally(request, evidence)
    found = add_response(tally, response)
    stripping = Stripping(request, evidence, b"[]")
    made = stripping.in_place(body, found, response.top_logprobs)
    return ReadAnswer(facts=tally.facts(tally.usage), body=stripping.rebuilt(body) if made is None else made)


def add_response(tally: AnswerTally, response: Response) -> list[msgspec.Raw]:
    """Count all that a response holds, and give the log-probabilities in it.

    Raises:
        ValueError: An item is malformed.
    """
    found = []
    tally.model = response.model
    tally.finish_reason = response.status
    if response.status == _UNFINISHED and response.incomplete_details is not None:
        tally.finish_reason = response.incomplete_details.reason or _UNFINISHED
        tally.is_refusal = tally.finish_reason == _REFUSED
    if response.usage:
        tally.usage = openai_usage(response.usage)
    for item in response.output or ():
        if item.type == "message":
            for part in item.parts():
                if has_logprobs(part.logprobs):
                    found.append(part.logprobs)
                    tally.add_token_logprobs(part.logprobs)
                elif part.text:
                    tally.miss_logprobs()
                if part.refusal:
                    tally.add_refusal(part.refusal)
                if part.text:
                    tally.add_text(part.text)
        elif item.type == "function_call":
            tally.add_call(item.name, _text(item.arguments))
        elif item.type == "custom_tool_call":
            tally.add_call(item.name, _text(item.input), is_free_form=True)
        elif item.type not in _SILENT:
            tally.has_other = True
    return found


def has_logprobs(value: msgspec.Raw) -> bool:
    """Whether a `logprobs` field holds any."""
    return bool(value) and is_given(value) and value != EMPTY_LOGPROBS


def _text(value: msgspec.Raw) -> str | None:
    try:
        return decode(_TEXT, value)
    except ValueError:
        return None
