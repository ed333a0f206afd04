import csv
import json

import pytest


def test_spend_rows_emitted_by_the_library(load):
    got = load("litellm_spend_logs.jsonl")
    assert got.result.read == 13
    assert len(got.decisions) == 13
    routed = [d for d in got.decisions.values() if d.get("policy") == "smart"]
    assert {d["tier"] for d in routed} == {"cheap", "capable"}
    for d in routed:
        assert (d["tier"] == "cheap") == (d["segment"]["router_tier"] in {"SIMPLE", "MEDIUM"})
        assert d["segment"]["tag.support"] == "yes"
        assert d["segment"]["product"] == "web"
        assert d["conversation_id"].startswith("session-")
        assert d["reason"] == "heuristic_scorer"
        assert "score" in d
        assert d["baseline_cost_usd"] >= d["cost_usd"] > 0
    assert {d["segment"]["intent"] for d in routed} == {"account", "billing"}
    failed = [d for d in got.decisions.values() if d["status"] == "error"]
    assert len(failed) == 1
    assert "tier" not in failed[0]
    assert got.result.tier_order == ("cheap", "capable")
    assert got.result.tier_source == "inferred"


def test_both_forms_of_a_call_are_the_same_decision(load):
    rows, payloads = load("litellm_spend_logs.jsonl").decisions, load("litellm_standard_payload.jsonl").decisions
    assert rows.keys() == payloads.keys()
    for identity, row in rows.items():
        for column in (
            "event_time",
            "tier",
            "model",
            "cost_usd",
            "baseline_cost_usd",
            "input_tokens",
            "segment",
            "policy_version",
            "score",
        ):
            assert row.get(column) == pytest.approx(payloads[identity].get(column)), column
    assert {d.get("user_id") for d in payloads.values()} >= {"user-0", "user-1", "user-2", "user-3"}


def test_csv_export_reads_like_json(load, tmp_path, fixtures):
    records = [json.loads(line) for line in (fixtures / "litellm_spend_logs.jsonl").read_text().splitlines()]
    with (tmp_path / "spend.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    assert load(tmp_path / "spend.csv").decisions == load("litellm_spend_logs.jsonl").decisions


def test_metadata_may_be_an_object_as_in_postgres(load, write, fixtures):
    records = [json.loads(line) for line in (fixtures / "litellm_spend_logs.jsonl").read_text().splitlines()]
    for record in records:
        for column in ("metadata", "request_tags"):
            record[column] = json.loads(record[column])
    assert load(write("pg.jsonl", *records)).decisions == load("litellm_spend_logs.jsonl").decisions


def test_internal_calls_are_no_traffic_and_their_spend_stays(load):
    got = load("litellm_internal_calls.jsonl")
    live = {k for k, d in got.decisions.items() if d["origin"] == "live"}
    assert live == {"r1", "r2", "r3", "r4", "f1", "c1"}
    # The classifier's own row (i1) is left out: its charge is named by r1's routing decision.
    assert {k: d["calls"][0]["purpose"] for k, d in got.decisions.items() if d["origin"] == "replay"} == {
        "i2": "shadow",
        "i3": "judge",
        "i4": "shadow",
    }
    r1 = got.decisions["r1"]
    assert r1["cost_usd"] == pytest.approx(0.0004)
    assert {c["purpose"]: c["cost_usd"] for c in r1["calls"]} == {"serve": 0.0003, "classify": 0.0001}
    assert got.result.reasons == {
        "excluded_internal_call": 3,
        "excluded_silent_experiment": 1,
        "naive_time": 1,
        "not_a_model_call": 1,
    }
    assert any("names no request" in note for note in got.result.notes)


def test_routing_columns(load):
    r1 = load("litellm_internal_calls.jsonl").decisions["r1"]
    assert (r1["confidence"], r1["confidence_kind"], r1["threshold"], r1["score"]) == (0.91, "calibrated", 0.7, 0.2)
    assert (r1["policy"], r1["policy_version"], r1["calibration_version"]) == ("smart", "f1", "cal-3")
    assert r1["baseline_cost_usd"] == pytest.approx(0.0003 + 0.0012)


def test_cached_answers_and_fallbacks(load):
    got = load("litellm_internal_calls.jsonl").decisions
    assert got["c1"]["baseline_cost_usd"] == got["c1"]["cost_usd"] == 0
    assert got["r4"]["status"] == "fallback"


def test_naive_times_are_read_with_the_zone_given(load):
    got = load("litellm_internal_calls.jsonl", timezone="Europe/Berlin")
    assert got.decisions["n1"]["event_time"] == "2026-11-22T11:00:11Z"
    assert "naive_time" not in got.result.reasons


def test_shadow_evaluation_becomes_pairs(load):
    got = load("litellm_internal_calls.jsonl", "litellm_shadow_attempts.jsonl", "litellm_shadow_jobs.jsonl")
    pairs = {s["decision_id"]: s for s in got.signals.values()}
    assert {k: (s["value"], s["reference_value"]) for k, s in pairs.items()} == {
        "r2": (1.0, 0.0),
        "r3": (0.5, 0.5),
        "r4": (0.0, 1.0),
    }
    for s in pairs.values():
        assert (s["kind"], s["name"], s["selection"], s["inclusion_probability"]) == (
            "judge",
            "preference",
            "sampled",
            0.2,
        )
    assert got.result.reasons["shadow_without_verdict"] == 1
    assert got.result.reasons["pair_within_one_tier"] == 1


def test_shadow_evaluation_cost_counts_once_and_apart_from_the_answer(load):
    r4 = load("litellm_internal_calls.jsonl", "litellm_shadow_attempts.jsonl").decisions["r4"]
    assert {c["purpose"]: c["cost_usd"] for c in r4["calls"]} == {"serve": 0.004, "shadow": 0.0002, "judge": 0.0009}
    assert r4["cost_usd"] == pytest.approx(0.0051)
    assert r4["baseline_cost_usd"] == pytest.approx(0.004)


def test_without_the_jobs_table_pairs_can_show_change_only(load):
    got = load("litellm_internal_calls.jsonl", "litellm_shadow_attempts.jsonl")
    assert {s["selection"] for s in got.signals.values()} == {"unknown"}


def test_patterns_may_name_the_routers_own_tiers(load):
    got = load(
        "litellm_spend_logs.jsonl",
        tier_models={"small": ("SIMPLE", "gpt-4o-mini", "openai/gpt-4o-mini"), "large": ("COMPLEX",)},
    )
    assert {d["tier"] for d in got.decisions.values() if "tier" in d} == {"small", "large"}
    assert got.result.tier_source == "mapped"


def test_no_text_is_kept(load):
    got = load("litellm_standard_payload.jsonl")
    assert "reset my password" not in got.result.decisions.read_text()
