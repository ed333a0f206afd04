"""What is read off a request that passes: models to tiers, headers to labels, and bounds."""

import pytest

from client_plan import Recorder
from undertow.adapters.wire.chat import ChatDialect
from undertow.client.observed import Observed, Surroundings, read_headers, tier_of_model
from undertow.records.serving import EndpointPlan, PolicyPlan, ServingPlan, TierPlan

TIERS = (
    TierPlan(name="cheap", model="gpt-mini", endpoints=(EndpointPlan(base_url="http://127.0.0.1:1/v1"),)),
    TierPlan(name="capable", model="gpt", endpoints=(EndpointPlan(base_url="http://127.0.0.1:1/v1"),)),
)
PLAN = ServingPlan(
    tiers=TIERS, policies=(PolicyPlan(name="auto", version="v", kind="fixed", tier="cheap", tiers=("cheap",)),)
)
BODY = b'{"model": "gpt", "messages": [{"role": "user", "content": "hi"}]}'


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("gpt-mini", "cheap"),
        ("gpt-mini-2026-01-01", "cheap"),
        ("gpt-2026-01-01", "capable"),
        ("openai/gpt-mini", "cheap"),
        ("gptx", None),
        ("", None),
        (None, None),
    ],
)
def test_a_model_belongs_to_the_tier_that_names_it_or_an_earlier_version(model, tier):
    assert tier_of_model(TIERS, model) == tier


def test_of_tiers_that_share_a_model_the_dearest_counts():
    assert tier_of_model((TIERS[1], TierPlan(name="dear", model="gpt", endpoints=())), "gpt") == "dear"


def test_headers_that_cannot_be_kept_are_left_out():
    labels, conversation, user = read_headers(
        [
            (b"X-Undertow-Segment-Intent", b"billing%20two"),
            (b"x-undertow-segment-bad", b"\xff"),
            (b"x-undertow-segment-long", b"x" * 513),
            (b"x-undertow-segment-", b"no key"),
            (b"x-undertow-segment-split", b"a%0ab"),
            (b"x-session-id", b"other tool"),
            (b"x-undertow-conversation-id", b"ours"),
            (b"x-undertow-user-id", b"u1"),
            (b"cookie", b"secret"),
        ]
    )
    assert (labels, conversation, user) == ({"intent": "billing two"}, "ours", "u1")
    many = [(b"x-undertow-segment-k%d" % n, b"v") for n in range(40)]
    assert len(read_headers(many)[0]) == 32


def observed(recorder, *, most_bytes=1_000, tier_of=None):
    around = Surroundings(PLAN, None, tier_of, b"x-tier", most_bytes)
    return Observed(around, recorder.sink, ChatDialect(), {"headers": []}, 1_772_366_400.25, 0.0)


def answer(watched, body, **headers):
    named = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    watched.sent({"type": "http.response.start", "status": 200, "headers": named})
    watched.ending({"type": "http.response.body", "body": body})


def test_a_body_that_is_too_long_is_recorded_and_not_kept():
    recorder = Recorder()
    watched = observed(recorder, most_bytes=10)
    watched.arrived({"type": "http.request", "body": BODY, "more_body": False})
    assert watched._request is None
    answer(watched, b"{}")
    [record] = recorder.records
    assert (record.status, record.requested_model, record.endpoint) == ("ok", None, "chat.completions")
    assert record.event_time == "2026-03-01T12:00:00.250Z"
    assert recorder.intents == []


def test_an_answer_that_is_too_long_is_recorded_without_tokens():
    recorder = Recorder()
    watched = observed(recorder, most_bytes=100)
    watched.arrived({"type": "http.request", "body": BODY, "more_body": False})
    answer(watched, b" " * 101)
    [record] = recorder.records
    assert (record.status, record.tier, record.input_tokens) == ("ok", "capable", None)


def test_a_record_is_written_once():
    recorder = Recorder()
    watched = observed(recorder)
    answer(watched, b"{}")
    watched.settle()
    assert len(recorder.records) == 1


def test_a_host_whose_function_fails_still_leaves_a_record():
    recorder = Recorder()
    watched = observed(recorder, tier_of=lambda *_: 1 / 0)
    watched.arrived({"type": "http.request", "body": BODY, "more_body": False})
    watched.sent({"type": "http.response.start", "status": 200, "headers": [(b"content-encoding", b"gzip")]})
    with pytest.raises(ZeroDivisionError):
        watched.ending({"type": "http.response.body", "body": b"..."})
    assert [(r.decision_id, r.status, r.error) for r in recorder.records] == [
        (watched.decision_id, "ok", "not_observed")
    ]
