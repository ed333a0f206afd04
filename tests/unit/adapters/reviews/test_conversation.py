import json

import pytest

from undertow.adapters.reviews.conversation import readable


def test_messages_become_paragraphs():
    messages = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "image_url"}, "three", 4]},
    ]
    assert readable(json.dumps(messages)) == "user: one\n\nassistant: \n\nuser: two\n[image_url]\nthree\n[part]"
    assert readable(json.dumps({"messages": messages[:1]})) == "user: one"
    assert readable(json.dumps([{"role": "tool", "content": {"a": 1}}])) == 'tool: {"a": 1}'


@pytest.mark.parametrize("text", ["plain", "", "[1, 2", "[]", '{"a": 1}', "[1]", '[{"content": "x"}]', "[" * 100_000])
def test_other_text_stays_as_it_is(text):
    assert readable(text) == text


def test_a_text_as_json_is_its_text():
    assert readable('"a\\nb"') == "a\nb"
