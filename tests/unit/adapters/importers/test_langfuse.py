import json

import pytest

TABLES = ("langfuse_observations.jsonl", "langfuse_traces.jsonl", "langfuse_scores.jsonl")


def test_three_tables_join(load):
    got = load(*TABLES)
    assert set(got.decisions) == {"o1", "o2", "o3", "o4"}
    o1 = got.decisions["o1"]
    assert (o1["user_id"], o1["conversation_id"], o1["tier"], o1["prompt_hash"], o1["latency_ms"], o1["ttft_ms"]) == (
        "user-1",
        "session-1",
        "cheap",
        "support@7",
        2500.0,
        400.0,
    )
    assert o1["segment"] == {
        "intent": "billing",
        "tag.support": "yes",
        "plan": "pro",
        "route": "smart",
        "environment": "production",
        "trace_name": "chat",
    }
    assert "someone@example.com" not in got.result.decisions.read_text()
    assert got.decisions["o3"]["status"] == "error"
    assert "tier" not in got.decisions["o3"]
    assert "cost_usd" not in got.decisions["o3"]  # Langfuse's 0 without details is an unknown cost


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_order_of_files_does_not_matter(load, order):
    assert load(*[TABLES[i] for i in order], format="langfuse").decisions == load(*TABLES).decisions


def test_the_latest_version_of_an_observation_counts(load):
    got = load(*TABLES)
    assert got.decisions["o2"]["cost_usd"] == 0.001
    assert got.decisions["o2"]["input_tokens"] == 100  # 60 fresh + 40 cached
    assert got.result.reasons["duplicate_record"] == 1


def test_scores_on_observation_trace_and_session(load):
    got = load(*TABLES)
    by_name = {s["name"]: s for s in got.signals.values()}
    assert (by_name["user-feedback"]["decision_id"], by_name["user-feedback"]["kind"]) == (
        "o2",
        "thumb",
    )  # last model call of t1
    assert (by_name["accuracy"]["decision_id"], by_name["accuracy"]["kind"]) == ("o1", "review")
    assert by_name["resolved"]["conversation_id"] == "session-2"
    assert "decision_id" not in by_name["resolved"]
    assert got.result.reasons["score_is_text"] == 1
    assert got.result.reasons["score_out_of_scale"] == 1


def test_a_rule_gives_scores_their_scale(load):
    from undertow.adapters.importers import parse_mapping

    got = load(
        *TABLES,
        mapping=parse_mapping(
            {"signals": {"stars": {"kind": "rating", "scale": [1, 5]}, "accuracy": {"selection": "census"}}}
        ),
    )
    by_name = {s["name"]: s for s in got.signals.values()}
    assert (by_name["stars"]["value"], by_name["stars"]["kind"], by_name["stars"]["decision_id"]) == (
        1.0,
        "rating",
        "o4",
    )
    assert by_name["accuracy"]["selection"] == "census"


def test_parquet(load):
    lines, parquet = load("langfuse_observations.jsonl").decisions, load("langfuse_observations.parquet").decisions
    assert lines.keys() == parquet.keys()
    for identity, row in parquet.items():
        assert row["event_time"] == lines[identity]["event_time"]
        assert row.get("tier") == lines[identity].get("tier")


def test_api_names_and_pages(load, write):
    page = {
        "data": [
            {
                "id": "a",
                "traceId": "t",
                "type": "GENERATION",
                "startTime": "2026-08-01T12:00:00.000Z",
                "endTime": "2026-08-01T12:00:01.000Z",
                "providedModelName": "gpt-4o",
                "usageDetails": {"input": 3, "output": 4},
                "costDetails": {"total": "0.5"},
                "totalCost": "0.5",
                "userId": "u",
                "sessionId": "c",
                "tags": ["x"],
                "level": "DEFAULT",
            }
        ],
        "meta": {"page": 1},
    }
    found = load(write("x.jsonl", page)).decisions["a"]
    assert (found["cost_usd"], found["user_id"], found["conversation_id"], found["segment"]) == (
        0.5,
        "u",
        "c",
        {"tag.x": "yes"},
    )


def test_trace_download_counts_each_observation_once(load, tmp_path, fixtures):
    observations = [json.loads(line) for line in (fixtures / TABLES[0]).read_text().splitlines()]
    trace = {
        "id": "t1",
        "sessionId": "c",
        "userId": "u",
        "metadata": '{"intent": "billing"}',
        "tags": [],
        "observations": observations,
        "scores": [
            {
                "id": "z",
                "name": "helpful",
                "value": 1,
                "dataType": "BOOLEAN",
                "source": "API",
                "timestamp": "2026-08-01T13:00:00Z",
            }
        ],
    }
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({"trace": trace, "observations": observations}, indent=2))
    got = load(path)
    assert set(got.decisions) == {"o1", "o2", "o3", "o4"}
    assert got.decisions["o1"]["user_id"] == "u"
    assert len(got.signals) == 1
