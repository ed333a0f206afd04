"""A wire format (chat completions, Anthropic messages, OpenAI responses), as the router sees it: pure functions over bytes.

A `Dialect` reads requests, makes upstream bodies, reads whole answers and streams, and shapes errors. It knows no socket.
"""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import msgspec

from undertow.records.answer import AnswerFacts
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


class ReadRequest(msgspec.Struct, frozen=True, gc=False):
    """A request body, read.

    Attributes:
        facts: What constraints and policies may know. `segment` holds the labels of the body's metadata; `conversation_id` and
            `user_id` are as given (the gateway makes them pseudonymous and adds header labels and key labels).
        fields: Top-level fields as raw JSON values, in order: what an upstream body is made from.
        wants_logprobs: The caller asked for log-probabilities itself.
        wants_usage: The caller asked for usage in a stream itself (always true where the format has it without asking).
        tools: Offered tools: name -> required top-level argument keys (empty tuple where the schema names none).
    """

    facts: RequestFacts
    fields: Mapping[str, Any]
    wants_logprobs: bool = False
    wants_usage: bool = False
    tools: Mapping[str, tuple[str, ...]] = {}


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
        self, request: ReadRequest, *, model: str, parameters: Mapping[str, object], with_confidence: bool
    ) -> bytes:
        """The body for a tier: its model and parameters put in, and usage (and, `with_confidence`, log-probabilities) asked for."""
        ...

    def read_answer(self, request: ReadRequest, body: bytes, *, keeps_text: bool = False) -> ReadAnswer:
        """Read a whole answer with a 2xx status; its text goes into the facts only if `keeps_text`.

        Raises:
            ValueError: It is no answer of this format (HTML, truncated JSON, an error body under status 200).
        """
        ...

    def stream_reader(self, request: ReadRequest, *, keeps_text: bool = False) -> StreamReader:
        """A reader for one stream; see `read_answer` for `keeps_text`."""
        ...

    def error_body(self, message: str, *, type_: str, code: str | None = None, param: str | None = None) -> bytes:
        """An error in the format's own shape."""
        ...

    def error_event(self, message: str, *, type_: str, code: str | None = None) -> bytes:
        """The event that ends a stream which cannot be finished. Never followed by `[DONE]`."""
        ...
