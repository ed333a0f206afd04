import msgspec
import pytest

from undertow.adapters.wire.tally import AnswerTally
from undertow.records.answer import NO_EVIDENCE, Evidence, TokenEvidence
from wire_samples import CHAT, LOOK_UP, asked, dumps, tokens

REQUEST = asked(CHAT, tools=[{"type": "function", "function": tool} for tool in (LOOK_UP, {"name": "now"})])


def tally_of(evidence=NO_EVIDENCE, **fields):
    return AnswerTally(asked(CHAT, **fields) if fields else REQUEST, evidence)


def raw(value):
    return msgspec.Raw(dumps(value))


@pytest.mark.parametrize(
    ("fill", "empty", "tools_only"),
    [
        (lambda tally: tally.add_text(""), True, False),
        (lambda tally: tally.add_text(" \n"), True, False),
        (lambda tally: tally.add_text("a"), False, False),
        (lambda tally: tally.add_refusal("no"), False, False),
        (lambda tally: setattr(tally, "has_other", True), False, False),
        (lambda tally: tally.add_call("look_up", "{}"), False, True),
        (lambda tally: tally.add_call_piece(0, "look_up", None), False, True),
        (lambda tally: (tally.add_text("a"), tally.add_call("look_up", "{}")), False, False),
    ],
)
def test_what_is_empty_and_what_is_tool_calls_alone(fill, empty, tools_only):
    tally = tally_of()
    fill(tally)
    facts = tally.facts(None)
    assert (facts.is_empty, facts.is_tool_calls_only) == (empty, tools_only)


def test_one_bad_call_makes_all_invalid():
    tally = tally_of()
    assert tally.facts(None).are_tool_calls_valid is None
    tally.add_call("look_up", '{"order": "1"}')
    assert tally.facts(None).are_tool_calls_valid is True
    tally.add_call("invented", "{}")
    tally.add_call("look_up", '{"order": "1"}')
    facts = tally.facts(None)
    assert facts.are_tool_calls_valid is False
    assert facts.tool_names == ("look_up", "invented", "look_up")


def test_calls_in_pieces_are_put_together_by_their_keys():
    tally = tally_of()
    tally.add_call_piece(0, "look_up", '{"or')
    tally.add_call_piece(1, "look_up", None)
    assert tally.facts(None).are_tool_calls_valid is False
    tally.add_call_piece(0, None, 'der": "1"}')
    tally.add_call_piece(1, None, '{"order": "2"}')
    facts = tally.facts(None)
    assert facts.are_tool_calls_valid is True
    assert facts.tool_names == ("look_up", "look_up")
    assert tally.chars == 28


def test_a_call_without_arguments_is_valid_where_the_format_means_none_by_it():
    tally = tally_of()
    tally.add_call_piece(0, "now", None)
    assert tally.facts(None).are_tool_calls_valid is False
    assert tally.facts(None, no_arguments="{}").are_tool_calls_valid is True


def test_free_form_calls_need_no_json():
    tally = tally_of(tools=[{"type": "custom", "custom": {"name": "sql"}}])
    tally.add_call("sql", "SELECT 1", is_free_form=True)
    assert tally.facts(None).are_tool_calls_valid is True


def test_text_is_kept_only_when_asked():
    for keeps, text in ((False, None), (True, "ab")):
        tally = tally_of(Evidence(text=keeps))
        tally.add_text("a")
        tally.add_text("b")
        tally.add_text("other choice", is_kept=False)
        assert tally.facts(None).text == text


def test_no_tokens_mean_no_log_probability():
    tally = tally_of(Evidence(tokens=True))
    assert (tally.facts(None).logprob_sum, tally.facts(None).tokens) == (None, None)
    tally.add_choice_logprobs(raw(tokens(0, 0)))
    assert tally.facts(None).logprob_sum == 0.0


def test_tokens_are_kept_only_when_asked():
    for evidence, kept in (
        (Evidence(logprobs=True), None),
        (Evidence(tokens=True), TokenEvidence((-0.5, -0.25), (True, True))),
    ):
        tally = tally_of(evidence)
        tally.add_choice_logprobs(raw(tokens(-0.5)))
        tally.add_token_logprobs(raw(tokens(-0.25)["content"]))
        assert (tally.facts(None).tokens, tally.facts(None).logprob_sum) == (kept, -0.75)


def test_text_without_log_probabilities_leaves_the_sum_and_no_tokens():
    tally = tally_of(Evidence(tokens=True))
    tally.add_choice_logprobs(raw(tokens(-0.5)))
    tally.miss_logprobs()
    tally.add_choice_logprobs(raw(tokens(-0.5)))
    assert (tally.facts(None).tokens, tally.facts(None).logprob_sum) == (None, -1.0)


def test_one_tally_may_take_the_log_probabilities_of_another():
    first, second = tally_of(Evidence(tokens=True)), tally_of(Evidence(tokens=True))
    first.add_choice_logprobs(raw(tokens(-0.5)))
    second.miss_logprobs()
    second.take_logprobs(first)
    assert second.facts(None) == first.facts(None)


def test_the_format_is_told_of_whole_answers_without_calls():
    def valid(text, *, is_whole=True, call=False):
        tally = tally_of(response_format={"type": "json_object"})
        tally.add_text(text)
        if call:
            tally.add_call("now", "{}")
        facts = tally.facts(None, is_whole=is_whole)
        assert facts.text is None
        return facts.is_format_valid

    assert (valid("{}"), valid("{"), valid("")) == (True, False, False)
    assert valid("{}", is_whole=False) is None
    assert valid("", call=True) is None
    assert tally_of().facts(None).is_format_valid is None
