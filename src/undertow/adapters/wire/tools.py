"""Tools that a request offers, and whether a call of one makes sense."""

from collections.abc import Mapping

import msgspec

from undertow.adapters.wire.body import ABSENT, NULL, decode, wrong_type
from undertow.adapters.wire.schemas import fits_schema
from undertow.ports.wire import OfferedTool, WireError


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


def read_tools(fields: Mapping[str, msgspec.Raw], *names: str) -> tuple[bool, dict[str, OfferedTool]]:
    """Whether tools are offered under any of some fields, and those that have a name.

    Raises:
        WireError: Such a field is no list of objects.

    Examples:
        >>> tools = b'[{"type": "function", "function": {"name": "look", "parameters": {"required": ["at"]}}}]'
        >>> offered, tools = read_tools({"tools": msgspec.Raw(tools)}, "tools")
        >>> offered, tools["look"].required
        (True, ('at',))
    """
    offered = False
    tools: dict[str, OfferedTool] = {}
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
                schema = inner.parameters if inner else tool.parameters or tool.input_schema
                tools[called] = OfferedTool(_required(schema), schema) if schema else OfferedTool()
    return offered, tools


def is_valid_call(tools: Mapping[str, OfferedTool], name: str | None, arguments: str | msgspec.Raw | None) -> bool:
    """Whether a call names an offered tool and its arguments are a JSON object that fits the tool's schema.

    Of a schema that cannot be checked only the keys that it requires at its top level are.

    Examples:
        >>> schema = b'{"properties": {"at": {"type": "string"}}, "required": ["at"]}'
        >>> tools = {"look": OfferedTool(("at",), msgspec.Raw(schema))}
        >>> [is_valid_call(tools, "look", arguments) for arguments in ('{"at": "it"}', '{"at": 1}', "{}")]
        [True, False, False]
    """
    tool = tools.get(name or "")
    if tool is None or not arguments:
        return False
    document = arguments.encode() if isinstance(arguments, str) else arguments
    try:
        given = decode(_ARGUMENTS, document)
        if not all(key in given for key in tool.required):
            return False
        return not tool.schema or fits_schema(tool.schema, document) is not False
    except ValueError:
        return False


def _required(schema: msgspec.Raw) -> tuple[str, ...]:
    try:
        return tuple(decode(_SCHEMA, schema).required or ())
    except ValueError:
        # Not our affair: the upstream will say what is wrong with a schema.
        return ()
