import subprocess
import sys

from undertow.gateway.metrics import Metrics
from undertow.records.decision import Call, DecisionRecord

SERVED = DecisionRecord(
    decision_id="d", event_time="2026-01-01T00:00:00.000Z", policy="auto", tier="capable", status="ok", reason="unsure",
    escalated=True, confidence=0.4, latency_ms=300.0, ttft_ms=120.0, baseline_cost_usd=0.5,
    calls=(
        Call(tier="cheap", input_tokens=10, output_tokens=2, cost_usd=0.25, status="discarded"),
        Call(tier="capable", input_tokens=10, output_tokens=4, cost_usd=0.5),
    ),
)  # fmt: skip


def lines(metrics):
    return [line for line in metrics.exposition().decode().splitlines() if not line.startswith("#")]


def test_a_record_is_counted_where_it_belongs():
    metrics = Metrics()
    metrics.observe(SERVED)
    metrics.observe(SERVED)
    shown = lines(metrics)
    assert 'undertow_requests_total{policy="auto",reason="unsure",status="ok",tier="capable"} 2.0' in shown
    assert 'undertow_escalations_total{policy="auto",reason="unsure"} 2.0' in shown
    assert 'undertow_cost_usd_total{kind="served",tier="capable"} 1.0' in shown
    assert 'undertow_cost_usd_total{kind="wasted",tier="cheap"} 0.5' in shown
    assert 'undertow_tokens_total{direction="output",tier="capable"} 8.0' in shown
    assert 'undertow_request_duration_seconds_bucket{le="0.5",policy="auto",tier="capable"} 2.0' in shown
    assert 'undertow_time_to_first_token_seconds_bucket{le="0.1",policy="auto",tier="capable"} 0.0' in shown
    assert "undertow_baseline_cost_usd_total 1.0" in shown


def test_a_refused_request_is_counted_without_a_tier():
    metrics = Metrics()
    metrics.observe(DecisionRecord(decision_id="d", event_time="t", status="refused", reason="refused"))
    assert 'undertow_requests_total{policy="none",reason="refused",status="refused",tier="none"} 1.0' in lines(metrics)


def test_no_label_holds_an_id_or_a_caller_s_word():
    metrics = Metrics()
    metrics.observe(SERVED)
    metrics.count_signals("feedback", "accepted", 3)
    metrics.count_refusal("team", "rate")
    text = metrics.exposition().decode()
    assert "decision_id" not in text
    assert 'undertow_signals_total{kind="feedback",outcome="accepted"} 3.0' in text
    assert 'undertow_key_refusals_total{key="team",why="rate"} 1.0' in text


def test_workers_are_summed(tmp_path):
    code = (
        "from undertow.gateway.metrics import Metrics; m = Metrics(); m.log_lost.set(2); m.count_signals('feedback', 'accepted', 1);"
        "print(m.exposition().decode())"
    )
    env = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PATH": ""}
    for _ in range(2):
        out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert 'undertow_signals_total{kind="feedback",outcome="accepted"} 2.0' in out
    assert "undertow_log_lost_records 4.0" in out
