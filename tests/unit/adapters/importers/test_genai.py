import json


def test_traces_emitted_by_the_instrumentation(load):
    got = load("otlp_genai_traces.jsonl")
    assert len(got.decisions) == 5
    assert got.result.reasons == {"not_a_model_call": 5}
    served = [d for d in got.decisions.values() if d["status"] == "ok"]
    assert {d["model"]: d["tier"] for d in served} == {
        "gpt-4o-mini-2024-07-18": "cheap",
        "gpt-4o-2024-11-20": "capable",
    }
    for d in served:
        # The user, the session and the label stand on the parent span.
        assert d["user_id"].startswith("user-")
        assert d["conversation_id"].startswith("session-")
        assert d["segment"]["intent"] in {"account", "billing"}
        assert d["segment"]["service"] == "support-bot"
        assert (d["input_tokens"], d["output_tokens"]) == (97, 52)
        assert d["model_fingerprint"] == "fp_fixture"
        assert d["latency_ms"] > 0
        assert d["cost_usd"] > 0
    failed = [d for d in got.decisions.values() if d["status"] == "error"]
    assert len(failed) == 1
    assert "tier" not in failed[0]


def test_cost_prices_cached_tokens_once(load):
    cheap = next(d for d in load("otlp_genai_traces.jsonl").decisions.values() if d.get("tier") == "cheap")
    assert cheap["cost_usd"] == round((77 * 0.15 + 20 * 0.075 + 52 * 0.6) * 1e-6, 12)


def test_evaluations_find_their_call_by_response_id(load):
    got = load("otlp_genai_traces.jsonl", "otlp_genai_logs.jsonl")
    assert sorted(s["value"] for s in got.signals.values()) == [0.0, 0.25, 0.5, 0.75]
    assert {s["decision_id"] for s in got.signals.values()} <= got.decisions.keys()
    assert {(s["kind"], s["name"], s["selection"]) for s in got.signals.values()} == {("judge", "relevance", "unknown")}


def test_a_call_that_is_both_span_and_event_counts_once(load):
    both = load("otlp_genai_traces.jsonl", "otlp_genai_logs.jsonl")
    assert both.decisions == load("otlp_genai_traces.jsonl").decisions
    assert both.result.reasons["duplicate_record"] == 5


def test_logs_alone_are_enough(load):
    alone = load("otlp_genai_logs.jsonl").decisions
    assert len(alone) == 5
    assert all("latency_ms" not in d for d in alone.values())


def span(number, attributes, *, parent=None, trace="t1", kind=3):
    listed = [
        {
            "key": k,
            "value": {"intValue": str(v)}
            if isinstance(v, int) and not isinstance(v, bool)
            else {"boolValue": v}
            if isinstance(v, bool)
            else {"doubleValue": v}
            if isinstance(v, float)
            else {"stringValue": v},
        }
        for k, v in attributes.items()
    ]
    start = 1_785_585_600_000_000_000 + number * 1_000_000_000
    return {
        "traceId": trace,
        "spanId": f"s{number}",
        "parentSpanId": parent,
        "name": "chat",
        "kind": kind,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 500_000_000),
        "attributes": listed,
    }


def request(*spans):
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": list(spans)}]}]}


def test_a_gateway_and_a_client_that_report_one_call_count_once(load, write):
    inner = span(
        2,
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.id": "r",
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.usage.output_tokens": 5,
        },
        parent="s1",
    )
    outer = span(
        1,
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "auto",
            "gen_ai.response.model": "gpt-4o",
            "gen_ai.response.id": "r",
            "undertow.tier": "capable",
            "undertow.confidence": 0.4,
            "undertow.escalated": True,
        },
    )
    got = load(write("x.jsonl", request(inner, outer)))
    assert list(got.decisions) == ["s1"]
    assert (got.decisions["s1"]["tier"], got.decisions["s1"]["confidence"], got.decisions["s1"]["escalated"]) == (
        "capable",
        0.4,
        True,
    )


def test_old_dialects(load, write):
    old = span(
        1,
        {
            "gen_ai.system": "openai",
            "llm.request.type": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.prompt_tokens": 7,
            "gen_ai.usage.completion_tokens": 3,
            "traceloop.association.properties.session_id": "c",
            "traceloop.association.properties.intent": "billing",
        },
    )
    found = load(write("x.jsonl", request(old))).decisions["s1"]
    assert (found["input_tokens"], found["output_tokens"], found["conversation_id"], found["segment"]) == (
        7,
        3,
        "c",
        {"intent": "billing"},
    )


def test_tools_agents_and_embeddings_are_no_decisions(load, write):
    spans = [
        span(n, {"gen_ai.operation.name": op, "gen_ai.request.model": "gpt-4o"})
        for n, op in enumerate(["embeddings", "execute_tool", "invoke_agent", "create_agent", "chat"])
    ]
    got = load(write("x.jsonl", request(*spans)))
    assert len(got.decisions) == 1
    assert got.result.reasons == {"not_a_model_call": 4}


def test_evaluation_as_a_span_event(load, write):
    call = span(1, {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"})
    call["events"] = [
        {
            "name": "gen_ai.evaluation.result",
            "timeUnixNano": "1785585601000000000",
            "attributes": [
                {"key": "gen_ai.evaluation.name", "value": {"stringValue": "faithful"}},
                {"key": "gen_ai.evaluation.score.label", "value": {"stringValue": "pass"}},
            ],
        }
    ]
    (found,) = load(write("x.jsonl", request(call))).signals.values()
    assert (found["decision_id"], found["name"], found["value"]) == ("s1", "faithful", 1.0)


def test_prompts_are_not_kept(load):
    got = load("otlp_genai_traces.jsonl")
    assert "charge" not in json.dumps(list(got.decisions.values()))
