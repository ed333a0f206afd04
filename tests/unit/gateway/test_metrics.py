import pytest
from prometheus_client.parser import text_string_to_metric_families

from undertow.gateway.metrics import Metrics
from undertow.gateway.runtime import Runtime, Supervision, write_supervision
from undertow.gateway.tallies import SEPARATOR, InForce, Restricted
from undertow.records.decision import Call, DecisionRecord
from undertow.records.sampling import Drawn

SERVED = DecisionRecord(
    decision_id="d", event_time="2026-01-01T00:00:00.000Z", policy="auto", tier="capable", status="ok", reason="unsure",
    escalated=True, confidence=0.4, latency_ms=300.0, ttft_ms=120.0, baseline_cost_usd=0.5,
    calls=(
        Call(tier="cheap", input_tokens=10, output_tokens=2, cost_usd=0.25, status="discarded"),
        Call(tier="capable", input_tokens=10, output_tokens=4, cost_usd=0.5),
    ),
)  # fmt: skip


@pytest.fixture
def runtime(tmp_path):
    return Runtime.within(str(tmp_path), "", worker_number=0, workers=1, generation=1)


def lines(metrics, **options):
    return metrics.exposition(**options).decode().splitlines()


def test_a_record_is_counted_where_it_belongs(runtime):
    metrics = Metrics(runtime, 1)
    metrics.tallies.add(SERVED)
    metrics.tallies.add(SERVED)
    shown = lines(metrics)
    assert 'undertow_requests_total{policy="auto",reason="unsure",status="ok",tier="capable"} 2.0' in shown
    assert 'undertow_escalations_total{policy="auto",reason="unsure"} 2.0' in shown
    assert 'undertow_cost_usd_total{kind="served",tier="capable"} 1.0' in shown
    assert 'undertow_cost_usd_total{kind="wasted",tier="cheap"} 0.5' in shown
    assert 'undertow_tokens_total{direction="output",tier="capable"} 8.0' in shown
    assert 'undertow_request_duration_seconds_bucket{le="0.25",policy="auto",tier="capable"} 0.0' in shown
    assert 'undertow_request_duration_seconds_bucket{le="0.5",policy="auto",tier="capable"} 2.0' in shown
    assert 'undertow_request_duration_seconds_count{policy="auto",tier="capable"} 2.0' in shown
    assert 'undertow_request_duration_seconds_sum{policy="auto",tier="capable"} 0.6' in shown
    assert "undertow_baseline_cost_usd_total 1.0" in shown


def test_workers_are_summed_and_those_that_ended_still_count(runtime):
    one, two = Metrics(runtime, 1), Metrics(runtime, 2)
    for metrics in (one, two):
        metrics.tallies.add(SERVED)
        metrics.tallies.gauges.in_flight = 3
        metrics.tallies.gauges.at = 1000.0
        metrics.write()
    assert "undertow_requests_in_flight 6.0" in lines(one, now_s=1001.0)
    late = lines(two, now_s=2000.0)
    assert 'undertow_requests_total{policy="auto",reason="unsure",status="ok",tier="capable"} 2.0' in late
    assert "undertow_requests_in_flight 0.0" in late


def test_what_is_exposed_is_what_prometheus_reads_and_says_how_the_processes_fare(runtime):
    metrics = Metrics(runtime, 1)
    metrics.tallies.add(SERVED)
    metrics.tallies.add_signals("feedback", "accepted", 3)
    metrics.tallies.add_refusal("team", "rate")
    write_supervision(runtime.runtime_dir, Supervision(keeper_up=True, workers=2, worker_deaths=1))
    families = {family.name: family for family in text_string_to_metric_families(metrics.exposition().decode())}
    assert all(name.startswith("undertow_") for name in families)
    assert families["undertow_worker_deaths"].samples[0].value == 1
    assert families["undertow_keeper_up"].samples[0].value == 1
    assert families["undertow_keeper_age_seconds"].samples[0].value == -1
    assert families["undertow_signals"].samples[0].labels == {"kind": "feedback", "outcome": "accepted"}
    assert families["undertow_key_refusals"].samples[0].labels == {"key": "team", "why": "rate"}


def test_thresholds_in_force_are_shown_and_none_is_infinite(runtime):
    metrics = Metrics(runtime, 1)
    metrics.tallies.gauges.at = 1000.0
    key = SEPARATOR.join
    metrics.tallies.in_force = {
        key(("auto", "cheap", "*")): InForce(0.93),
        key(("auto", "cheap", "billing")): InForce(None, is_void=True, is_suspect=True),
    }
    shown = lines(metrics, now_s=1000.0)
    assert 'undertow_threshold{group="*",policy="auto",tier="cheap"} 0.93' in shown
    assert 'undertow_threshold{group="billing",policy="auto",tier="cheap"} +Inf' in shown
    assert 'undertow_certificate_void{group="*",policy="auto",tier="cheap"} 0.0' in shown
    assert 'undertow_certificate_void{group="billing",policy="auto",tier="cheap"} 1.0' in shown
    assert 'undertow_calibration_suspect{policy="auto",tier="cheap"} 1.0' in shown


def test_restricted_segments_beyond_the_strictest_are_one_series(runtime):
    metrics = Metrics(runtime, 1)
    metrics.tallies.gauges.at = 1000.0
    metrics.tallies.restricted = {
        SEPARATOR.join(("auto", f"user={number:04}")): Restricted(
            number / 1000, raised_by=0.1 if number == 700 else 0.0
        )
        for number in range(1000)
    }
    metrics.tallies.restricted[SEPARATOR.join(("auto", "*"))] = Restricted(1.0)
    metrics.tallies.restricted[SEPARATOR.join(("second", "user=1"))] = Restricted(0.25)
    shown = lines(metrics, now_s=1000.0)
    exposure = [line for line in shown if line.startswith("undertow_exposure{")]
    assert len(exposure) == 200 + len(("*", "other")) + len(("second",))
    assert 'undertow_exposure{policy="auto",segment="*"} 1.0' in exposure
    assert 'undertow_exposure{policy="auto",segment="user=0199"} 0.199' in exposure
    assert 'undertow_exposure{policy="auto",segment="other"} 0.2' in exposure
    assert 'undertow_exposure{policy="second",segment="user=1"} 0.25' in exposure
    assert 'undertow_threshold_raised_by{policy="auto",segment="other"} 0.1' in shown


def test_commits_races_and_self_checks_are_counted(runtime):
    metrics = Metrics(runtime, 1)
    calls = (Call(tier="cheap", purpose="self_check"), Call(tier="capable", purpose="race", status="cancelled"))
    metrics.tallies.add(DecisionRecord(decision_id="d", event_time="t", policy="auto", committed_tokens=3, calls=calls))
    shown = lines(metrics)
    for name in ("commits", "races", "races_cancelled", "self_checks"):
        assert f'undertow_{name}_total{{policy="auto"}} 1.0' in shown


def test_draws_are_counted_by_purpose_and_whether_they_chose(runtime):
    metrics = Metrics(runtime, 1)
    draws = (Drawn("review", "tail", 0.5, chosen=True), Drawn("shadow", "tail", 0.5, chosen=False))
    metrics.tallies.add(DecisionRecord(decision_id="d", event_time="t", draws=draws))
    metrics.tallies.add_lost_text("redaction")
    metrics.tallies.shadows_shed = 2
    shown = lines(metrics)
    assert 'undertow_draws_total{chosen="yes",purpose="review"} 1.0' in shown
    assert 'undertow_draws_total{chosen="no",purpose="shadow"} 1.0' in shown
    assert 'undertow_drawn_texts_lost_total{why="redaction"} 1.0' in shown
    assert "undertow_shadows_shed_total 2.0" in shown


def test_no_label_holds_an_id(runtime):
    metrics = Metrics(runtime, 1)
    metrics.tallies.add(SERVED)
    assert '"d"' not in metrics.exposition().decode()
