"""What the in-process client gives back: the answer as the wire has it, with attributes for those who like them."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from undertow.errors import UndertowError
from undertow.ports.reply import ServedBy


class AnswerError(UndertowError):
    """No answer: the request was refused, or no tier could answer.

    Attributes:
        status: The HTTP status that the gateway would have given.
        body: The error, as the gateway would have sent it.
        decision_id: Id of the decision's record, or None where the request was refused before it became one.
    """

    def __init__(self, status: int, body: Mapping[str, Any], decision_id: str | None) -> None:
        error = body.get("error")
        message = error.get("message") if isinstance(error, Mapping) else None
        super().__init__(str(message or f"status {status}"))
        self.status = status
        self.body = body
        self.decision_id = decision_id


class Fields(Mapping[str, Any]):
    """A JSON object: a mapping whose keys are attributes, too.

    Examples:
        >>> fields = Fields({"choices": [{"message": {"content": "hi"}}]})
        >>> fields.choices[0].message.content, fields["choices"][0]["message"]["content"]
        ('hi', 'hi')
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
        try:
            return _wrapped(self._values[name])
        except KeyError:
            raise AttributeError(f"the answer has no field {name!r}; it has {', '.join(self._values)}") from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self._values)!r})"

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


def _wrapped(value: Any) -> Any:
    if isinstance(value, dict):
        return Fields(value)
    if isinstance(value, list):
        return [_wrapped(item) for item in value]
    return value


def read_events(buffer: bytes) -> tuple[list[dict[str, Any]], bytes]:
    r"""The JSON documents of the complete events of a stream, and what is left of the buffer. `[DONE]` is no document.

    Examples:
        >>> read_events(b'data: {"a": 1}\n\ndata: [DONE]\n\ndata: {"b')
        ([{'a': 1}], b'data: {"b')
    """
    *events, rest = buffer.replace(b"\r\n", b"\n").split(b"\n\n")
    documents = []
    for event in events:
        data = b"\n".join(line[5:].lstrip() for line in event.split(b"\n") if line.startswith(b"data:"))
        if data and data != b"[DONE]":
            documents.append(msgspec.json.decode(data))
    return documents, rest
