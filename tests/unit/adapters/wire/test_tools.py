import msgspec
import pytest

from undertow.adapters.wire.tools import is_valid_call, read_tools
from undertow.ports.wire import WireError
from wire_samples import LOOK_UP


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
    assert read(tool) == (True, {"look_up": ("order",)})


def test_tools_without_a_schema_or_a_name():
    custom = {"type": "custom", "custom": {"name": "sql"}}
    odd = {"type": "function", "function": {"name": "odd", "parameters": {"required": True}}}
    assert read(custom, odd, {"type": "web_search"}) == (True, {"sql": (), "odd": ()})
    assert read(LOOK_UP, name="functions") == (True, {"look_up": ("order",)})


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
    assert is_valid_call({"look_up": ("order",)}, name, arguments) is valid
