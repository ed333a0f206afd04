import msgspec
import pytest

from undertow.adapters.wire.logprobs import choice_logprobs, read_top_logprobs, token_logprobs
from wire_samples import tokens


def raw(value):
    return msgspec.Raw(msgspec.json.encode(value))


def test_sums_are_over_all_tokens_of_text_and_refusal():
    assert choice_logprobs(raw(tokens(-0.5, -1, 0))) == (-1.5, 3)
    assert choice_logprobs(raw({"content": None, "refusal": tokens(-2.0)["content"]})) == (-2.0, 1)
    assert token_logprobs(raw(tokens(-0.5, -1)["content"])) == (-1.5, 2)


@pytest.mark.parametrize("value", [[], 5, {"content": [{"token": "a"}]}, {"content": [{"logprob": None}]}])
def test_what_makes_no_sense_is_no_confidence(value):
    assert choice_logprobs(raw(value)) == (0.0, 0)


@pytest.mark.parametrize(
    ("given", "most"), [(None, 0), (0, 0), (2, 2), (20, 20), (21, 20), (-1, 20), ("2", 20), (2.5, 20), (True, 20)]
)
def test_a_number_of_alternatives_that_makes_no_sense_is_never_raised(given, most):
    assert read_top_logprobs({"top_logprobs": raw(given)}) == most
