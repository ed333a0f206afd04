"""Rows beside the log: a request's text shows up in no error or log."""

from undertow.records.watched import ShadowRequest


def test_a_shadow_request_is_shown_without_its_text():
    request = ShadowRequest(
        decision_id="d", event_time="2026-03-01T12:00:00.000Z", endpoint="chat.completions", tier="cheap",
        inclusion_probability=0.1, stratum="tail", body=b"secret", prompt="secret", answer="secret",
    )  # fmt: skip
    assert repr(request) == "ShadowRequest('d')"
