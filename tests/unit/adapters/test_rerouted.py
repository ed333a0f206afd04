"""What would have been: costs, labels and eligibility follow the other decision, and nothing else moves."""

import duckdb
import pytest

from undertow.adapters.rerouted import reroute
from undertow.records.columns import DECISION_COLUMNS, SIGNAL_COLUMNS
from undertow.records.replayed import Rerouting


def write(engine, path, columns, rows):
    names = [column.name for column in columns]
    engine.execute(f"CREATE OR REPLACE TABLE t ({', '.join(f'{c.name} {c.sql_type}' for c in columns)})")
    for row in rows:
        engine.execute(
            f"INSERT INTO t ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)})",
            [row[name] for name in row if name in names],
        )
    engine.execute(f"COPY t TO '{path}' (FORMAT parquet)")


@pytest.fixture
def log(tmp_path):
    def decision(i, tier, reason, confidence, cost, **more):
        base = {
            "decision_id": f"d{i}", "event_time": "2026-03-01 00:00:00", "tier": tier, "reason": reason, "confidence": confidence,
            "cost_usd": cost, "baseline_cost_usd": 4.0, "arm": "treatment", "eligible": True, "policy": "auto", "mode": "route", "first_tier": "cheap",
        }  # fmt: skip
        return base | more

    rows = [
        decision(0, "cheap", "confident", 0.75, 1.0),
        decision(1, "cheap", "confident", 0.95, 1.0, segment={"intent": "fraud"}),
        decision(2, "capable", "unsure", 0.6, 5.0, escalated=True),
        decision(3, "capable", "holdout", None, 4.0, arm="holdout", segment={"intent": "fraud"}),
        decision(4, "capable", "constraint", None, 4.0, eligible=False),
    ]
    said = [
        {"signal_id": f"s{i}", "event_time": "2026-03-02 00:00:00", "decision_id": f"d{i % 5}", "kind": "review", "name": "accuracy",
         "value": 0.0, "reference_value": 1.0 if i == 5 else None, "inclusion_probability": 0.5, "selection": "sampled"}
        for i in range(6)
    ]  # fmt: skip
    engine = duckdb.connect()
    write(engine, tmp_path / "d.parquet", DECISION_COLUMNS, rows)
    write(engine, tmp_path / "s.parquet", SIGNAL_COLUMNS, said)
    engine.close()
    (tmp_path / "out").mkdir()
    return tmp_path


def run(log, rule, **more):
    rerouted = reroute(log / "d.parquet", log / "s.parquet", rule, log / "out", **more)
    engine = duckdb.connect()
    columns = "decision_id, tier, reason, eligible, escalated, cost_usd, threshold"
    decisions = engine.execute(f"SELECT {columns} FROM read_parquet('{log}/out/decisions.parquet')").fetchall()
    columns = "signal_id, value, reference_value, inclusion_probability"
    signals = engine.execute(f"SELECT {columns} FROM read_parquet('{log}/out/signals.parquet') ORDER BY 1").fetchall()
    engine.close()
    return rerouted, {row[0]: row[1:] for row in decisions}, {row[0]: row[1:] for row in signals}


def test_a_higher_threshold_withholds_what_is_below_it_and_pays_for_both(log):
    rerouted, decisions, signals = run(log, Rerouting("capable", policy="auto", threshold=0.9))
    assert (rerouted.decisions, rerouted.moved_up, rerouted.moved_down) == (5, 1, 0)
    assert decisions["d0"] == ("capable", "unsure", True, True, 5.0, 0.9)
    assert decisions["d1"][0] == "cheap"
    assert signals.keys() == {
        "s1",
        "s2",
        "s3",
        "s4",
        "s5",
    }  # the label of the answer that is not served any more is gone
    assert signals["s5"][:2] == (1.0, 0.0)  # a pair knows both


def test_a_lower_threshold_serves_what_was_withheld_and_saves_the_dear_answer(log):
    rerouted, decisions, signals = run(log, Rerouting("capable", policy="auto", threshold=0.55))
    assert (rerouted.moved_up, rerouted.moved_down) == (0, 1)
    assert decisions["d2"] == ("cheap", "confident", True, False, 1.0, 0.55)
    assert "s2" not in signals


def test_a_label_that_is_never_cheap_is_not_eligible_in_either_arm(log):
    _, decisions, _ = run(log, Rerouting("capable", never_cheap=("intent=fraud",)))
    assert decisions["d1"][:4] == ("capable", "constraint", False, False)
    assert decisions["d1"][4] == 4.0  # the cheap tier was not asked
    assert decisions["d3"][:3] == ("capable", "holdout", False)
    assert decisions["d0"][:3] == ("cheap", "confident", True)


def test_the_other_policy_of_a_log_is_left_alone(log):
    rerouted, decisions, _ = run(log, Rerouting("capable", policy="other", threshold=0.9))
    assert rerouted.moved_up == 1  # no decision names that policy: all are of it
    rerouted, decisions, _ = run(log, Rerouting("capable", policy="auto", threshold=None, never_cheap=("a=b",)))
    assert (rerouted.moved_up, decisions["d0"][0]) == (0, "cheap")


def test_a_smaller_budget_keeps_its_share_and_corrects_the_probability(tmp_path):
    engine = duckdb.connect()
    decision = {"decision_id": "d0", "event_time": "2026-03-01 00:00:00", "tier": "cheap"}
    write(engine, tmp_path / "d.parquet", DECISION_COLUMNS, [decision])
    said = {"event_time": "2026-03-02 00:00:00", "decision_id": "d0", "kind": "review", "name": "accuracy", "value": 1.0, "inclusion_probability": 0.5}  # fmt: skip
    write(engine, tmp_path / "s.parquet", SIGNAL_COLUMNS, [said | {"signal_id": f"s{i}"} for i in range(2000)])
    engine.close()
    (tmp_path / "out").mkdir()
    rerouted, _, signals = run(tmp_path, Rerouting("capable"), keep_reviews=0.25)
    assert rerouted.reviews_left_out + len(signals) == 2000
    assert abs(len(signals) - 500) < 4 * (2000 * 0.25 * 0.75) ** 0.5
    assert {p for _, _, p in signals.values()} == {0.125}
