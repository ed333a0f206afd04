"""Planned delays against the simulation of the steered designs: the same labels, another account of them.

The benchmark knows the baseline, so the plan is given a long one. Its loss lies in one slice only: the worst segment of the scenario, with the
share of new failures that the scenario brings there.
"""

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from undertow.records.power import Design, PlannedLoss
from undertow.services.power import delay
from undertow.simulation.story import baseline, scenario

LONG = 120
RUNS = 300
# docs/benchmarks.md, "With a judge, steering, and pairs": rows (f) and (f) side by side at the product's line.
PRINTED = {("half", 0.5): 4, ("slice", 0.5): 8, ("half", 0.8): 2, ("slice", 0.8): 5}


@pytest.fixture
def steered(monkeypatch):
    """The benchmark's simulation, as it stands beside the package."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    yield import_module("detection.steered")
    for name in [name for name in sys.modules if name.partition(".")[0] == "detection"]:
        del sys.modules[name]


def planned(name, sensitivity):
    """The default design of a plan, with the rates of the scenario's worst segment, and what happens there."""
    model = scenario(name)
    place, before = model.worst_segment, baseline(replace(model, seen_hidden=sensitivity)).cells
    hidden, ordinary = model.hidden_segment_shares[place], model.segment_shares[place]
    was, is_now = (h * hidden / (h * hidden + (1.0 - h) * ordinary) for h in (model.hidden_before, model.hidden_after))
    traffic = model.queries_per_day * model.eligible_share
    share = before.share[place] / before.share[place].sum()
    design = Design(
        traffic,
        model.cheap_reviews,
        0.6,
        model.segment_shares,
        float(share @ before.flag_rate[place]),
        sensitivity,
        baseline_days=LONG,
        shadow_per_day=model.shadow_share * traffic,
        judge_false_rate=float(share @ before.judge_rate[place]),
    )
    return design, PlannedLoss((is_now - was) * model.fail_hidden, ordinary)


@pytest.mark.parametrize(("name", "sensitivity"), PRINTED)
def test_the_plan_and_the_benchmark_agree_to_a_day(steered, name, sensitivity):
    found = delay(*planned(name, sensitivity), RUNS, np.random.default_rng(20260))
    design = steered.F if sensitivity == 0.5 else steered.F_PAIRS
    assert design.seen_hidden == sensitivity
    trace = steered.simulate(design, name, RUNS, np.random.default_rng(7))
    measured = float(np.median(trace.delays(steered.PRODUCT_LINE, scenario(name).onset_day)))
    assert abs(found.median_days - measured) <= 1
    assert abs(found.median_days - PRINTED[name, sensitivity]) <= 1


def test_a_baseline_that_is_hardly_known_costs_days():
    """What the benchmark leaves out, and a plan must not."""
    design, loss = planned("slice", 0.8)
    short, long = (
        delay(replace(design, baseline_days=days), loss, 100, np.random.default_rng(1)) for days in (30, LONG)
    )
    assert short.seen_share < long.seen_share
