import pytest

from undertow.errors import LogError


def test_replay_records(load):
    got = load("vllm_sr_replay.jsonl")
    assert {k: d["tier"] for k, d in got.decisions.items()} == {"v1": "cheap", "v2": "capable"}
    v1 = got.decisions["v1"]
    assert (
        v1["cost_usd"],
        v1["baseline_cost_usd"],
        v1["confidence"],
        v1["segment"]["router_tier"],
        v1["segment"]["category"],
    ) == (0.0001, 0.002, 0.8, "1", "billing")
    assert got.result.reasons == {"unfinished": 1}
    assert {m.price_source for m in got.result.explanation.tiers} == {"log"}


def test_outcomes_are_signals(load):
    found = sorted(load("vllm_sr_replay.jsonl").signals.values(), key=lambda s: s["event_time"])
    assert [(s["decision_id"], s["kind"], s["value"]) for s in found] == [("v1", "thumb", 0.0), ("v1", "judge", 1.0)]


def test_the_log_line_cannot_be_audited(load, write):
    with pytest.raises(LogError, match="router_replay"):
        load(
            write(
                "x.jsonl",
                {"msg": "routing_decision", "original_model": "auto", "selected_model": "m", "request_id": "r"},
            )
        )
