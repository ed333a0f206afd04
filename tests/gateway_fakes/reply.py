"""What the fake upstream answers, and which answer each model name stands for.

A test asks for a model such as `fail-503` or `cut-after-3`, or scripts a `Reply` of its own. Names with numbers:

    confidence-0.9    every token has this probability         fail-503          this status, with OpenAI's error body
    fail-429-after-2  the same with `retry-after: 2`           slow-50           50 ms before the head
    gap-20            20 ms between events                     cut-after-3       3 events, then the connection ends
    cut-inside-3      3 events and half of the fourth          reset-after-3     3 events, then a connection reset
    short-after-3     3 events, then the HTTP message ends as if all were well
    hang-after-3      3 events, then nothing more              error-after-3     3 events, then an error event
    events-35         35 pieces of text                        cut-before-event  the head alone (the same as cut-after-0)

All others stand in `NAMED`. Any other name answers like `Reply()`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        text: What the model says; None: no content at all.
        pieces: Into how many parts a stream cuts the text; None: one a word.
        confidence: Probability of every token, given where log-probabilities were asked for; None: never given.
        first_confidences: Probabilities of the first tokens of a chat completion's text, where they differ from `confidence`.
        tool_calls: (name, arguments as written) of each call. A name of None is the first tool that the request offers.
        refusal: Text of the refusal.
        reasoning: Text of a de-facto `reasoning_content` (chat) or thinking block (messages).
        finish_reason: In OpenAI's words; None: `stop` or `tool_calls`. The other formats get their own word for it.
        has_usage: Tell the usage.
        input_tokens: Prompt tokens, cached ones included.
        cached_tokens: Of the prompt.
        output_tokens: Completion tokens; None: one a word, and reasoning.
        reasoning_tokens: Of the completion.
        fingerprint: `system_fingerprint` of chat completions.
        status: HTTP status.
        headers: Further response headers; they replace those of the fake itself.
        body: Sent as it is instead of an answer of the format, streamed or not.
        answers_as: `json` or `sse`, whatever was asked for; None: as asked.
        delay_s: Before the head.
        gap_s: Between events.
        cut_after: Stop after so many events (bytes of the body where it is no stream); None: go on to the end.
        cut_inside: Write half of the next event before stopping.
        cut_how: How it stops: `close` (connection ends inside the HTTP message), `reset`, `end` (a complete HTTP message),
            `hang`, or `error` (an error event, then a complete HTTP message).
        no_head: Stop, as `cut_how` says, without any answer.
        endless: What never ends: `drip` (an event each 50 ms), `flood` (events as fast as they are read), `event` (one event
            without an end), `body` (JSON text without an end).
        bytewise: Write one byte at a time.
        pads_length: Claim a content-length so much longer than the body.
        raw: Sent instead of head and body.
    """

    text: str | None = "The invoice was sent on Monday."
    pieces: int | None = None
    confidence: float | None = 0.95
    first_confidences: tuple[float, ...] = ()
    tool_calls: tuple[tuple[str | None, str], ...] = ()
    refusal: str | None = None
    reasoning: str | None = None
    finish_reason: str | None = None
    has_usage: bool = True
    input_tokens: int = 12
    cached_tokens: int = 0
    output_tokens: int | None = None
    reasoning_tokens: int = 0
    fingerprint: str | None = "fp_fake"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    answers_as: str | None = None
    delay_s: float = 0.0
    gap_s: float = 0.0
    cut_after: int | None = None
    cut_inside: bool = False
    cut_how: str = "close"
    no_head: bool = False
    endless: str | None = None
    bytewise: bool = False
    pads_length: int = 0
    raw: bytes | None = None

    @property
    def words(self) -> list[str]:
        """The text in words, each with its following space: what the fake takes for tokens."""
        return re.findall(r"\S+\s*|\s+", self.text or "")

    @property
    def completion_tokens(self) -> int:
        """Completion tokens as told in the usage."""
        if self.output_tokens is not None:
            return self.output_tokens
        return max(len(self.words), len(self.tool_calls) * 8, 1) + self.reasoning_tokens


HTML = b"<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>"

NAMED: Mapping[str, Reply] = {
    "unsure": Reply(confidence=0.3),
    "no-logprobs": Reply(confidence=None),
    "no-usage": Reply(has_usage=False),
    "usage": Reply(input_tokens=100, cached_tokens=60, output_tokens=50, reasoning_tokens=30, reasoning="Let me see."),
    "reasoning": Reply(reasoning="Let me see.", reasoning_tokens=3),
    "tools": Reply(text=None, tool_calls=((None, '{"city":"Paris","unit":"C"}'),)),
    "two-tools": Reply(text=None, tool_calls=((None, '{"city":"Paris"}'), (None, '{"city":"Rome"}'))),
    "text-and-tools": Reply(tool_calls=((None, '{"city":"Paris"}'),)),
    "bad-tools": Reply(text=None, confidence=None, tool_calls=((None, '{"city":"Par'),)),
    "unknown-tool": Reply(text=None, confidence=None, tool_calls=(("drop_tables", "{}"),)),
    "empty": Reply(text="", confidence=None, output_tokens=0),
    "null-content": Reply(text=None, confidence=None, output_tokens=0),
    "refusal": Reply(text=None, refusal="I cannot help with that."),
    "content-filter": Reply(text="", finish_reason="content_filter"),
    "length": Reply(finish_reason="length"),
    "html": Reply(body=HTML, headers={"content-type": "text/html; charset=utf-8"}),
    "html-503": Reply(status=503, body=HTML, headers={"content-type": "text/html; charset=utf-8"}),
    "truncated-json": Reply(body=b'{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"mess'),
    "not-an-answer": Reply(body=b'{"hello":"world"}'),
    "json-array": Reply(body=b"[1,2,3]"),
    "empty-body": Reply(body=b""),
    "bad-utf8": Reply(body=b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"\xff\xfe"}}]}'),
    "error-200": Reply(body=b'{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}'),
    "wrong-type": Reply(headers={"content-type": "text/plain"}),
    "json-for-stream": Reply(answers_as="json"),
    "sse-for-json": Reply(answers_as="sse"),
    "garbage-sse": Reply(body=b"data: {not json\n\ndata: <html>\n\n\x00\x01\x02\n\ndata: [DONE]\n\n", answers_as="sse"),
    "redirect": Reply(status=307, body=b"", headers={"location": "http://127.0.0.1:1/elsewhere"}),
    "no-content": Reply(status=204, body=b""),
    "close": Reply(no_head=True),
    "reset": Reply(no_head=True, cut_how="reset"),
    "hang": Reply(no_head=True, cut_how="hang"),
    "bad-http": Reply(raw=b"HTTP/9.9 what\r\nno colon here\r\n\r\n"),
    "half-head": Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-type: applica"),
    "huge-head": Reply(headers={"x-padding": "p" * 200_000}),
    "many-headers": Reply(headers={f"x-header-{number}": "v" for number in range(2000)}),
    "short-body": Reply(pads_length=100),
    "drip": Reply(endless="drip"),
    "endless": Reply(endless="flood"),
    "endless-event": Reply(endless="event"),
    "endless-body": Reply(endless="body", answers_as="json"),
    "bytewise": Reply(bytewise=True),
    "cut-before-event": Reply(cut_after=0),
    "limits": Reply(
        headers={
            "x-request-id": "req_upstream",
            "x-ratelimit-limit-requests": "100",
            "x-ratelimit-remaining-requests": "99",
            "x-ratelimit-reset-requests": "1s",
            "openai-processing-ms": "7",
        }
    ),
}
"""Answers by model name; see the attributes of `Reply`."""


def _failure(status: str, after: str | None) -> Reply:
    return Reply(status=int(status), headers={"retry-after": after} if after else {})


PATTERNS: tuple[tuple[str, Callable[..., Reply]], ...] = (
    (r"fail-(\d{3})(?:-after-([\d.]+))?", _failure),
    (r"confidence-([\d.]+)", lambda value: Reply(confidence=float(value))),
    (r"slow-(\d+)", lambda ms: Reply(delay_s=int(ms) / 1e3)),
    (r"gap-(\d+)", lambda ms: Reply(gap_s=int(ms) / 1e3)),
    (r"events-(\d+)", lambda n: Reply(pieces=int(n), text="".join(f"word{i} " for i in range(int(n))))),
    (r"cut-after-(\d+)", lambda n: Reply(cut_after=int(n))),
    (r"cut-inside-(\d+)", lambda n: Reply(cut_after=int(n), cut_inside=True)),
    (r"reset-after-(\d+)", lambda n: Reply(cut_after=int(n), cut_how="reset")),
    (r"short-after-(\d+)", lambda n: Reply(cut_after=int(n), cut_how="end")),
    (r"hang-after-(\d+)", lambda n: Reply(cut_after=int(n), cut_how="hang")),
    (r"error-after-(\d+)", lambda n: Reply(cut_after=int(n), cut_how="error")),
)


def reply_for(model: str) -> Reply:
    """The answer that a model name stands for. A provider's prefix (`x/`) does not matter."""
    name = model.rpartition("/")[2]
    for pattern, make in PATTERNS:
        if found := re.fullmatch(pattern, name):
            return make(*found.groups())
    return NAMED.get(name, Reply())


def with_offered_tools(reply: Reply, offered: list[str]) -> Reply:
    """The reply with each tool call that names no tool calling the first offered one."""
    first = offered[0] if offered else "get_weather"
    return replace(reply, tool_calls=tuple((name or first, arguments) for name, arguments in reply.tool_calls))
