"""The figures of the streaming benchmark, from records made by hand: what counts as committed, wrong and wasted."""

import sys
from pathlib import Path

import pytest

KEYS = {"criterion", "bar", "bar_value", "measured", "interval", "n", "seed", "comparator", "ok"}
OWN = {"cascade", "gateway", "report"}


@pytest.fixture
def bench(monkeypatch):
    """The benchmark's own modules, imported from where they stand."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from cascade import streaming

    yield streaming
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]


def call(tier, status, tokens, purpose="serve"):
    return {"tier": tier, "purpose": purpose, "status": status, "output_tokens": tokens}


def run(bench, tier, *calls, ttft_s=1.0, is_good=True, committed=None):
    record = {"tier": tier, "escalated": tier == "capable", "calls": list(calls)}
    if committed is not None:
        record["committed_tokens"] = committed
    return bench.Streamed(ttft_s, 2.0, "", record, is_good)


def runs(bench, mode):
    """Three requests of a mode: one served cheaply, one served cheaply and wrongly, one escalated."""
    early = 8 if mode == "commit" else None
    ttft_s = 0.5 if mode == "commit" else 1.0
    rival = call("capable", "ok", 20, "race" if mode == "race" else "serve")
    return [
        run(bench, "cheap", call("cheap", "ok", 20), ttft_s=ttft_s, committed=early),
        run(bench, "cheap", call("cheap", "ok", 20), ttft_s=ttft_s, committed=early, is_good=False),
        run(bench, "capable", call("cheap", "discarded", 30), rival, ttft_s=ttft_s),
    ]


def test_every_figure_of_every_mode_has_its_entry(bench):
    report = bench.Report(1)
    bench.add_figures(report, {mode: runs(bench, mode) for mode in bench.MODES}, 0.1, is_full=True)
    assert all(set(entry) == KEYS for entry in report.results)
    found = {entry["criterion"]: entry for entry in report.results}
    assert len(found) == len(report.results)
    assert found["streaming commit: median time to first token over hold"]["measured"] == 0.5
    assert found["streaming commit: median time to first token over hold"]["ok"] is True
    assert found["streaming commit: share of requests committed early"]["measured"] == pytest.approx(2 / 3, abs=1e-5)
    assert found["streaming commit: wrong commits, of those committed"]["measured"] == 0.5
    assert found["streaming commit: wrong commits, of those committed"]["n"] == 2
    for mode in bench.MODES:
        assert found[f"streaming {mode}: output tokens wasted a request"]["measured"] == 10.0
        assert found[f"streaming {mode}: share escalated"]["measured"] == pytest.approx(1 / 3, abs=1e-5)
        wrong = found[f"streaming {mode}: served cheaply and not what the capable tier says, of all requests"]
        assert wrong["measured"] == pytest.approx(1 / 3, abs=1e-5)
        assert wrong["ok"] is True  # one of three is not shown to lie above a tenth


def test_committed_and_raced_requests_are_compared_with_the_same_questions_held(bench):
    report = bench.Report(1)
    bench.add_paired(report, {mode: runs(bench, mode) for mode in bench.MODES})
    commit, race = report.results
    assert (commit["measured"], commit["n"]) == (0.5, 2)
    assert (race["measured"], race["n"]) == (1.0, 1)
    bench.add_paired(report, {mode: runs(bench, "hold") for mode in bench.MODES})
    assert [(entry["measured"], entry["n"]) for entry in report.results[2:]] == [(None, 0), (None, 0)]


def test_a_loss_that_lies_beyond_the_margin_is_missed(bench):
    report = bench.Report(1)
    wrong = [run(bench, "cheap", call("cheap", "ok", 20), is_good=False) for _ in range(20)]
    bench.add_figures(report, {"hold": wrong}, 0.1, is_full=True)
    assert report.missed() == ["streaming hold: served cheaply and not what the capable tier says, of all requests"]


def test_what_was_cancelled_or_failed_is_wasted_too(bench):
    one = run(
        bench, "cheap", call("cheap", "ok", 20), call("capable", "cancelled", 7, "race"), call("capable", "cut", None)
    )
    assert one.wasted_tokens == 7
    assert one.is_raced


def test_without_the_model_the_entry_is_there_and_nothing_is_measured(bench, monkeypatch):
    monkeypatch.setattr(bench, "is_installed", lambda: False)
    (entry,) = bench.measure(quick=True)
    assert (entry["measured"], entry["n"], entry["ok"]) == (None, 0, None)


def test_questions_are_the_same_for_the_same_seed_and_differ_in_what_they_are_about(bench):
    texts = [query.text for query in bench.draw_questions(200, 5)]
    assert texts == [query.text for query in bench.draw_questions(200, 5)]
    assert texts != [query.text for query in bench.draw_questions(200, 6)]
    assert len(set(texts)) > 150


@pytest.mark.parametrize(
    ("cheap", "capable", "same"),
    [
        ("It is free. You asked: Is it free?", "It is  FREE. You asked: May I?", True),
        ("Yes, it is free.", "Yes, it is free. You asked: Is it free?", True),
        ("It is not free. You asked: Is it free?", "It is free. You asked: Is it free?", False),
    ],
)
def test_replies_agree_where_their_answers_do(bench, cheap, capable, same):
    from cascade.shop_questions import agree

    assert agree(cheap, capable) is same
