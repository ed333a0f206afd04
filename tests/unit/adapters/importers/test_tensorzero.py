import uuid

import pytest

from undertow.adapters.importers.tensorzero import uuid7_time
from undertow.errors import LogError

TABLES = ("tensorzero_inferences.jsonl", "tensorzero_model_inferences.jsonl", "tensorzero_feedback.jsonl")
FIRST, SECOND = "0198e000-0000-7000-8000-000000000001", "0198e000-1000-7000-8000-000000000002"


def test_model_inferences_give_model_tokens_and_cost(load):
    got = load(*TABLES)
    first = got.decisions[FIRST]
    assert (first["model"], first["tier"], first["input_tokens"], first["cost_usd"]) == (
        "gpt-4o-mini",
        "cheap",
        100,
        0.00005,
    )
    assert first["segment"] == {"intent": "billing", "function": "support", "variant": "mini"}
    assert first["user_id"] == "user-1"
    assert got.decisions[SECOND]["tier"] == "capable"
    assert [c["purpose"] for c in first["calls"]] == ["serve"]
    assert got.decisions[SECOND]["baseline_cost_usd"] == 0.0008


def test_feedback_on_inference_and_on_episode(load):
    by_name = {s["name"]: s for s in load(*TABLES).signals.values()}
    assert (by_name["exact_match"]["decision_id"], by_name["exact_match"]["value"]) == (FIRST, 0.0)
    assert (by_name["user_rating"]["decision_id"], by_name["user_rating"]["kind"]) == (SECOND, "review")
    assert "elapsed_ms" not in by_name


def test_variants_stand_in_without_model_inferences(load):
    got = load(TABLES[0])
    assert {d["tier"] for d in got.decisions.values()} == {"mini", "large"}
    assert "export the ModelInference table" in next(
        m.hint for m in got.result.explanation.missing if m.column == "model"
    )


def test_variants_can_be_mapped(load):
    got = load(*TABLES, tier_models={"mini": (), "large": ()})
    assert {d["tier"] for d in got.decisions.values()} == {"mini", "large"}
    assert got.result.tier_source == "logged"


def test_times_of_uuids():
    assert uuid7_time(str(uuid.uuid4())) is None
    assert uuid7_time("nonsense") is None
    assert uuid7_time("ffffffff-ffff-7fff-bfff-ffffffffffff") is None


def test_comments_alone_say_what_is_missing(load, write):
    with pytest.raises(LogError, match="inference and metric feedback tables"):
        load(
            write("c.jsonl", {"id": FIRST, "target_id": FIRST, "target_type": "inference", "value": "nice", "tags": {}})
        )
