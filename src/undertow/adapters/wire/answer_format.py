"""The format that a request demands of the answer's text (`response_format`, `text.format`), and whether a text has it."""

import msgspec

from undertow.adapters.wire.body import ABSENT, decode
from undertow.adapters.wire.schemas import fits_schema
from undertow.ports.wire import AnswerFormat


class _Named(msgspec.Struct, gc=False):
    schema: msgspec.Raw = ABSENT


class _Format(msgspec.Struct, gc=False):
    """Of both APIs: chat completions has the schema one level deeper than responses."""

    type: str = ""
    json_schema: _Named | None = None
    schema: msgspec.Raw = ABSENT


class _Text(msgspec.Struct, gc=False):
    format: msgspec.Raw = ABSENT


_FORMAT = msgspec.json.Decoder(_Format)
_TEXT = msgspec.json.Decoder(_Text)
_ANYTHING = msgspec.json.Decoder()


def read_answer_format(value: msgspec.Raw) -> AnswerFormat | None:
    """The format that a `response_format` demands; None where it demands none, or makes no sense (which the upstream will say).

    Examples:
        >>> demand = b'{"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "string"}}}'
        >>> bytes(read_answer_format(msgspec.Raw(demand)).schema)
        b'{"type": "string"}'
        >>> read_answer_format(msgspec.Raw(b'{"type": "text"}')) is None
        True
    """
    if not value:
        return None
    try:
        found = decode(_FORMAT, value)
    except ValueError:
        return None
    if found.type == "json_schema":
        return AnswerFormat(found.json_schema.schema if found.json_schema else found.schema)
    return AnswerFormat() if found.type == "json_object" else None


def read_text_format(value: msgspec.Raw) -> AnswerFormat | None:
    """The same of the `text` field of the responses API."""
    try:
        return read_answer_format(decode(_TEXT, value).format)
    except ValueError:
        return None


def has_format(demanded: AnswerFormat, text: str) -> bool | None:
    """Whether a whole text is what was demanded; None where that cannot be told of its schema.

    Examples:
        >>> has_format(AnswerFormat(), '{"n": 1}'), has_format(AnswerFormat(), "Sure! {}")
        (True, False)
    """
    document = text.encode()
    try:
        if demanded.schema:
            return fits_schema(demanded.schema, document)
        decode(_ANYTHING, document)
    except ValueError:
        return False
    return True
