"""What a conversation asks, from the forms in which prompts are kept, hostile ones too."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.slices.asked import asked


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("Where is my card?", "Where is my card?"),
        ('"Where is my card?"', "Where is my card?"),
        ("", ""),
        ("[1] is my first point", "[1] is my first point"),
        ("user: Hi\n\nassistant: Hello\n\nuser: And now?\n\nassistant: Now this", "And now?"),
        ("system: Be brief.\n\nuser: two\n\nparagraphs", "two\n\nparagraphs"),
        ("system: only this", "system: only this"),
        ("my notes\n\nuser: said this", "my notes\n\nuser: said this"),
    ],
)
def test_forms(prompt, question):
    assert asked(prompt) == question


def test_the_last_message_of_the_user_in_a_list():
    messages = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {}}]},
        {"role": "assistant", "content": "I see"},
    ]
    assert asked(json.dumps(messages)) == "look"


@pytest.mark.parametrize(
    "odd", ["[" * 5000, "[{}]", '[{"role": "user"}]', '[{"role": "user", "content": 7}]', "[null, 3]"]
)
def test_what_is_no_conversation_is_taken_as_it_is(odd):
    assert asked(odd) == odd


@given(st.text())
def test_never_fails(text):
    assert isinstance(asked(text), str)
