"""`make bench-gateway` writes one entry for every figure that was asked for, met or not, whatever could be measured."""

import json
import sys
from pathlib import Path

import pytest

KEYS = {"criterion", "bar", "bar_value", "measured", "interval", "n", "seed", "comparator", "ok"}


@pytest.fixture
def bench(monkeypatch):
    """The benchmark's own modules, imported from where they stand."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import bench_gateway

    yield bench_gateway
    for name in [name for name in sys.modules if name == "bench_gateway" or name.partition(".")[0] == "gateway"]:
        del sys.modules[name]


def everything(figures, *, undertow_us=50.0, rounds=5, requests=100_000, kills=50):
    """Measurements of a gateway that reaches all bars at the default."""

    def cpu(us):
        return figures.Cpu(1000, (us,) * rounds, (us * 0.9,) * rounds, 35.0, 1000.0)

    lanes = {
        ("whole", "nginx"): 10.0,
        ("whole", "undertow"): undertow_us,
        ("whole", "litellm"): 10_000.0,
        ("stream", "nginx"): 100.0,
        ("stream", "undertow"): undertow_us * 6,
        ("stream", "undertow_hold"): undertow_us * 6,
        ("stream", "litellm"): 30_000.0,
        ("stream_unpaced", "nginx"): 50.0,
        ("stream_unpaced", "undertow"): undertow_us * 3,
        ("whole_tls", "nginx"): 20.0,
        ("whole_tls", "undertow"): undertow_us * 1.5,
    }
    step = requests // 10
    return figures.Measured(
        cpu={lane: cpu(us) for lane, us in lanes.items()},
        latency=figures.Latency(
            {"direct": [50.0] * 1000, "undertow": [50.5] * 985 + [52.0] * 15},
            {"direct": [50.0] * 500, "undertow": [50.6] * 500},
        ),
        memory=figures.Memory(
            tuple((step * number, 50_000_000) for number in range(1, 11)), 200_000_000, requests, requests, 5.0
        ),
        log=figures.Log((3.0, 4.0, 3.5), 6.0, 100_000, kills, 0, 123_456, 5000.0),
        imports=figures.Imports((0.07,) * 5, (0.01,) * 5, (0.09,) * 5, (0.2,) * 5),
        versions={"nginx": "1.22.1", "litellm": "1.0", "undertow": "0.1.0", "httpx": "0.28.1"},
    )


def by_criterion(document):
    return {entry["criterion"]: entry for entry in document["results"]}


def test_all_figures_are_there_with_nothing_measured_at_all(bench):
    full = bench.report(everything(bench.figures), "command")
    empty = bench.report(bench.figures.Measured(notes={"litellm": "not installed"}), "command")
    assert set(by_criterion(full)) == set(by_criterion(empty))
    assert all(entry.keys() >= KEYS for entry in full["results"] + empty["results"])
    assert {entry["ok"] for entry in empty["results"]} == {None}
    assert all(entry["measured"] is None for entry in empty["results"])
    assert json.loads(json.dumps(full, allow_nan=False)) == full
    assert bench.figures.table(empty["results"]).count("\n") >= len(empty["results"])


def test_figures_that_reach_their_bars_are_met_and_shown_ones_are_neither(bench):
    for entry in bench.report(everything(bench.figures), "command")["results"]:
        is_shown = entry["bar_value"] is None
        assert entry["ok"] is (None if is_shown else "aim" not in entry["bar"]), entry


def test_a_gateway_that_takes_too_much_processor_time_misses_both_comparisons(bench):
    found = by_criterion(bench.report(everything(bench.figures, undertow_us=200.0), "command"))
    assert found["CPU a request, not streamed, over nginx"]["measured"] == pytest.approx(20)
    assert found["CPU a request, not streamed, over nginx"]["ok"] is False
    assert found["CPU of a LiteLLM proxy over Undertow, not streamed"]["ok"] is False


def test_small_numbers_give_no_verdict(bench):
    document = bench.report(everything(bench.figures, rounds=2, requests=5_000, kills=2), "command")
    found = by_criterion(document)
    for criterion in (
        "CPU a request, not streamed, over nginx",
        "memory of a worker after 100,000 requests, MB",
        "growth of a worker between 20,000 and 100,000 requests, MB",
        "records lost in 50 kill -9 at 5,000 records a second",
    ):
        assert found[criterion]["ok"] is None
        assert found[criterion]["measured"] is not None


def test_a_worker_that_grows_and_a_decision_that_is_missing_are_misses(bench):
    measured = everything(bench.figures)
    samples = tuple((10_000 * number, 40_000_000 + 500_000 * number) for number in range(1, 11))
    measured.memory = bench.figures.Memory(samples, 200_000_000, 100_001, 100_000, 5.0)
    found = by_criterion(bench.report(measured, "command"))
    assert found["growth of a worker between 20,000 and 100,000 requests, MB"]["measured"] == pytest.approx(4.0)
    assert found["growth of a worker between 20,000 and 100,000 requests, MB"]["ok"] is False
    assert found["requests of that run without their decision in `undertow audit`"]["ok"] is False


def test_the_mock_answers_as_the_bars_say(bench):
    from gateway import load, mock

    assert len(mock.whole_answer()) == pytest.approx(3300, rel=0.05)
    assert len(mock.stream_events()) == 35
    assert len(load.request_body(1, "auto", stream=False, seed=0)) == pytest.approx(1600, rel=0.05)
