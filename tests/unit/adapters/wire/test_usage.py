import msgspec
import pytest

from undertow.adapters.wire.usage import AnthropicCounts, anthropic_usage, estimated_usage, openai_usage
from undertow.records.answer import Usage


def raw(value):
    return msgspec.Raw(msgspec.json.encode(value))


def test_chat_usage_with_all_its_details():
    value = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 5, "cache_write_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 2, "accepted_prediction_tokens": 0},
    }
    assert openai_usage(raw(value)) == Usage(100, 40, 7, 5, 50, 30, 2)


def test_the_other_names_of_the_same_counts():
    value = {
        "input_tokens": 9,
        "output_tokens": 4,
        "input_tokens_details": {"cached_tokens": 3},
        "output_tokens_details": None,
    }
    assert openai_usage(raw(value)) == Usage(input_tokens=9, cached_tokens=3, output_tokens=4)
    value = {"prompt_tokens": 9, "completion_tokens": None, "prompt_cache_hit_tokens": 8}
    assert openai_usage(raw(value)) == Usage(input_tokens=9, cached_tokens=8)
    assert openai_usage(raw({"prompt_tokens": 9.0, "completion_tokens": 4.0})) == Usage(input_tokens=9, output_tokens=4)


@pytest.mark.parametrize(
    "value",
    [None, {}, [], {"total_tokens": 5}, {"prompt_tokens": -1}, {"prompt_tokens": "9"}, {"prompt_tokens": 2**60}],
)
def test_what_makes_no_sense_is_unknown(value):
    assert openai_usage(raw(value)) is None
    assert anthropic_usage(raw(value)) is None


def test_anthropics_cache_counts_are_added_in():
    value = {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20, "output_tokens": 4}
    value["output_tokens_details"] = {"thinking_tokens": 3}
    expected = Usage(input_tokens=125, cached_tokens=100, cache_write_tokens=20, output_tokens=4, reasoning_tokens=3)
    assert anthropic_usage(raw(value)) == expected


def test_a_cut_stream_keeps_what_its_start_reported_and_estimates_the_rest():
    counts = AnthropicCounts()
    assert (
        counts.estimate(50, 9) == estimated_usage(50, 9) == Usage(input_tokens=50, output_tokens=3, is_estimated=True)
    )
    counts.add(raw({"input_tokens": 5, "cache_read_input_tokens": 10, "output_tokens": 1}), is_start=True)
    assert counts.usage() is None
    assert counts.estimate(50, 9) == Usage(input_tokens=15, cached_tokens=10, output_tokens=3, is_estimated=True)
    counts.add(raw({"output_tokens": 30}))
    assert counts.usage() == Usage(input_tokens=15, cached_tokens=10, output_tokens=30)
