"""What the in-process client gives back: the answer as the wire has it, with attributes for those who like them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import msgspec

from undertow.adapters.wire.sse import Event
from undertow.errors import UndertowError
from undertow.ports.reply import ServedBy
from undertow.records.unreadable import UNREADABLE


class AnswerError(UndertowError):
    """No answer: the request was refused, or no tier could answer.

    Attributes:
        status: The HTTP status that the gateway would have given.
        body: The error, as the gateway would have sent it.
        decision_id: Id of the decision's record.
    """

    def __init__(self, status: int, body: Mapping[str, Any], decision_id: str | None) -> None:
        super().__init__(status, body, decision_id)
        self.status = status
        self.body = body
        self.decision_id = decision_id

    @property
    def code(self) -> str | None:
        """The machine-readable word of the error, such as `model_not_found`."""
        error = self.body.get("error")
        code = error.get("code") if isinstance(error, Mapping) else None
        return code if isinstance(code, str) else None

    def __str__(self) -> str:
        error = self.body.get("error")
        message = error.get("message") if isinstance(error, Mapping) else None
        return str(message or f"status {self.status}")


class Fields(Mapping[str, Any]):
    """A JSON object: a mapping whose keys are attributes, too. Its repr names the fields, not what is in them.

    Examples:
        >>> fields = Fields({"choices": [{"message": {"content": "hi"}}]})
        >>> fields.choices[0].message.content, fields["choices"][0]["message"]["content"]
        ('hi', 'hi')
        >>> fields
        Fields(choices)
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        return _wrapped(self._values[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # asked for while it is copied or unpickled, before it has values
            raise AttributeError(name)
        try:
            return _wrapped(self._values[name])
        except KeyError:
            raise AttributeError(f"the answer has no field {name!r}; it has {', '.join(self._values)}") from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._values)})"

    def to_dict(self) -> dict[str, Any]:
        """The plain values."""
        return dict(self._values)


class Answer(Fields):
    """A whole answer.

    Attributes:
        undertow: Who served it: decision_id, tier, model, policy, confidence.
    """

    __slots__ = ("undertow",)

    def __init__(self, values: Mapping[str, Any], undertow: ServedBy) -> None:
        super().__init__(values)
        self.undertow = undertow

    def __copy__(self) -> Self:
        return type(self)(self._values, self.undertow)


def _wrapped(value: Any) -> Any:
    if isinstance(value, dict):
        return Fields(value)
    if isinstance(value, list):
        return [_wrapped(item) for item in value]
    return value


def encode_body(body: Mapping[str, Any]) -> bytes:
    """A request body. It may hold parts of an earlier answer, and models of the official clients.

    Raises:
        TypeError: It holds something else that JSON does not have.

    Examples:
        >>> encode_body({"messages": [Fields({"role": "user"})]})
        b'{"messages":[{"role":"user"}]}'
    """
    return msgspec.json.encode(body, enc_hook=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value.to_dict() if isinstance(value, Fields) else dict(value)
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json", exclude_unset=True)
    raise TypeError(f"a request cannot hold a {type(value).__name__}; JSON has no such thing")


def decode_body(body: bytes) -> dict[str, Any] | None:
    r"""A JSON object from an upstream, read as leniently as can be; None where it is none.

    Examples:
        >>> decode_body(b'{"text": "\xff"}'), decode_body(b'{"cut')
        ({'text': '\ufffd'}, None)
    """
    try:
        document = msgspec.json.decode(body)
    except UNREADABLE:
        import json  # noqa: PLC0415 (takes what msgspec does not: half of a surrogate pair, NaN)

        try:
            document = json.loads(body.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return document if isinstance(document, dict) else None


def read_events(events: Iterable[Event]) -> list[dict[str, Any]]:
    r"""The JSON objects of a stream's events. `[DONE]` is none.

    Examples:
        >>> from undertow.adapters.wire.sse import EventSplitter
        >>> read_events(EventSplitter().feed(b'data: {"a": 1}\n\ndata: [DONE]\n\ndata: {"b'))
        [{'a': 1}]
    """
    documents = (decode_body(event.data) for event in events if event.data and event.data != b"[DONE]")
    return [document for document in documents if document is not None]
