"""The detection benchmark's steered designs: an entry for every figure that was asked for, and simulations that do as they say."""

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from undertow.simulation.story import scenario
from undertow.simulation.story_judged import Returns

KEYS = {"criterion", "bar", "bar_value", "measured", "interval", "n", "seed", "comparator", "ok"}
OWN = {"detection", "report", "detection_end_to_end", "drawn_logs"}


@pytest.fixture
def part(monkeypatch):
    """Imports a part of the benchmark from where it stands; its jobs run in this process."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))

    def _part(name):
        module = import_module(f"detection.{name}")
        if hasattr(module, "in_processes"):
            monkeypatch.setattr(module, "in_processes", lambda function, jobs: [function(job) for job in jobs])
        return module

    yield _part
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]


@pytest.fixture
def report(part):
    part("common")
    return import_module("report").Report(1, never=10**6)


def criteria(report):
    assert all(set(entry) == KEYS for entry in report.results)
    return {str(entry["criterion"]): entry for entry in report.results}


def test_rows_have_their_bars_and_few_runs_no_verdict(part, report):
    part("steered_rows").bench_steered_rows(report, 12, 12, quick=True)
    entries = criteria(report)
    for design, bars in (("f", (10, 13, 4, 7, 9, 16)), ("f2", (8, 10, 3, 4, 5, 10)), ("g", (7, 9, 2, 4, 4, 8))):
        named = [f"({design}) {s}: {q} days at 3600" for s in ("story", "half", "slice") for q in ("median", "p90")]
        assert tuple(entries[name]["bar_value"] for name in named) == bars
        assert f"({design}) false alarms in 180 healthy days at 7200" in entries
    assert all(entry["ok"] is None for entry in report.results)


def test_every_fault_is_counted_for_its_designs(part, report):
    faults = part("steered_faults")
    few = tuple(fault for fault in faults.FAULTS if "reviewers" in fault.name or "window" in fault.name)
    faults.FAULTS = tuple(replace(fault, designs=(faults.F,)) for fault in few)
    faults.bench_faults(report, 4, 4, quick=True)
    entries = criteria(report)
    assert len(few) == 3
    for fault in few:
        bar = entries[f"(f) false alarms in 180 healthy days; {fault.name}"]["bar_value"]
        assert bar == (0.05 if fault.holds else None)
    assert "(e) false alarms in 180 healthy days; judge flags 4 points more good answers from day 30" in entries


def test_the_gap_is_taken_apart_into_all_its_steps(part, report):
    gap = part("gap")
    gap.DESIGNS = (gap.C, gap.F)
    gap.LOSSES = ("half",)
    gap.bench_gap(report, 15, quick=True)
    entries = criteria(report)
    assert "(c) half: information bound, days" in entries
    assert sum(name.startswith("(f) half: days between") for name in entries) == len(gap.STEPS)
    assert sum(name.startswith("(c) half: days between") for name in entries) == len(gap.STEPS) - 1


def test_late_labels_are_all_counted_once_their_window_has_closed(part):
    steered = part("steered")
    returns = Returns((0.5, 0.3, 0.2), (0.1, 0.2, 0.7))
    counts = {}
    for closes in (False, True):
        world = steered.World(returns=returns, window_closes=closes)
        design = replace(steered.G, rounds=3)
        trace = steered.simulate(
            design, "half", 20, np.random.default_rng(1), world=world, healthy_run=True, record=True
        )
        quiet = trace.days[7200.0] >= 180  # a run that has alarmed is over
        assert quiet.any()
        counts[closes] = trace.counts[:, quiet]
    labels = {closes: c[:, :, 1].sum(-1).mean(1) for closes, c in counts.items()}
    assert labels[True][:2].sum() == 0.0, "nothing counts before the window has closed"
    assert labels[False][0] > 0.0
    for closes in (False, True):
        assert labels[closes][10:100].mean() == pytest.approx(180.0, rel=0.02)


def test_steered_labels_are_as_many_as_unsteered_ones_and_see_the_loss_sooner(part):
    steered = part("steered")
    model = scenario("half")
    still = replace(steered.F, steer=lambda seen, base, labels: steered.steer_to_top(seen, base, labels, line=np.inf))
    traces = [steered.simulate(d, "half", 60, np.random.default_rng(2), record=True) for d in (steered.F, still)]
    assert traces[0].counts[0, :, 1].sum(-1).mean() == pytest.approx(140.0, abs=1.0)
    assert traces[1].extra_share == 0.0
    steered_days, plain_days = (np.median(t.delays(3600.0, model.onset_day)) for t in traces)
    assert steered_days <= 5 < plain_days
