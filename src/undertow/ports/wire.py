"""A wire format (chat completions, Anthropic messages, OpenAI responses), as the router sees it: pure functions over bytes.

A `Dialect` reads requests, makes upstream bodies, reads whole answers and streams, and shapes errors. It knows no socket.
"""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import msgspec

from undertow.records.answer import NO_EVIDENCE, AnswerFacts, Evidence
from undertow.records.request import Endpoint, RequestFacts


class WireError(Exception):
    """A request that the wire format does not allow; becomes a 4xx in the format's own shape.

    Attributes:
        message: What was seen, what was expected; never the request's content beyond a name and a type.
        param: Field at fault, or None.
        code: Machine-readable word, or None.
        status: HTTP status.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status


class OfferedTool(msgspec.Struct, frozen=True, gc=False):
    """A tool that a request offers.

    Attributes:
        required: Keys that its schema requires at the top level of the arguments.
        schema: JSON Schema of its arguments; empty where it has none.
    """

    required: tuple[str, ...] = ()
    schema: msgspec.Raw = msgspec.Raw()


class AnswerFormat(msgspec.Struct, frozen=True, gc=False):
    """JSON, which a request demands in place of free text.

    Attributes:
        schema: JSON Schema that it must fit; empty: any JSON will do.
    """

    schema: msgspec.Raw = msgspec.Raw()


class ReadRequest(msgspec.Struct, frozen=True, gc=False):
    """A request body, read.

    Attributes:
        facts: What constraints and policies may know. `segment` holds the labels of the body's metadata; `conversation_id` and
            `user_id` are as given (the gateway makes them pseudonymous and adds header labels and key labels).
        fields: Top-level fields as raw JSON values, in order: what an upstream body is made from.
        wants_logprobs: The caller asked for log-probabilities itself.
        wants_usage: The caller asked for usage in a stream itself (always true where the format has it without asking).
        tools: Offered tools by their names.
        top_logprobs: How many alternatives of each token the caller asked for itself, 0 to 20.
        answer_format: What the answer's text must be, or None where it may be anything.
    """

    facts: RequestFacts
    fields: Mapping[str, Any]
    wants_logprobs: bool = False
    wants_usage: bool = False
    tools: Mapping[str, OfferedTool] = {}
    top_logprobs: int = 0
    answer_format: AnswerFormat | None = None


class ReadAnswer(msgspec.Struct, frozen=True, gc=False):
    """A whole answer, read.

    Attributes:
        facts: What a policy and the record may know.
        body: What the caller gets: byte for byte the upstream's, unless something that only the gateway asked for was taken out.
    """

    facts: AnswerFacts
    body: bytes


class StreamPiece(msgspec.Struct, gc=False):
    """What one chunk of an upstream's stream becomes.

    Attributes:
        forward: Events for the caller, complete, with what only the gateway asked for taken out. May be empty.
        last: The events that end the stream (`[DONE]`, `message_stop`, `response.completed`): the router sends them only after
            the record was written. Empty until the end has come.
        has_content: `forward` holds the first or a further piece of the answer itself (text, refusal, reasoning, tool call),
            which is what time to first token is measured to.
        error: The upstream itself reported an error in its stream: its bounded message type, or None. Such an event is not in
            `forward`.
    """

    forward: bytes = b""
    last: bytes = b""
    has_content: bool = False
    error: str | None = None


class StreamReader(Protocol):
    """Follows one stream. Chunks may be cut anywhere, also inside a UTF-8 character; events end with an empty line."""

    def feed(self, chunk: bytes) -> StreamPiece:
        """Take the next chunk.

        Raises:
            ValueError: What arrived is no event stream of this format (HTML, bad JSON in an event, an event beyond 8 MB).
        """
        ...

    @property
    def is_complete(self) -> bool:
        """The terminal event has been seen. A stream that ends without one was cut."""
        ...

    def facts(self) -> AnswerFacts:
        """What is known of the answer so far; usage estimated from characters (four a token) where the upstream has not said."""
        ...


class Dialect(Protocol):
    """One wire format."""

    endpoint: Endpoint
    kind: Literal["openai", "anthropic"]
    """Which endpoints speak it."""
    path: str
    """Path below an endpoint's base URL, such as `/chat/completions`."""

    def read_request(self, body: bytes, *, max_nesting: int) -> ReadRequest:
        """Read and check a request body, as far as routing needs it.

        Raises:
            WireError: It is no JSON object, is nested too deeply, or a field that routing needs has a wrong type.
        """
        ...

    def upstream_body(
        self, request: ReadRequest, *, model: str, parameters: Mapping[str, object], evidence: Evidence = NO_EVIDENCE
    ) -> bytes:
        """The body for a tier: its model and parameters put in, usage asked for, and what `evidence` needs of log-probabilities."""
        ...

    def read_answer(self, request: ReadRequest, body: bytes, *, evidence: Evidence = NO_EVIDENCE) -> ReadAnswer:
        """Read a whole answer with a 2xx status.

        Args:
            request: What was asked.
            body: What came.
            evidence: What the upstream was asked for beside the answer; its tokens and text go into the facts only if so asked.

        Raises:
            ValueError: It is no answer of this format (HTML, truncated JSON, an error body under status 200).
        """
        ...

    def stream_reader(self, request: ReadRequest, *, evidence: Evidence = NO_EVIDENCE) -> StreamReader:
        """A reader for one stream; see `read_answer` for `evidence`."""
        ...

    def self_check_body(
        self, request: ReadRequest, answer_text: str, *, model: str, parameters: Mapping[str, object]
    ) -> bytes | None:
        """A whole (not streamed) request that asks the model whether `answer_text` answers the request; see `read_self_check`.

        None where that cannot be asked: no log-probabilities in the format or by the tier's parameters, media, tool calls.
        """
        ...

    def read_self_check(self, body: bytes) -> float | None:
        """Probability in [0, 1] that the model gives its answer of being right, from the answer to `self_check_body`; None: it gave none."""
        ...

    def sample_body(
        self, request: ReadRequest, *, model: str, parameters: Mapping[str, object], temperature: float
    ) -> bytes | None:
        """The same request once more, not streamed, with another temperature (at least 0), for one answer to hold the first against.

        Its text is read with `read_answer(..., evidence=Evidence(text=True))`. None where the format has no such thing.
        """
        ...

    def shadow_body(self, request: ReadRequest, *, model: str, parameters: Mapping[str, object]) -> bytes | None:
        """The same request for another tier to answer off the request path: all that shapes the answer, whole and not streamed.

        None where it must not be sent again: the provider itself would run a tool, or write into a conversation that it keeps.
        """
        ...

    def error_body(self, message: str, *, type_: str, code: str | None = None, param: str | None = None) -> bytes:
        """An error in the format's own shape."""
        ...

    def error_event(self, message: str, *, type_: str, code: str | None = None) -> bytes:
        """The event that ends a stream which cannot be finished. Never followed by `[DONE]`."""
        ...
