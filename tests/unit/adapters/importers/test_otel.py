import pytest

from undertow.adapters.importers.otel import recognise_openrouter
from undertow.errors import LogError


def test_broadcast(load):
    got = load("openrouter_broadcast.jsonl")
    assert {d["model"]: d["tier"] for d in got.decisions.values()} == {
        "openai/gpt-4o-mini": "cheap",
        "openai/gpt-4o": "capable",
    }
    for d in got.decisions.values():
        assert (d["user_id"], d["conversation_id"], d["segment"]) == ("user-1", "session-1", {"intent": "billing"})
        assert d["latency_ms"] == 1500.0
    assert sorted(d["cost_usd"] for d in got.decisions.values()) == [0.00005, 0.0008]


@pytest.mark.parametrize(
    "row",
    [
        {"date": "2026-08-01", "model": "m", "requests": 5, "usage": 0.1},
        {"date": "2026-08-01", "model": "m", "requests": 5, "prompt_tokens": 1},
    ],
)
def test_activity_is_recognised_and_refused_with_the_way_out(load, write, row):
    assert recognise_openrouter(row)
    with pytest.raises(LogError, match=r"daily totals.*Broadcast"):
        load(write("activity.jsonl", row))


def test_metrics_alone(load, write):
    with pytest.raises(LogError, match="export traces"):
        load(write("m.jsonl", {"resourceMetrics": []}))


def test_openinference_and_genai_spans_in_one_file(load, write, fixtures):
    import json

    lines = [
        json.loads(line)
        for name in ("otlp_genai_traces.jsonl", "otlp_openinference_traces.jsonl")
        for line in (fixtures / name).read_text().splitlines()
    ]
    assert len(load(write("x.jsonl", *lines), format="otel").decisions) == 10
