import msgspec
import pytest

from undertow.adapters.wire.tools import is_valid_call, read_tools
from undertow.ports.wire import OfferedTool, WireError
from wire_samples import LOOK_UP, dumps


def read(*tools, name="tools"):
    return read_tools({name: msgspec.Raw(msgspec.json.encode(tools))}, "tools", "functions")


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": LOOK_UP},
        {"type": "function", **LOOK_UP},
        {"name": "look_up", "input_schema": LOOK_UP["parameters"]},
    ],
    ids=["chat", "responses", "messages"],
)
def test_tools_of_each_format_are_known_with_what_they_require(tool):
    offered, tools = read(tool)
    assert (offered, list(tools), tools["look_up"].required) == (True, ["look_up"], ("order",))
    assert msgspec.json.decode(tools["look_up"].schema) == LOOK_UP["parameters"]


def test_tools_without_a_schema_or_a_name():
    custom = {"type": "custom", "custom": {"name": "sql"}}
    odd = {"type": "function", "function": {"name": "odd", "parameters": {"required": True}}}
    offered, tools = read(custom, odd, {"type": "web_search"})
    assert (offered, {name: tool.required for name, tool in tools.items()}) == (True, {"sql": (), "odd": ()})
    assert tools["sql"] == OfferedTool()
    assert read(LOOK_UP, name="functions")[1]["look_up"].required == ("order",)


def test_no_tools_are_none():
    assert read() == read_tools({"tools": msgspec.Raw(b"null")}, "tools") == read_tools({}, "tools") == (False, {})


@pytest.mark.parametrize("raw", [b"{}", b"[1]", b'[{"name": 1}]'])
def test_what_is_no_list_of_tools_is_refused(raw):
    with pytest.raises(WireError) as caught:
        read_tools({"tools": msgspec.Raw(raw)}, "tools")
    assert caught.value.param == "tools"


@pytest.mark.parametrize(
    ("name", "arguments", "valid"),
    [
        ("look_up", '{"order": "7", "more": null}', True),
        ("look_up", msgspec.Raw(b'{"order": 7}'), True),
        ("look_up", "{}", False),
        ("look_up", '{"order": ', False),
        ("look_up", '["order"]', False),
        ("look_up", "", False),
        ("look_up", None, False),
        ("invented", '{"order": "7"}', False),
        (None, "{}", False),
        ("look_up", "[" * 100_000, False),
    ],
)
def test_a_call_must_name_a_tool_and_bring_what_it_requires(name, arguments, valid):
    assert is_valid_call({"look_up": OfferedTool(("order",))}, name, arguments) is valid


SHAPED = {
    "type": "object",
    "properties": {"order": {"type": "string", "pattern": "^[0-9]+$"}, "parts": {"items": {"enum": ["a", "b"]}}},
    "required": ["order"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("arguments", "valid"),
    [
        ('{"order": "7"}', True),
        ('{"order": "7", "parts": ["a", "b"]}', True),
        ('{"order": 7}', False),
        ('{"order": "seven"}', False),
        ('{"order": "7", "parts": ["c"]}', False),
        ('{"order": "7", "invented": 1}', False),
    ],
)
def test_arguments_must_fit_the_whole_schema(arguments, valid):
    tools = read({"type": "function", "function": {"name": "f", "parameters": SHAPED}})[1]
    assert is_valid_call(tools, "f", arguments) is valid
    assert is_valid_call(tools, "f", msgspec.Raw(arguments.encode())) is valid


@pytest.mark.parametrize(
    "more",
    [{"type": "nonsense"}, {"$ref": "https://example.org/s.json"}, {"pattern": "(?=a)"}, {"title": "x" * 70_000}],
    ids=["wrong", "elsewhere", "lookahead", "large"],
)
def test_of_a_schema_that_cannot_be_checked_the_required_keys_are(more):
    schema = {"required": ["order"], "properties": {"order": {"type": "string"}}, **more}
    tools = {"f": OfferedTool(("order",), msgspec.Raw(dumps(schema)))}
    assert is_valid_call(tools, "f", '{"order": 7}') is True
    assert is_valid_call(tools, "f", '{"other": 7}') is False
