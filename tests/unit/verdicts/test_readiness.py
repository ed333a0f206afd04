from dataclasses import fields, replace

import numpy as np
import pytest

from undertow.estimators.periods import MIN_REFERENCE_LABELS
from undertow.records.cells import (
    ARM_HOLDOUT,
    ARM_TREATMENT,
    BASIS_CODES,
    SELECTION_CODES,
    AuditCells,
    CalibrationCells,
    CallCells,
    ConfidenceCells,
    Coverage,
    ExposureCells,
    LabelCells,
    ModelCells,
    OutcomeCells,
    TrafficCells,
)
from undertow.records.segment import WHOLE, Segment
from undertow.verdicts.readiness import MIN_HOLDOUT_LABELS, Plans, labels_needed, readiness

DAYS = 30
CHEAP, CAPABLE = 0, 1
PLANS = Plans(priced_outcomes=("ticket",), is_id_key_set=True, has_draws=True)


def table(kind, rows):
    """Rows of (column -> value) as a table of cells; what a row leaves out is 0."""
    return kind(**{field.name: np.array([row.get(field.name, 0) for row in rows]) for field in fields(kind)})


def traffic(tier, arm, decisions, bucket):
    return {
        "bucket": bucket, "tier": tier, "arm": arm, "eligible": 1, "decisions": decisions, "cost_n": decisions,
        "paired_cost_n": decisions, "cost_usd": decisions * 0.01, "paired_cost_usd": decisions * 0.01,
        "baseline_cost_usd": decisions * 0.02,
    }  # fmt: skip


def labels(tier, arm, n, bucket, selection="sampled", basis="human"):
    return {
        "available": bucket, "decided": bucket, "tier": tier, "arm": arm, "eligible": 1, "n": n, "failures": n * 0.1,
        "selection": SELECTION_CODES.index(selection), "basis": BASIS_CODES.index(basis), "weight": n,
    }  # fmt: skip


def complete() -> AuditCells:
    """A log in which nothing is missing."""
    days = range(DAYS)
    rows = [traffic(CHEAP, ARM_TREATMENT, 650, day) for day in days]
    rows += [traffic(CAPABLE, ARM_TREATMENT, 300, day) for day in days]
    rows += [traffic(CAPABLE, ARM_HOLDOUT, 50, day) for day in days]
    given = [labels(CHEAP, ARM_TREATMENT, 150, day) for day in days] + [
        labels(CAPABLE, ARM_HOLDOUT, 50, day) for day in days
    ]
    return AuditCells(
        bucket_s=86_400,
        tiers=("cheap", "capable"),
        segments=(WHOLE, Segment("intent", "billing")),
        signals=("review.accuracy",),
        outcome_names=("ticket",),
        change_values=("small", "large"),
        first_event=0.0,
        last_event=DAYS * 86_400.0,
        last_available=DAYS * 86_400.0,
        traffic=table(TrafficCells, rows),
        confidence=table(ConfidenceCells, []),
        confidence_column="confidence",
        confidence_range=(0.0, 1.0),
        models=table(ModelCells, []),
        labels=table(LabelCells, given),
        calibration=table(CalibrationCells, []),
        outcomes=table(OutcomeCells, [{"events": 1, "value": 1}]),
        exposure=table(ExposureCells, []),
        calls=table(CallCells, []),
        coverage=Coverage(decisions=30_000, signals=6_000, joined=6_000),
    )


def found(cells, plans=PLANS) -> dict[str, str]:
    return {finding.check: finding.severity for finding in readiness(cells, plans)}


def change(cells, table_name, **columns):
    """The cells with whole columns of one table set to a value."""
    old = getattr(cells, table_name)
    new = replace(old, **{name: np.full_like(getattr(old, name), value) for name, value in columns.items()})
    return replace(cells, **{table_name: new})


def without(cells, *missing, **coverage):
    return replace(cells, coverage=replace(cells.coverage, missing_columns=missing, **coverage))


def test_a_complete_log_misses_nothing():
    assert found(complete()) == {}


def case(check, severity, broken, plans=PLANS):
    return pytest.param(check, severity, broken, plans, id=check)


CODE = {name: code for code, name in enumerate(SELECTION_CODES)}


@pytest.mark.parametrize(
    ("check", "severity", "broken", "plans"),
    [
        case("one_tier", "blocks", lambda c: change(c, "traffic", tier=CAPABLE)),
        case("tiers_inferred", "weakens", lambda c: without(c, tier_source="inferred")),
        case("untiered", "weakens", lambda c: replace(c, traffic=c.traffic.concat(table(TrafficCells, [traffic(-1, 0, 9000, 1)])))),
        case("no_labels", "blocks", lambda c: replace(c, labels=table(LabelCells, []))),
        case("volunteered_only", "weakens", lambda c: change(c, "labels", selection=CODE["volunteered"])),
        case("judge_only", "blocks", lambda c: change(c, "labels", basis=BASIS_CODES.index("judge"))),
        case("few_labels", "weakens", lambda c: change(c, "labels", n=3.0, failures=0.3)),
        case("no_holdout", "weakens", lambda c: change(change(c, "traffic", arm=ARM_TREATMENT), "labels", arm=ARM_TREATMENT)),
        case("thin_holdout", "weakens", lambda c: change(c, "labels", arm=ARM_TREATMENT)),
        case("no_inclusion_probability", "weakens", lambda c: without(c, reasons={"selection_unknown": 7})),
        case("no_draws", "note", lambda c: c, replace(PLANS, has_draws=False)),
        case("no_outcomes", "weakens", lambda c: replace(c, outcome_names=())),
        case("unpriced_outcomes", "weakens", lambda c: c, replace(PLANS, priced_outcomes=())),
        case("no_costs", "weakens", lambda c: change(c, "traffic", cost_n=0)),
        case("no_baseline_cost", "weakens", lambda c: change(c, "traffic", paired_cost_n=0)),
        case("bad_joins", "weakens", lambda c: without(c, joined=4_000, unjoined=2_000)),
        case("rejected_rows", "weakens", lambda c: without(c, rejected=5_000, reasons={"negative_cost_usd": 5_000})),
        case("no_join_keys", "weakens", lambda c: without(c, "user_id", "conversation_id")),
        case("id_key_unset", "note", lambda c: c, replace(PLANS, is_id_key_set=False)),
        case("no_segments", "weakens", lambda c: replace(c, segments=(WHOLE,))),
        case("no_confidence", "note", lambda c: replace(c, confidence_column=None)),
        case("no_eligible", "note", lambda c: without(c, "eligible")),
        case("no_model", "weakens", lambda c: without(c, "model")),
        case("short_history", "weakens", lambda c: replace(c, last_event=5 * 86_400.0)),
    ],
)  # fmt: skip
def test_what_is_missing_is_found_and_nothing_else(check, severity, broken, plans):
    assert found(broken(complete()), plans) == {check: severity}


def test_a_trusted_judge_is_enough():
    judged = change(complete(), "labels", basis=BASIS_CODES.index("judge"))
    assert found(judged, replace(PLANS, trusts_judge=True)) == {}


def test_the_time_before_routing_is_named_as_what_stands_in_for_a_holdout():
    cells = complete()
    before = [traffic(CAPABLE, ARM_TREATMENT, 1000, day) for day in range(-10, 0)]
    cells = replace(cells, traffic=cells.traffic.concat(table(TrafficCells, before)))
    cells = change(change(cells, "traffic", arm=ARM_TREATMENT), "labels", arm=ARM_TREATMENT)
    (finding,) = readiness(cells, PLANS)
    assert "no pairs, no time before routing" in finding.seen, "a time without labels is no reference"
    early = table(LabelCells, [labels(CAPABLE, ARM_TREATMENT, 20, -5)])
    (finding,) = readiness(replace(cells, labels=cells.labels.concat(early)), PLANS)
    assert "10 days before routing began" in finding.seen


def test_a_log_that_was_never_routed_has_no_time_before_routing():
    cells = change(change(complete(), "traffic", arm=ARM_TREATMENT, tier=CAPABLE), "labels", arm=ARM_TREATMENT)
    finding = next(finding for finding in readiness(cells, PLANS) if finding.check == "no_holdout")
    assert "no time before routing" in finding.seen


def test_pairs_are_named_as_what_stands_in_for_a_holdout():
    cells = change(change(complete(), "traffic", arm=ARM_TREATMENT), "labels", arm=ARM_TREATMENT, pairs=2.0)
    (finding,) = readiness(cells, PLANS)
    assert f"{2 * 2 * DAYS} pairs" in finding.seen


def test_few_labels_say_how_many_are_missing_and_how_long_that_takes():
    (finding,) = readiness(change(complete(), "labels", n=10.0, failures=1.0), PLANS)
    needed = labels_needed((DAYS + 0.5) / (DAYS * 10 + 1), 0.02, 0.025)
    assert finding.seen == "300 labels on tier cheap"
    assert f"{needed - 300:,} more" in finding.todo
    assert "At 10 a day" in finding.why


def test_the_most_serious_comes_first():
    cells = replace(complete(), labels=table(LabelCells, []), confidence_column=None, segments=(WHOLE,))
    severities = [finding.severity for finding in readiness(cells, PLANS)]
    assert severities == sorted(severities, key=["blocks", "weakens", "note"].index)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.3, 1.0])
def test_a_tighter_margin_and_a_smaller_alpha_need_more_labels(rate):
    assert labels_needed(rate, 0.02, 0.05) >= 4 * labels_needed(rate, 0.04, 0.05) - 4
    assert labels_needed(rate, 0.02, 0.01) > labels_needed(rate, 0.02, 0.05) > 0


def test_a_holdout_is_thin_below_the_labels_that_an_audit_wants():
    assert MIN_HOLDOUT_LABELS == MIN_REFERENCE_LABELS
