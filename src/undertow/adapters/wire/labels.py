"""Who asks, and labels of the request: read off the body's `metadata` and its user fields."""

from collections.abc import Mapping
from typing import cast

import msgspec

from undertow.adapters.wire.body import NULL, decode, read_text, wrong_type
from undertow.ports.wire import WireError

MAX_PAIRS = 16
MAX_KEY_CHARS = 64
MAX_VALUE_CHARS = 512
"""What the OpenAI API itself allows of `metadata`."""

CONVERSATION_KEYS = ("conversation_id", "session_id", "thread_id")
"""Keys of `metadata` that name the conversation, the first given counts. They become no labels."""
USER_KEY = "user_id"
USER_FIELDS = ("safety_identifier", "user")
"""Top-level fields that name the user, the first given counts; they come before `metadata.user_id`."""

_METADATA = msgspec.json.Decoder(dict[str, str | None])


def read_labels(fields: Mapping[str, msgspec.Raw]) -> tuple[dict[str, str], str | None, str | None]:
    """Labels, conversation and user of a request, the ids as the caller gave them.

    Raises:
        WireError: `metadata` is no map of strings or beyond the limits above, or a user field is no string.

    Examples:
        >>> read_labels({"metadata": msgspec.Raw(b'{"intent": "billing", "session_id": "s1"}')})
        ({'intent': 'billing'}, 's1', None)
    """
    segment: dict[str, str] = {}
    conversation_id = user_id = None
    value = fields.get("metadata")
    if value is not None and value != NULL:
        segment = _read_metadata(value)
        for key in CONVERSATION_KEYS:
            if key in segment:
                given = segment.pop(key)
                conversation_id = conversation_id or given or None
        user_id = segment.pop(USER_KEY, None) or None
    for name in USER_FIELDS:
        if name in fields and (given := read_text(fields, name, max_chars=MAX_VALUE_CHARS)):
            return segment, conversation_id, given
    return segment, conversation_id, user_id


def _read_metadata(value: msgspec.Raw) -> dict[str, str]:
    try:
        metadata = decode(_METADATA, value)
    except ValueError:
        if bytes(value)[:1] != b"{":
            raise wrong_type("metadata", "a map of strings", value) from None
        raise WireError(
            "metadata: expected a map of strings, got a value of another type", param="metadata", code="invalid_type"
        ) from None
    if len(metadata) > MAX_PAIRS:
        raise WireError(
            f"metadata: expected at most {MAX_PAIRS} pairs, got {len(metadata)}",
            param="metadata",
            code="object_above_max_properties",
        )
    for key, text in metadata.items():
        if len(key) > MAX_KEY_CHARS or (text and len(text) > MAX_VALUE_CHARS):
            raise WireError(
                f"metadata: expected keys of at most {MAX_KEY_CHARS} and values of at most {MAX_VALUE_CHARS} characters, "
                f"got {len(key)} and {len(text or '')}",
                param="metadata",
                code="string_above_max_length",
            )
    if None in metadata.values():
        return {key: text for key, text in metadata.items() if text is not None}
    return cast("dict[str, str]", metadata)
