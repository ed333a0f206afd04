import pytest

from undertow.ports.wire import WireError
from wire_samples import CHAT, DIALECTS, LOOK_UP, MESSAGES, RESPONSES, asked


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_facts_that_every_format_has(dialect):
    metadata = {"intent": "billing", "conversation_id": "c1"}
    read = asked(dialect, metadata=metadata, safety_identifier="u1", stream=True, tools=[{"name": "now"}])
    facts = read.facts
    assert (facts.endpoint, facts.requested_model, facts.text) == (dialect.endpoint, "auto", "How do I reset it?")
    assert (dict(facts.segment), facts.conversation_id, facts.user_id) == ({"intent": "billing"}, "c1", "u1")
    assert facts.wants_stream
    assert facts.has_tools
    assert facts.is_user_turn
    assert not facts.has_media
    assert facts.prompt_hash is None
    assert read.tools["now"].required == ()


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"tools": "none"}, "tools"),
    ],
)
def test_wrong_types_are_refused_by_name(dialect, fields, param):
    with pytest.raises(WireError) as caught:
        asked(dialect, **fields)
    assert (caught.value.param, caught.value.status) == (param, 400)
    assert caught.value.message.startswith(f"{param}: ")


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_the_estimate_grows_with_messages_and_tools(dialect):
    field = "input" if dialect is RESPONSES else "messages"
    long = "word " * 300 if dialect is RESPONSES else [{"role": "user", "content": "word " * 300}]
    plain, longer = asked(dialect).facts, asked(dialect, **{field: long}).facts
    with_tools = asked(dialect, tools=[LOOK_UP]).facts
    assert 5 < plain.input_tokens < 25
    assert 500 <= longer.input_tokens < 530
    assert with_tools.input_tokens > plain.input_tokens + 40


@pytest.mark.parametrize(
    ("dialect", "field"), [(CHAT, "max_completion_tokens"), (MESSAGES, "max_tokens"), (RESPONSES, "max_output_tokens")]
)
def test_the_limit_of_the_answer_has_a_name_in_each_format(dialect, field):
    assert asked(dialect, **{field: 77}).facts.output_limit == 77
