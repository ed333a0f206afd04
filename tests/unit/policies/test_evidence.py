"""What was not measured is absent, and what is there is finite."""

import math

import pytest
from hypothesis import given

from conformance.check_policy import answers, requests
from undertow.policies.evidence import (
    IN_PREFIX,
    MEASURED,
    NAMES,
    PREFIX,
    evidence_for,
    features_of,
    is_feature,
    mean_log_probability,
    prefix_features_of,
)
from undertow.records.answer import AnswerFacts, Evidence, TokenEvidence, Usage
from undertow.records.request import RequestFacts

ASKED = RequestFacts("chat.completions", "auto", text="Which one?")
NAN = math.nan


def of(measured=(), **answer):
    return features_of(AnswerFacts(**answer), ASKED, dict(measured))


def test_features_of_the_sum():
    found = of(logprob_sum=-1.0, logprob_count=4)
    assert (found["mean_logprob"], found["sum_logprob"]) == (-0.25, -1.0)
    assert found["answer_log_tokens"] == math.log(5)


@pytest.mark.parametrize(
    ("total", "count"),
    [(None, 4), (-1.0, 0), (-1.0, -1), (NAN, 4), (math.inf, 4), (-math.inf, 4), (0.5, 4)],
)
def test_a_sum_that_cannot_be_right_is_none(total, count):
    assert mean_log_probability(AnswerFacts(logprob_sum=total, logprob_count=count)) is None
    assert not {"mean_logprob", "sum_logprob"} & of(logprob_sum=total, logprob_count=count).keys()


def test_only_tokens_that_carry_the_answer_count():
    tokens = TokenEvidence((-9.0, -0.2, -0.4, -9.0, -0.6), (False, True, True, False, True))
    found = of(tokens=tokens)
    assert found["content_logprob"] == pytest.approx(-0.4)
    assert (found["min_logprob"], found["first_logprob"], found["low_logprob"]) == (-0.6, -0.2, -0.6)


def test_the_lowest_tenth_is_a_tenth_and_at_least_one():
    values = tuple(-n / 100 for n in range(20))
    found = of(tokens=TokenEvidence(values, (True,) * 20))
    assert found["low_logprob"] == pytest.approx((-0.19 - 0.18) / 2)
    assert of(tokens=TokenEvidence((-1.0, -2.0), (True, True)))["low_logprob"] == -2.0


def test_margins_and_entropies():
    found = of(tokens=TokenEvidence((-0.1, -0.2), (True, True), (0.9, 0.5), (0.1, 0.7)))
    assert found["mean_margin"] == pytest.approx(0.7)
    assert found["min_margin"] == 0.5
    assert (found["mean_entropy"], found["max_entropy"]) == (pytest.approx(0.4), 0.7)
    assert not {"mean_margin", "max_entropy"} & of(tokens=TokenEvidence((-0.1,), (True,))).keys()


@pytest.mark.parametrize("bad", [NAN, -math.inf, 2.0])
def test_one_token_that_cannot_be_right_leaves_no_token_features(bad):
    found = of(tokens=TokenEvidence((-0.1, bad), (True, True), (0.9, NAN), (NAN, 0.1)))
    assert not {"content_logprob", "min_logprob", "mean_margin", "mean_entropy"} & found.keys()


def test_an_answer_of_punctuation_has_no_content():
    assert "min_logprob" not in of(tokens=TokenEvidence((-0.1,), (False,)))


def test_form():
    found = of(chars=9, finish_reason="length", usage=Usage(output_tokens=4), is_format_valid=True)
    assert found["answer_log_chars"] == math.log(10)
    assert found["answer_log_tokens"] == math.log(5)
    assert (found["cut_short"], found["format_valid"]) == (1.0, 1.0)
    assert of(is_format_valid=True, are_tool_calls_valid=False)["format_valid"] == 0.0
    assert of(finish_reason="stop")["cut_short"] == 0.0
    assert not {"format_valid", "cut_short", "answer_log_tokens", "answer_log_chars"} & of().keys()


def test_text():
    found = of(text="I think it might be B.")
    assert found["hedging"] == pytest.approx(2 / 6)
    assert found["refusal_words"] == 0.0
    assert of(text="(B)")["answer=b"] == 1.0
    assert not {"hedging", "refusal_words"} & of(text=None).keys()
    assert not {"hedging", "refusal_words"} & of(text="").keys()


def test_what_is_handed_in_counts_where_it_is_a_number():
    found = of({"p_true": 0.9, "agreement": NAN, "novelty": math.inf})
    assert found["p_true"] == 0.9
    assert not {"agreement", "novelty"} & found.keys()


def test_the_request_has_its_length_where_it_has_text():
    assert of()["query_log_chars"] == math.log1p(len(ASKED.text))
    assert features_of(AnswerFacts(), RequestFacts("messages", "auto"), {}) == {}


@given(answers, requests)
def test_every_feature_is_known_and_finite(answer, facts):
    found = features_of(answer, facts, {})
    assert all(map(is_feature, found))
    assert all(map(math.isfinite, found.values()))
    ahead = prefix_features_of(answer, facts, {}, 3)
    assert set(ahead) <= IN_PREFIX
    assert all(map(math.isfinite, ahead.values()))


def test_first_tokens_are_the_same_whatever_comes_after():
    begun = TokenEvidence((-0.5, -0.1, -0.3), (True, False, True), (0.9, 0.8, 0.7), (0.1, 0.2, 0.3))
    whole = TokenEvidence(
        (*begun.logprobs, -7.0), (*begun.is_content, True), (*begun.margins, 0.0), (*begun.entropies, 2.0)
    )
    early, late = (
        prefix_features_of(AnswerFacts(tokens=tokens, chars=n), ASKED, {}, 3) for n, tokens in enumerate((begun, whole))
    )
    assert early == late
    assert early["mean_logprob"] == pytest.approx(-0.3)
    assert (early["min_logprob"], early["min_margin"], early["max_entropy"]) == (-0.5, 0.7, 0.3)


def test_what_a_beginning_cannot_have_is_not_among_its_features():
    tokens = TokenEvidence((-0.5, -0.1), (True, True))
    answer = AnswerFacts(tokens=tokens, text="Yes", chars=3, finish_reason="stop", usage=Usage(output_tokens=2))
    found = prefix_features_of(answer, ASKED, {"p_true": 0.5, "predicted": 0.4}, 2)
    assert "predicted" in found
    assert not {"p_true", "answer=yes", "cut_short", "answer_log_tokens", "hedging"} & found.keys()


def test_fewer_tokens_than_the_prefix_are_no_prefix():
    assert prefix_features_of(AnswerFacts(tokens=TokenEvidence((-0.5,), (True,))), ASKED, {}, 2) == {}
    assert prefix_features_of(AnswerFacts(logprob_sum=-1.0, logprob_count=9), ASKED, {}, 2) == {}


@pytest.mark.parametrize(
    ("names", "evidence"),
    [
        ([], Evidence(logprobs=True)),
        (["query_log_chars", "cut_short", "sum_logprob"], Evidence(logprobs=True)),
        (["low_logprob"], Evidence(logprobs=True, tokens=True)),
        (["max_entropy"], Evidence(logprobs=True, alternatives=5, tokens=True)),
        (["hedging"], Evidence(logprobs=True, text=True)),
        (["agreement"], Evidence(logprobs=True, text=True)),
        (["answer=yes"], Evidence(logprobs=True, text=True)),
    ],
)
def test_what_is_asked_for_is_what_is_needed(names, evidence):
    assert evidence_for(names) == evidence


def test_names():
    assert all(map(is_feature, NAMES | {"answer=a", "answer=12", "answer=true"}))
    assert not any(map(is_feature, ["", "answer=", "answer=abc", "answer=A", "prefix.mean_logprob", "score"]))
    assert MEASURED < NAMES
    assert not any(name.startswith(PREFIX) for name in NAMES)


def test_a_sum_at_the_end_of_what_floats_hold_stays_itself():
    lowest = -1.7976931348623157e308
    found = features_of(AnswerFacts(logprob_sum=lowest, logprob_count=3), RequestFacts("chat.completions", "auto"), {})
    assert found["sum_logprob"] == lowest
    assert math.isfinite(found["mean_logprob"])
