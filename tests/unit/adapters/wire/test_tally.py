import pytest

from undertow.adapters.wire.tally import AnswerTally

TOOLS = {"look_up": ("order",)}


@pytest.mark.parametrize(
    ("fill", "empty", "tools_only"),
    [
        (lambda tally: tally.add_text(""), True, False),
        (lambda tally: tally.add_text(" \n"), True, False),
        (lambda tally: tally.add_text("a"), False, False),
        (lambda tally: tally.add_refusal("no"), False, False),
        (lambda tally: setattr(tally, "has_other", True), False, False),
        (lambda tally: tally.add_call(TOOLS, "look_up", "{}"), False, True),
        (lambda tally: tally.add_call_piece(0, "look_up", None), False, True),
        (lambda tally: (tally.add_text("a"), tally.add_call(TOOLS, "look_up", "{}")), False, False),
    ],
)
def test_what_is_empty_and_what_is_tool_calls_alone(fill, empty, tools_only):
    tally = AnswerTally()
    fill(tally)
    facts = tally.facts(TOOLS, None)
    assert (facts.is_empty, facts.is_tool_calls_only) == (empty, tools_only)


def test_one_bad_call_makes_all_invalid():
    tally = AnswerTally()
    assert tally.facts(TOOLS, None).are_tool_calls_valid is None
    tally.add_call(TOOLS, "look_up", '{"order": 1}')
    assert tally.facts(TOOLS, None).are_tool_calls_valid is True
    tally.add_call(TOOLS, "invented", "{}")
    tally.add_call(TOOLS, "look_up", '{"order": 1}')
    facts = tally.facts(TOOLS, None)
    assert facts.are_tool_calls_valid is False
    assert facts.tool_names == ("look_up", "invented", "look_up")


def test_calls_in_pieces_are_put_together_by_their_keys():
    tally = AnswerTally()
    tally.add_call_piece(0, "look_up", '{"or')
    tally.add_call_piece(1, "look_up", None)
    assert tally.facts(TOOLS, None).are_tool_calls_valid is False
    tally.add_call_piece(0, None, 'der": 1}')
    tally.add_call_piece(1, None, '{"order": 2}')
    facts = tally.facts(TOOLS, None)
    assert facts.are_tool_calls_valid is True
    assert facts.tool_names == ("look_up", "look_up")
    assert tally.chars == 24


def test_a_call_without_arguments_is_valid_where_the_format_means_none_by_it():
    tally = AnswerTally()
    tally.add_call_piece(0, "now", None)
    assert tally.facts({"now": ()}, None).are_tool_calls_valid is False
    assert tally.facts({"now": ()}, None, no_arguments="{}").are_tool_calls_valid is True


def test_free_form_calls_need_no_json():
    tally = AnswerTally()
    tally.add_call({"sql": ()}, "sql", "SELECT 1", is_free_form=True)
    assert tally.facts({}, None).are_tool_calls_valid is True


def test_text_is_kept_only_when_asked():
    for keeps, text in ((False, None), (True, "ab")):
        tally = AnswerTally(keeps_text=keeps)
        tally.add_text("a")
        tally.add_text("b")
        tally.add_text("other choice", is_kept=False)
        assert tally.facts({}, None).text == text


def test_no_tokens_mean_no_log_probability():
    tally = AnswerTally()
    assert tally.facts({}, None).logprob_sum is None
    tally.add_logprobs(0.0, 2)
    assert tally.facts({}, None).logprob_sum == 0.0
