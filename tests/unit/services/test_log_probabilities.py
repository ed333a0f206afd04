import pytest

from undertow.ports.upstream import UpstreamFailedError
from undertow.ports.wire import ReadRequest
from undertow.records.answer import NO_EVIDENCE, Evidence
from undertow.records.request import RequestFacts
from undertow.services.log_probabilities import (
    REMEMBERED_S,
    LogProbabilityRefusals,
    caller_asked,
    names_log_probabilities,
    without_log_probabilities,
)

ASKED = Evidence(logprobs=True, alternatives=5, tokens=True, text=True)


@pytest.mark.parametrize(
    ("status", "body", "is_refusal"),
    [
        (400, b'{"error": {"message": "Unsupported parameter", "param": "logprobs"}}', True),
        (422, b'{"detail": [{"loc": ["body", "top_logprobs"]}]}', True),
        (400, b'{"error": {"message": "too long"}}', False),
        (401, b'{"error": {"param": "logprobs"}}', False),
        (500, b'{"error": {"param": "logprobs"}}', False),
        (400, b"", False),
    ],
)
def test_only_an_error_about_them_refuses_log_probabilities(status, body, is_refusal):
    assert names_log_probabilities(UpstreamFailedError("status", status=status, body=body)) is is_refusal


def test_what_failed_otherwise_refused_nothing():
    assert not names_log_probabilities(UpstreamFailedError("timeout", body=b"logprobs"))


def test_a_tier_is_remembered_by_itself_and_for_a_while():
    refusals = LogProbabilityRefusals()
    refusals.note("cheap", 100.0)
    assert refusals.granted("cheap", ASKED, 100.0 + REMEMBERED_S - 1) == Evidence(text=True)
    assert refusals.granted("other", ASKED, 100.0) == ASKED
    assert refusals.granted("cheap", ASKED, 100.0 + REMEMBERED_S) == ASKED
    assert refusals.granted("cheap", ASKED, 100.0) == ASKED, "forgotten once the time was up"


def test_who_asks_for_none_gets_what_was_asked_for():
    refusals = LogProbabilityRefusals()
    refusals.note("cheap", 0.0)
    assert refusals.granted("cheap", NO_EVIDENCE, 1.0) is NO_EVIDENCE
    assert without_log_probabilities(NO_EVIDENCE) == NO_EVIDENCE


@pytest.mark.parametrize("field", ["logprobs", "top_logprobs"])
def test_a_callers_own_fields_are_seen(field):
    facts = RequestFacts("chat.completions", "auto")
    assert caller_asked(ReadRequest(facts, {field: b"false"}))
    assert caller_asked(ReadRequest(facts, {}, wants_logprobs=True))
    assert not caller_asked(ReadRequest(facts, {"messages": b"[]"}))
