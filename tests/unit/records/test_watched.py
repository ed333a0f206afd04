"""Rows beside the log: a request's text shows up in no error or log."""

from undertow.records.watched import AnswerPair, SampledText, ShadowRequest


def test_a_shadow_request_is_shown_without_its_text():
    request = ShadowRequest(
        decision_id="d", event_time="2026-03-01T12:00:00.000Z", endpoint="chat.completions", tier="cheap",
        inclusion_probability=0.1, stratum="tail", body=b"secret", prompt="secret", answer="secret",
    )  # fmt: skip
    assert repr(request) == "ShadowRequest('d')"


def test_so_are_the_rows_that_hold_texts():
    given = {
        "decision_id": "d", "event_time": "2026-03-01T12:00:00.000Z", "tier": "cheap", "inclusion_probability": 0.1,
        "stratum": "tail", "prompt": "secret", "answer": "secret",
    }  # fmt: skip
    assert repr(SampledText(**given)) == "SampledText('d')"
    pair = AnswerPair(
        **given, answered_at="2026-03-01T12:00:01.000Z", reference_tier="capable", reference_answer="secret"
    )
    assert repr(pair) == "AnswerPair('d')"
