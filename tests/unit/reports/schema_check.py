"""The part of JSON Schema 2020-12 that our schema uses, checked strictly: an unknown keyword is an error, not a pass."""

import re

_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}
_KNOWN = {
    "$schema", "$id", "$defs", "$ref", "title", "description", "type", "properties", "required", "additionalProperties",
    "maxProperties", "items", "minItems", "maxItems", "enum", "const", "anyOf", "allOf", "pattern", "minimum", "maximum",
    "exclusiveMinimum",
}  # fmt: skip


def _is(value, kind):
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])


def errors(value, schema, root=None, path="$"):
    """Every violation, as `path: what`."""
    root = schema if root is None else root
    unknown = set(schema) - _KNOWN
    assert not unknown, f"the checker does not know {unknown}"
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from errors(value, target, root, path)
    for part in schema.get("allOf", ()):
        yield from errors(value, part, root, path)
    if "anyOf" in schema:
        tried = [list(errors(value, part, root, path)) for part in schema["anyOf"]]
        if all(tried):
            yield min(tried, key=len)[0]
    kinds = schema.get("type")
    if kinds is not None:
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not any(_is(value, kind) for kind in kinds):
            yield f"{path}: {value!r} is not {kinds}"
            return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} not in {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{path}: {value!r} is not {schema['const']!r}"
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"
    if _is(value, "number"):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            yield f"{path}: {value!r} out of range"
        if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
            yield f"{path}: {value!r} out of range"
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{path}: {len(value)} items"
        for i, item in enumerate(value):
            yield from errors(item, schema.get("items", {}), root, f"{path}[{i}]")
    if isinstance(value, dict):
        yield from (f"{path}: {key!r} is missing" for key in schema.get("required", ()) if key not in value)
        if len(value) > schema.get("maxProperties", len(value)):
            yield f"{path}: {len(value)} keys"
        for key, part in value.items():
            if key in schema.get("properties", {}):
                yield from errors(part, schema["properties"][key], root, f"{path}.{key}")
            elif "additionalProperties" in schema:
                yield from errors(part, schema["additionalProperties"], root, f"{path}.{key}")
