"""Whether a document fits a JSON Schema that a caller sent, where that can be told safely; see decision record 17.

Schemas are compiled when first needed, and the last few are kept. Nothing is ever fetched: references lead into the schema
itself or nowhere. `format` is an annotation, as JSON Schema 2020-12 has it, and not checked.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from undertow.adapters.wire.body import decode
from undertow.adapters.wire.schema_cost import SchemaCost, has_odd_numbers, schema_cost

if TYPE_CHECKING:
    from jsonschema_rs import Validator

MAX_SCHEMA_BYTES = 65_536
MAX_DOCUMENT_BYTES = 262_144
"""Of an answer or of arguments: some 60,000 tokens."""
KEPT_SCHEMAS = 16
"""Compiled schemas kept; one takes up to 4 MB, and half a millisecond to compile anew."""

_PATTERN_BYTES = 65_536
_ANYTHING = msgspec.json.Decoder()


class _Compiled(NamedTuple):
    validator: "Validator"
    cost: SchemaCost


def fits_schema(schema: bytes | msgspec.Raw, document: bytes | msgspec.Raw) -> bool | None:
    """Whether a document fits a schema.

    Args:
        schema: JSON Schema, as it came.
        document: JSON.

    Returns:
        None where that is not known: the schema is none, is larger than 64 kB, has references beyond itself or keywords that
        cannot be bounded, or the document is larger than 256 kB or takes too much work with this schema.

    Raises:
        ValueError: The document is no JSON.

    Examples:
        >>> schema = b'{"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}'
        >>> fits_schema(schema, b'{"order": "7"}'), fits_schema(schema, b'{"order": 7}')
        (True, False)
        >>> fits_schema(b'{"$ref": "https://example.org/schema.json"}', b"{}") is None
        True
    """
    value = decode(_ANYTHING, document)
    if len(schema) > MAX_SCHEMA_BYTES or len(document) > MAX_DOCUMENT_BYTES:
        return None
    compiled = _compiled(bytes(schema))
    if compiled is None or not compiled.cost.allows(bytes(document)):
        return None
    return compiled.validator.is_valid(value)


@lru_cache(maxsize=KEPT_SCHEMAS)
def _compiled(schema: bytes) -> _Compiled | None:
    try:
        document = decode(_ANYTHING, schema)
    except ValueError:
        return None
    cost = schema_cost(document)
    if cost is None or has_odd_numbers(schema):
        return None
    import jsonschema_rs  # noqa: PLC0415 (15 MB that a worker which never sees a schema does not load)

    # The regular expressions of this engine take linear time; those that would need another one do not compile.
    patterns = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
    try:
        validator = jsonschema_rs.validator_for(
            document, pattern_options=patterns, validate_formats=False, offline=True
        )
    except (ValueError, jsonschema_rs.ReferencingError):
        return None
    return _Compiled(validator, cost)
