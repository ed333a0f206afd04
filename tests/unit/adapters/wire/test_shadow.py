import json

import pytest

from wire_samples import CHAT, MESSAGES, RESPONSES, asked

FUNCTION = {"type": "function", "function": {"name": "look_up"}}


def body(dialect, parameters=None, **fields):
    made = dialect.shadow_body(asked(dialect, **fields), model="large", parameters=parameters or {})
    return None if made is None else json.loads(made)


def test_chat_keeps_what_shapes_the_answer_and_drops_the_rest():
    shaping = {"tools": [FUNCTION], "tool_choice": "auto", "temperature": 0.3, "seed": 7, "user": "u", "max_tokens": 50}
    dropped = {
        "stream": True, "stream_options": {"include_usage": True}, "n": 3, "logprobs": True, "top_logprobs": 2, "store": True,
        "metadata": {"intent": "billing"}, "service_tier": "priority",
    }  # fmt: skip
    made = body(CHAT, {"temperature": 0.7}, **shaping, **dropped)
    messages = json.loads(bytes(asked(CHAT).fields["messages"]))
    assert made == {"model": "large", "messages": messages, **shaping, "temperature": 0.7}


def test_messages_keep_their_own_fields():
    fields = {"system": "Be brief.", "tools": [{"name": "look_up", "input_schema": {}}], "metadata": {"user_id": "u"}}
    made = body(MESSAGES, stream=True, **fields)
    assert {name: made[name] for name in fields} == fields
    assert "stream" not in made
    assert made["max_tokens"] == 100


def test_a_response_is_not_kept_by_its_provider():
    include = ["reasoning.encrypted_content", "message.output_text.logprobs"]
    made = body(RESPONSES, include=include, store=True, background=True, previous_response_id="r", metadata={"a": "b"})
    assert made["store"] is False
    assert made["include"] == ["reasoning.encrypted_content"]
    assert made["previous_response_id"] == "r"
    assert not {"background", "metadata", "stream"} & made.keys()


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (CHAT, {"tools": [FUNCTION, {"type": "web_search"}]}),
        (CHAT, {"web_search_options": {}}),
        (CHAT, {"audio": {"voice": "v"}}),
        (MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        (MESSAGES, {"tools": [{"type": "code_execution_20250825", "name": "code"}]}),
        (MESSAGES, {"mcp_servers": [{"type": "url", "url": "https://example.org"}]}),
        (RESPONSES, {"tools": [{"type": "mcp", "server_url": "https://example.org"}]}),
        (RESPONSES, {"tools": [{"type": "code_interpreter"}]}),
        (RESPONSES, {"tools": [{"name": "untyped"}]}),
        (RESPONSES, {"conversation": "conv_1"}),
        (RESPONSES, {"prompt": {"id": "pmpt_1"}}),
    ],
)
def test_a_request_whose_tools_the_provider_runs_is_never_sent_again(dialect, fields):
    assert body(dialect, **fields) is None


def test_nor_is_one_to_which_the_tier_itself_adds_such_a_tool():
    assert body(CHAT, {"tools": [{"type": "web_search"}]}) is None


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (CHAT, {"tools": [FUNCTION, {"type": "custom", "custom": {"name": "c"}}]}),
        (CHAT, {"tools": None}),
        (CHAT, {"tools": []}),
        (
            MESSAGES,
            {"tools": [{"name": "a"}, {"type": "custom", "name": "b"}, {"type": "bash_20250124", "name": "bash"}]},
        ),
        (MESSAGES, {"tools": [{"type": "memory_20250818", "name": "memory"}]}),
        (RESPONSES, {"tools": [{"type": "function", "name": "f"}, {"type": "local_shell"}]}),
    ],
)
def test_tools_that_the_caller_runs_go_along(dialect, fields):
    assert body(dialect, **fields)["tools"] == fields["tools"]
