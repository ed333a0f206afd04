import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.adapters.wire.body import read_fields
from undertow.adapters.wire.chat import ChatDialect
from undertow.adapters.wire.chat_plain import read_plain_chat
from undertow.ports.wire import WireError

texts = st.text(max_size=30) | st.none()
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "developer", "tool", ""])}, optional={"content": texts}
    ),
    max_size=5,
)
requests = st.fixed_dictionaries(
    {"model": st.text(max_size=5), "messages": messages},
    optional={
        "stream": st.booleans() | st.none() | st.integers(),
        "metadata": st.none()
        | st.dictionaries(
            st.sampled_from(["intent", "user_id", "session_id", "conversation_id", "thread_id"]), texts, max_size=5
        )
        | st.dictionaries(st.text(max_size=70), st.text(max_size=3), max_size=18),
        "user": texts | st.just("u" * 600),
        "safety_identifier": texts,
        "max_tokens": st.none()
        | st.integers(-5, 5)
        | st.just(10**12)
        | st.floats(allow_nan=False, allow_infinity=False),
        "max_completion_tokens": st.none() | st.integers(-5, 5),
        "logprobs": st.none() | st.booleans(),
        "top_logprobs": st.none() | st.integers(-1, 25) | st.just("odd"),
        "response_format": st.sampled_from(
            [
                None,
                {"type": "json_object"},
                {"type": "text"},
                {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "string"}}},
            ]
        ),
        "temperature": st.just(0.5),
        "tools": st.just([]),
    },
)


@given(requests)
def test_a_plain_request_reads_the_same_in_one_go_and_field_by_field(document):
    body = json.dumps(document).encode()
    fields = read_fields(body, max_nesting=50)
    plain = read_plain_chat(fields, body)
    if plain is not None:
        assert plain == ChatDialect()._read_any(fields)


@pytest.mark.parametrize(
    "more",
    [
        {"tools": []},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        {"messages": "hi"},
        {"stream": "yes"},
        {"metadata": {"a": None}},
        {"max_tokens": -1},
    ],
)
def test_what_is_not_plain_is_left_to_the_other_reading(more):
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}], **more}).encode()
    assert read_plain_chat(read_fields(body, max_nesting=50), body) is None


def test_the_usual_request_is_plain():
    body = json.dumps(
        {"model": "auto", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}],
         "metadata": {"intent": "faq", "session_id": "c"}, "user": "u", "temperature": 0.2, "stream": True}
    ).encode()  # fmt: skip
    read = read_plain_chat(read_fields(body, max_nesting=50), body)
    assert (read.facts.text, read.facts.segment, read.facts.conversation_id) == ("hi", {"intent": "faq"}, "c")


def test_errors_still_name_what_is_wrong():
    with pytest.raises(WireError, match="metadata"):
        ChatDialect().read_request(b'{"model": "a", "messages": [{"role": "user"}], "metadata": 3}', max_nesting=9)
