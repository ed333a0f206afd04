from undertow.ports.wire import AnswerFormat, OfferedTool, ReadRequest, WireError
from undertow.records.request import RequestFacts


def test_a_request_that_breaks_the_format_is_the_callers_mistake_unless_said_otherwise():
    error = WireError("messages: expected a list, not a string", param="messages", code="wrong_type")
    assert (error.status, error.param, error.code) == (400, "messages", "wrong_type")
    assert str(error) == error.message == "messages: expected a list, not a string"
    assert WireError("too long", status=413).status == 413


def test_a_request_demands_and_offers_nothing_unless_it_says_so():
    read = ReadRequest(facts=RequestFacts(endpoint="messages", requested_model="auto"), fields={})
    assert (read.answer_format, dict(read.tools), read.top_logprobs, read.wants_logprobs) == (None, {}, 0, False)
    assert not OfferedTool().schema
    assert not AnswerFormat().schema
