"""Tools that a request offers, and whether a call of one makes sense."""

from collections.abc import Mapping

import msgspec

from undertow.adapters.wire.body import ABSENT, NULL, decode, wrong_type
from undertow.ports.wire import WireError

Tools = dict[str, tuple[str, ...]]
"""Name -> argument keys that its schema requires."""


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    parameters: msgspec.Raw = ABSENT


class _Tool(msgspec.Struct, gc=False):
    """A tool in any of the three formats: nested under its type, or flat."""

    name: str | None = None
    parameters: msgspec.Raw = ABSENT
    input_schema: msgspec.Raw = ABSENT
    function: _Function | None = None
    custom: _Function | None = None


class _Schema(msgspec.Struct, gc=False):
    required: list[str] | None = None


_TOOLS = msgspec.json.Decoder(list[_Tool])
_SCHEMA = msgspec.json.Decoder(_Schema)
_ARGUMENTS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_tools(fields: Mapping[str, msgspec.Raw], *names: str) -> tuple[bool, Tools]:
    """Whether tools are offered under any of some fields, and those that have a name.

    Raises:
        WireError: Such a field is no list of objects.

    Examples:
        >>> tools = b'[{"type": "function", "function": {"name": "look", "parameters": {"required": ["at"]}}}]'
        >>> read_tools({"tools": msgspec.Raw(tools)}, "tools")
        (True, {'look': ('at',)})
    """
    offered, tools = False, {}
    for name in names:
        value = fields.get(name)
        if value is None or value == NULL:
            continue
        try:
            found = decode(_TOOLS, value)
        except ValueError as error:
            if bytes(value)[:1] != b"[":
                raise wrong_type(name, "a list of tools", value) from None
            raise WireError(f"{name}: {error}", param=name, code="invalid_type") from None
        offered = offered or bool(found)
        for tool in found:
            inner = tool.function or tool.custom
            called = inner.name if inner else tool.name
            if called:
                tools[called] = _required(inner.parameters if inner else tool.parameters or tool.input_schema)
    return offered, tools


def is_valid_call(tools: Mapping[str, tuple[str, ...]], name: str | None, arguments: str | msgspec.Raw | None) -> bool:
    """Whether a call names an offered tool and its arguments are a JSON object with the required keys.

    Examples:
        >>> is_valid_call({"look": ("at",)}, "look", '{"at": "it"}'), is_valid_call({"look": ("at",)}, "look", "{}")
        (True, False)
    """
    required = tools.get(name or "")
    if required is None or not arguments:
        return False
    try:
        given = decode(_ARGUMENTS, arguments.encode() if isinstance(arguments, str) else arguments)
    except ValueError:
        return False
    return all(key in given for key in required)


def _required(schema: msgspec.Raw) -> tuple[str, ...]:
    if not schema:
        return ()
    try:
        return tuple(decode(_SCHEMA, schema).required or ())
    except ValueError:
        # Not our affair: the upstream will say what is wrong with a schema.
        return ()
