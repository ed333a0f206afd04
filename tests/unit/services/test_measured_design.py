"""What a log says of its own labels is measured; the rest stays as assumed."""

from dataclasses import replace

import numpy as np
import pytest

from cells_factory import build, labels, served, whole_numbers
from undertow.estimators.periods import find_periods
from undertow.records.power import Design
from undertow.records.report import AuditSettings
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.evidence import gather
from undertow.services.measured_design import measured_design
from undertow.services.power import watched_weights

ASSUMED = Design(1.0, 1.0, 0.6, (1.0,), 0.05, 0.8, shadow_per_day=1.0)
DAYS = 40


def log(*parts):
    return build(
        served("cheap", 800, days=DAYS), served("cheap", 200, days=DAYS, segment="intent=a"),
        served("capable", 100, days=DAYS, arm="holdout"), *parts, tiers=("cheap", "capable"),
    )  # fmt: skip


def test_labels_traffic_and_segments_are_measured():
    cells = log(
        labels("cheap", 30, 6, days=DAYS, stratum=0, weight=2.0),
        labels("cheap", 10, 1, days=DAYS, stratum=1, weight=10.0),
        labels("capable", 10, 1, days=DAYS, arm="holdout"),
    )
    design, said, has_reference = measured_design(cells, ASSUMED)
    assert design.cheap_per_day == pytest.approx(1_000)
    assert design.reviews_per_day == pytest.approx(40)
    assert design.tail_share == pytest.approx(0.75)
    # By weight: (2 x 6 + 10 x 1) / (2 x 30 + 10 x 10).
    assert design.failure_rate == pytest.approx(22 / 160)
    assert design.segment_shares == pytest.approx((0.2,))
    assert design.baseline_days == 28
    # One answer was shown, so confident failures are seen half of the time.
    assert design.sensitivity == 0.5
    assert has_reference
    assert {each.name: each.source for each in said}["reviews of the cheaper tiers"] == "log"


def test_pairs_are_seen_as_well_as_assumed_and_a_judge_counts_where_it_steers():
    cells = log(
        labels("cheap", 30, 6, days=DAYS, pairs=True, lost=5),
        labels("cheap", 50, 5, days=DAYS, basis="judge", signal="judge.quality"),
    )
    design, _, has_reference = measured_design(cells, ASSUMED)
    assert design.sensitivity == 0.8
    assert has_reference
    assert (design.shadow_per_day, design.judge_false_rate) == (pytest.approx(50), pytest.approx(0.1))
    design, said, _ = measured_design(cells, Design(1.0, 1.0, 0.6, (1.0,), 0.05, 0.8))
    assert design.shadow_per_day == 0.0
    assert any("steer no reviews" in each.value for each in said)


def test_a_log_without_labels_leaves_the_assumptions():
    design, _, has_reference = measured_design(log(), ASSUMED)
    assert (design.reviews_per_day, design.failure_rate, has_reference) == (1.0, 0.05, False)


def test_the_budget_is_divided_as_the_audit_of_that_log_divides_it():
    rng = np.random.default_rng(2)
    parts = []
    for i, share in enumerate((300, 200, 100)):
        segment = f"intent={'abc'[i]}"
        parts += [
            served("cheap", share, days=DAYS, segment=segment),
            served("cheap", share / 2, days=DAYS, segment=f"device={i % 2}"),
        ]
        for stratum, weight in enumerate((2.0, 10.0)):
            n, k = whole_numbers(rng, 12, 0.1, DAYS)
            parts.append(
                labels("cheap", n, k, days=DAYS, segment=segment, stratum=stratum, weight=weight, pairs=True, lost=1)
            )
    parts += [
        served("capable", 100, days=DAYS, arm="holdout"), labels("capable", 10, 1, days=DAYS, arm="holdout"),
        labels("cheap", 20, 2, days=DAYS, signal="shadow.exact", basis="exact"),
    ]  # fmt: skip
    cells = build(*parts, tiers=("cheap", "capable"))
    design, said, _ = measured_design(cells, ASSUMED)
    first, buckets = bucket_range(cells)
    periods = find_periods(traffic_grid(cells, 0, first_bucket=first, buckets=buckets), cells.bucket_s, None)
    evidence = gather(cells, AuditSettings(), periods, alarms=True)
    live = {
        stream.role: weight
        for stream, weight in zip(evidence.streams, evidence.weights, strict=True)
        if stream.unit.name == "review.accuracy" and stream.tier == 0 and stream.kind == "change"
    }
    assert set(live) == {"tier", "tail", "segment"}
    planned = watched_weights(replace(design, segment_shares=(0.1, 0.1, 0.1)))
    assert planned == {role: pytest.approx(weight) for role, weight in live.items()}
    assert design.budget_share == pytest.approx(0.5)
    # Three intents and two devices: suspicion is divided among the intents' strata.
    assert design.cells == 6
    assert {"parts of the false-alarm budget", "cells that reviews are steered to"} <= {each.name for each in said}
