"""Request bodies and other JSON documents, opened only as far as needed: the rest stays raw bytes and is passed on as such.

Assumes nothing of what comes in. Of a key that stands twice in an object the last value counts, and only that one is sent on,
so the router and the upstream never read two different requests.
"""

import itertools
import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from undertow.ports.wire import WireError

T = TypeVar("T")
Fields = dict[str, msgspec.Raw]
"""Top-level fields of a JSON object, in order, each as its raw JSON value."""

ABSENT = msgspec.Raw()
NULL = msgspec.Raw(b"null")
TRUE = msgspec.Raw(b"true")
FALSE = msgspec.Raw(b"false")
MAX_TOKENS = 1_000_000_000
"""A larger limit on an answer means the same as this one, and fits every column."""

_FIELDS = msgspec.json.Decoder(Fields)
_TEXT = msgspec.json.Decoder(str)
_COUNT = msgspec.json.Decoder(int)
_NUMBER = msgspec.json.Decoder(float)
_ENCODER = msgspec.json.Encoder()
_SURROGATES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_KIND = {
    ord('"'): "string",
    ord("{"): "object",
    ord("["): "array",
    ord("t"): "boolean",
    ord("f"): "boolean",
    ord("n"): "null",
}
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b'"[]{}')))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


def decode(decoder: msgspec.json.Decoder[T], document: bytes | msgspec.Raw) -> T:
    r"""Decode a document; half a UTF-16 pair (`"\ud83d"`, which JavaScript writes where it cuts a text) reads as U+FFFD.

    Raises:
        ValueError: It is no JSON, or not of the decoder's type. The message quotes nothing of it but places and types.

    Examples:
        >>> decode(msgspec.json.Decoder(list[str]), rb'["cut \ud83d"]') == ["cut \ufffd"]
        True
    """
    try:
        return decoder.decode(document)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    except msgspec.DecodeError as error:
        raw = bytes(document)
        mended = _SURROGATES.sub(lambda escape: b"\\ufffd" if escape.group(1) else escape.group(), raw)
        if mended == raw:
            raise ValueError(str(error)) from None
        return decode(decoder, mended)


def check_text(document: bytes) -> None:
    """See that a document is UTF-8 all through, as decoding skips what it does not need.

    Raises:
        ValueError: It is not.
    """
    if not document.isascii():
        try:
            document.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"invalid UTF-8 at byte {error.start}") from None


def nesting_depth(document: bytes) -> int:
    r"""How deep arrays and objects are nested, brackets in strings not counted. Right for valid JSON.

    Examples:
        >>> nesting_depth(rb'{"a": [[], "[[[", {"b": "\"["}]}')
        3
    """
    plain = document.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in document else document
    plain = plain.translate(_STEPS, _NO_BRACKETS)
    # Two quotes in a row are an empty string or the seam of two strings; without them the rest is inside or outside as before.
    outside = b"".join(plain.replace(b'""', b"").split(b'"')[::2])
    return max(itertools.accumulate(memoryview(outside).cast("b")), default=0)


def outside_strings(document: bytes) -> bytes:
    r"""A document without its strings: brackets, commas, numbers and words. Right for valid JSON.

    Examples:
        >>> outside_strings(rb'{"a": [1, "2, \" 3"]}')
        b'{ : [1,  ]}'
    """
    plain = document.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in document else document
    return b" ".join(plain.split(b'"')[::2])


def read_fields(body: bytes, *, max_nesting: int) -> Fields:
    """The top-level fields of a request body.

    Raises:
        WireError: It is no JSON object in UTF-8, or nested deeper than `max_nesting`.
    """
    # The number of opening brackets bounds the depth, and counting is ten times as quick as measuring.
    if body.count(b"{") + body.count(b"[") > max_nesting and nesting_depth(body) > max_nesting:
        raise WireError(f"the request body is nested deeper than {max_nesting} levels", code="nesting_too_deep")
    try:
        check_text(body)
        return decode(_FIELDS, body)
    except ValueError as error:
        raise WireError(f"the request body is not a JSON object: {error}", code="invalid_json") from None


def is_given(value: msgspec.Raw | None) -> bool:
    """Whether a field is there and not null."""
    return bool(value) and value != NULL


def kind_of(value: msgspec.Raw) -> str:
    """The JSON type of a raw value, for messages.

    Examples:
        >>> kind_of(msgspec.Raw(b"-1.5"))
        'number'
    """
    return _KIND.get(bytes(value)[0], "number")


def wrong_type(name: str, expected: str, value: msgspec.Raw) -> WireError:
    """The error for a field of the wrong type; it names the type that was seen, never the value."""
    return WireError(f"{name}: expected {expected}, got {kind_of(value)}", param=name, code="invalid_type")


def read_model(fields: Mapping[str, msgspec.Raw]) -> str:
    """The model that the caller asks for.

    Raises:
        WireError: There is none.
    """
    model = read_text(fields, "model")
    if not model:
        seen = "an empty string" if model is not None else "none"
        raise WireError(
            f"model: expected the name of a model, got {seen}", param="model", code="missing_required_parameter"
        )
    return model


def read_text(fields: Mapping[str, msgspec.Raw], name: str, *, max_chars: int | None = None) -> str | None:
    """A field that is a string, or None where it is absent or null.

    Raises:
        WireError: It is of another type, or longer than `max_chars`.
    """
    value = fields.get(name)
    if value is None or value == NULL:
        return None
    try:
        text = decode(_TEXT, value)
    except ValueError:
        raise wrong_type(name, "a string", value) from None
    if max_chars is not None and len(text) > max_chars:
        raise WireError(
            f"{name}: expected at most {max_chars} characters, got {len(text)}",
            param=name,
            code="string_above_max_length",
        )
    return text


def read_flag(fields: Mapping[str, msgspec.Raw], name: str) -> bool:
    """A field that is true or false; absent and null are false.

    Raises:
        WireError: It is of another type.
    """
    value = fields.get(name)
    if value is None or value in (FALSE, NULL):
        return False
    if value == TRUE:
        return True
    raise wrong_type(name, "true or false", value)


def read_limit(fields: Mapping[str, msgspec.Raw], *names: str) -> int | None:
    """The first given of some fields that limit the answer's tokens, or None.

    Raises:
        WireError: One of them is no integer, or below 0.
    """
    first: int | None = None
    for name in names:
        value = fields.get(name)
        if value is not None and value != NULL:
            try:
                limit = decode(_COUNT, value)
            except ValueError:
                limit = _whole_number(name, value)
            if limit < 0:
                raise WireError(f"{name}: expected at least 0, got a negative number", param=name, code="invalid_value")
            first = min(limit, MAX_TOKENS) if first is None else first
    return first


def _whole_number(name: str, value: msgspec.Raw) -> int:
    """A number with a point or an exponent that is whole, such as `5.0`: JSON Schema counts it as an integer, and so do callers' libraries."""
    try:
        number = decode(_NUMBER, value)
    except ValueError:
        number = 0.5
    if not number.is_integer():
        raise wrong_type(name, "an integer", value)
    return int(number)


def encode(value: object) -> bytes:
    """A JSON document; raw values inside go out as they came in."""
    return _ENCODER.encode(value)


def with_parameters(
    fields: Mapping[str, msgspec.Raw],
    *,
    model: str,
    parameters: Mapping[str, object],
    own: frozenset[str],
    alternatives: tuple[str, ...] = (),
) -> dict[str, object]:
    """The caller's fields in their order, with a tier's model and parameters over them.

    Args:
        fields: What the caller sent.
        model: Takes the place of the caller's.
        parameters: Of the tier, each in place of the caller's field of that name.
        own: Fields that stay the caller's whatever the tier says: what is asked, and whether it is streamed.
        alternatives: Names of which an upstream takes only one; a tier's parameter removes the caller's others.
    """
    merged: dict[str, object] = {**fields}
    for name, value in parameters.items():
        if name not in own:
            if name in alternatives:
                for other in alternatives:
                    if other not in parameters:
                        merged.pop(other, None)
            merged[name] = value
    merged["model"] = model
    return merged
