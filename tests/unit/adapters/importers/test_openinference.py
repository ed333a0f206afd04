from undertow.adapters.importers.openinference import annotations_of


def test_spans_emitted_by_the_instrumentation(load):
    got = load("otlp_openinference_traces.jsonl")
    assert len(got.decisions) == 5
    for d in got.decisions.values():
        assert d["user_id"].startswith("user-")
        assert d["requested_model"] in {"gpt-4o", "gpt-4o-mini"}
        if d["status"] == "ok":
            assert d["model"].startswith(d["requested_model"] + "-20")
            assert (d["input_tokens"], d["output_tokens"], d["finish_reason"]) == (97, 52, "stop")


def test_trace_annotations_count_once_each_for_the_traces_model_call(load):
    got = load("otlp_openinference_traces.jsonl")
    reviews = [s for s in got.signals.values() if s["name"] == "helpful"]
    assert [(s["kind"], s["source"]) for s in reviews] == [("review", "human")] * 4
    assert {s["decision_id"] for s in reviews} <= got.decisions.keys()
    assert sorted(s["value"] for s in reviews) == [0.0, 0.0, 1.0, 1.0]


def test_later_feedback_is_about_the_linked_span(load):
    (late,) = [s for s in load("otlp_openinference_traces.jsonl").signals.values() if s["name"] == "accuracy"]
    assert (late["decision_id"], late["kind"], late["value"]) == ("2" * 16, "judge", 1.0)


def phoenix(number, kind="LLM", **attributes):
    return {
        "name": "x", "context": {"trace_id": "t", "span_id": f"s{number}"}, "span_kind": kind, "parent_id": None, "start_time": f"2026-08-01T12:00:0{number}+00:00",
        "end_time": f"2026-08-01T12:00:0{number}.500+00:00", "status_code": "OK", "attributes": attributes, "events": [],
    }  # fmt: skip


def test_phoenix_json_flat_and_nested(load, write):
    flat = phoenix(
        1,
        **{
            "llm.model_name": "gpt-4o",
            "llm.token_count.prompt": 5,
            "session.id": "c",
            "metadata": '{"intent": "billing"}',
        },
    )
    nested = phoenix(
        2,
        llm={"model_name": "gpt-4o-mini", "token_count": {"prompt": 5, "completion": 6}, "cost": {"total": 0.5}},
        session={"id": "c"},
    )
    nested["annotations"] = [{"name": "helpful", "annotator_kind": "CODE", "result": {"score": 1, "label": None}}]
    got = load(write("x.jsonl", flat, nested, phoenix(3, kind="TOOL")))
    assert got.decisions["s1"]["segment"] == {"intent": "billing"}
    assert (
        got.decisions["s2"]["output_tokens"],
        got.decisions["s2"]["cost_usd"],
        got.decisions["s2"]["conversation_id"],
    ) == (6, 0.5, "c")
    (check,) = got.signals.values()
    assert (check["decision_id"], check["source"]) == ("s2", "check.code")


def test_data_frame_rows(load, write):
    row = {
        "context.span_id": "s1",
        "context.trace_id": "t",
        "span_kind": "LLM",
        "start_time": "2026-08-01 12:00:00",
        "end_time": "2026-08-01 12:00:01",
        "status_code": "OK",
        "attributes.llm.model_name": "gpt-4o",
        "attributes.llm.token_count.prompt": 119.0,
        "attributes.session.id": None,
    }
    found = load(write("x.jsonl", row)).decisions["s1"]
    assert (found["input_tokens"], found["event_time"], found["latency_ms"]) == (119, "2026-08-01T12:00:00Z", 1000.0)


def test_both_spellings_of_annotations():
    found = annotations_of(
        {
            "evaluations.1.evaluation.label": "good",
            "session.annotations.0.annotation.score": 1,
            "annotations.x.annotation.score": 1,
        }
    )
    assert found == [("span", {"label": "good"}), ("session", {"score": 1})]
