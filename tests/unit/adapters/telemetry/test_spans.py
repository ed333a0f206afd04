import pytest

from undertow.adapters.telemetry.spans import MAX_CALLS, MAX_CHARS, provider_of, spans_of
from undertow.records.decision import Call, DecisionRecord

PROVIDERS = {"cheap": "openai", "capable": "anthropic"}
START_NS = 1_767_225_600_000_000_000


def record(**given):
    return DecisionRecord(
        **{
            "decision_id": "d1",
            "event_time": "2026-01-01T00:00:00.000Z",
            "conversation_id": "c1",
            "segment": {"intent": "billing"},
            "policy": "auto",
            "policy_version": "v1",
            "arm": "treatment",
            "tier": "capable",
            "first_tier": "cheap",
            "requested_model": "auto",
            "model": "large-2026",
            "escalated": True,
            "reason": "unsure",
            "confidence": 0.4,
            "input_tokens": 10,
            "output_tokens": 20,
            "cost_usd": 0.002,
            "latency_ms": 300.0,
            "ttft_ms": 210.0,
            "status": "ok",
            "finish_reason": "stop",
            "endpoint": "chat.completions",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "span_id": "b7ad6b7169203331",
            "parent_span_id": "00f067aa0ba902b7",
            "prompt": "secret prompt",
            "response": "secret answer",
            "calls": (
                Call(
                    tier="cheap", model="small", input_tokens=10, output_tokens=5, latency_ms=100.0, status="discarded"
                ),
                Call(
                    tier="capable",
                    model="large-2026",
                    cached_tokens=4,
                    reasoning_tokens=7,
                    latency_ms=190.0,
                    cost_usd=0.001,
                ),
            ),
            **given,
        }
    )


def test_a_decision_is_a_span_in_the_callers_trace_with_a_child_for_each_call():
    own, *calls = spans_of(record(), PROVIDERS)
    assert (own.trace_id, own.span_id, own.parent_span_id) == (
        0x0AF7651916CD43DD8448EB211C80319C,
        0xB7AD6B7169203331,
        0x00F067AA0BA902B7,
    )
    assert (own.name, own.kind, own.is_error) == ("chat auto", "server", False)
    assert (own.start_ns, own.end_ns) == (START_NS, START_NS + 300_000_000)
    assert [(call.name, call.kind, call.parent_span_id) for call in calls] == [
        ("chat small", "client", own.span_id),
        ("chat large-2026", "client", own.span_id),
    ]
    assert len({own.span_id, *(call.span_id for call in calls)}) == 3
    assert [(call.start_ns - START_NS, call.end_ns - START_NS) for call in calls] == [
        (0, 100_000_000),
        (100_000_000, 290_000_000),
    ]


def test_attributes_have_the_names_of_the_conventions():
    own, cheap, capable = (span.attributes for span in spans_of(record(), PROVIDERS))
    assert own["gen_ai.operation.name"] == "chat"
    assert own["gen_ai.provider.name"] == "anthropic"
    assert own["gen_ai.request.model"] == "auto"
    assert own["gen_ai.response.model"] == "large-2026"
    assert own["gen_ai.response.finish_reasons"] == ("stop",)
    assert own["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.21)
    assert (own["gen_ai.usage.input_tokens"], own["gen_ai.usage.output_tokens"]) == (10, 20)
    assert (own["gen_ai.usage.cache_read.input_tokens"], own["gen_ai.usage.reasoning.output_tokens"]) == (4, 7)
    assert own["gen_ai.conversation.id"] == "c1"
    assert own["undertow.decision.id"] == "d1"
    assert (own["undertow.tier"], own["undertow.policy"], own["undertow.policy.version"]) == ("capable", "auto", "v1")
    assert (own["undertow.confidence"], own["undertow.escalated"], own["undertow.reason"]) == (0.4, True, "unsure")
    assert (own["undertow.arm"], own["undertow.cost_usd"]) == ("treatment", 0.002)
    assert own["undertow.segment.intent"] == "billing"
    assert "error.type" not in own
    assert (cheap["undertow.call.status"], cheap["gen_ai.provider.name"]) == ("discarded", "openai")
    assert capable["undertow.cost_usd"] == 0.001


def test_neither_prompt_nor_answer_is_exported():
    assert "secret" not in repr(spans_of(record(), PROVIDERS))


@pytest.mark.parametrize(
    ("status", "error", "error_type", "is_error"),
    [
        ("error", "timeout", "timeout", True),
        ("error", None, "error", True),
        ("refused", "unknown_model", "unknown_model", False),
        ("abandoned", None, "abandoned", False),
        ("fallback", None, None, False),
    ],
)
def test_failures_have_a_type(status, error, error_type, is_error):
    own, *_ = spans_of(record(status=status, error=error), PROVIDERS)
    assert own.attributes.get("error.type") == error_type
    assert own.is_error == is_error


def test_a_failed_call_says_how():
    (_, call) = spans_of(record(calls=(Call(tier="cheap", status="http_503", latency_ms=5.0),)), PROVIDERS)
    assert call.is_error
    assert call.attributes["error.type"] == "http_503"


def test_calls_that_ran_side_by_side_stay_within_the_decision():
    own, *calls = spans_of(
        record(calls=(Call(tier="cheap", latency_ms=290.0), Call(tier="capable", latency_ms=250.0))), PROVIDERS
    )
    assert all(own.start_ns <= call.start_ns <= call.end_ns <= own.end_ns for call in calls)


@pytest.mark.parametrize("bad", [None, "0" * 32, "nonsense", "zz" * 16])
def test_without_usable_ids_they_come_from_the_decision(bad):
    one, two, other = (
        spans_of(record(decision_id=name, trace_id=bad, span_id=bad, parent_span_id=bad), PROVIDERS)[0]
        for name in ("d1", "d1", "d2")
    )
    assert (one.trace_id, one.span_id) == (two.trace_id, two.span_id) != (other.trace_id, other.span_id)
    assert one.parent_span_id is None


def test_what_a_caller_can_make_long_is_cut():
    own, *calls = spans_of(record(requested_model="m" * 9_999, calls=(Call(tier="cheap"),) * 999), PROVIDERS)
    assert len(own.attributes["gen_ai.request.model"]) == MAX_CHARS
    assert len(calls) == MAX_CALLS


def test_a_bare_record_has_a_span():
    (own,) = spans_of(DecisionRecord(decision_id="d", event_time="2026-01-01T00:00:00.000Z"), {})
    assert (own.name, own.start_ns, own.end_ns) == ("chat", START_NS, START_NS)


def test_what_was_passed_on_is_no_chat():
    own, *_ = spans_of(record(endpoint="embeddings", calls=None), PROVIDERS)
    assert own.name == "embeddings auto"


def test_a_record_without_a_time_is_refused():
    with pytest.raises(ValueError):
        spans_of(record(event_time="soon"), PROVIDERS)


@pytest.mark.parametrize(
    ("url", "kind", "provider"),
    [
        ("https://api.anthropic.com/v1", "anthropic", "anthropic"),
        ("https://me.openai.azure.com/openai/v1", "openai", "azure.ai.openai"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com/v1", "openai", "aws.bedrock"),
        ("https://notapi.mistral.ai.example/v1", "openai", "openai"),
        ("http://[::1]:8000/v1", "openai", "openai"),
    ],
)
def test_the_provider_is_told_by_the_host(url, kind, provider):
    assert provider_of(url, kind) == provider
