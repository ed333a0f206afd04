from dataclasses import replace

import pytest

from cells_factory import day
from undertow.records.report import Alarm, AuditSettings, Ledger, ReferenceReport, SegmentReport
from undertow.records.segment import WHOLE, Segment
from undertow.verdicts.decide import decide

HOLDOUT = ReferenceReport("holdout", True, "")
GOOD = SegmentReport("cheap", WHOLE, 1.0, "review.accuracy", 5000, 0.0, (-0.01, 0.01), state="inside")
SEGMENT = SegmentReport("cheap", Segment("x", "a"), 0.5, "review.accuracy", 900, 0.0, (-0.03, 0.05), state="inside")
ALARM = Alarm(
    "quality",
    "review.accuracy",
    "cheap",
    SEGMENT.segment,
    "routing",
    "human",
    day(9),
    day(5),
    (day(3), day(6)),
    0.2,
    (0.1, 0.3),
    4.0,
)
UNKNOWN = Ledger(100.0, 0.0, None, None, None)


def verdict(tiers=(GOOD,), segments=(SEGMENT,), alarms=(), warnings=(), ledger=UNKNOWN, reference=HOLDOUT, **given):
    return decide(AuditSettings(), reference, tiers, segments, alarms, warnings, ledger, "capable", **given)


def money(low, high):
    return Ledger(100.0, 0.0, 300.0, (low + high) / 2, (low, high))


def test_shown_inside_all_margins_is_healthy():
    found, reasons = verdict()
    assert found == "healthy"
    assert "2.0 points" in reasons[0]


def test_an_alarm_laid_to_routing_is_a_quality_loss_whatever_the_intervals_say():
    found, reasons = verdict(alarms=[ALARM])
    assert found == "quality_loss"
    assert "cheap (x=a)" in reasons[0]


@pytest.mark.parametrize(
    ("ledger", "expected", "why"),
    [
        (UNKNOWN, "quality_loss", "Without priced outcomes"),
        (Ledger(100.0, 0.0, 300.0, -200.0, None), "quality_loss", "no interval yet"),
        (money(-300.0, 50.0), "quality_loss", "reaches above zero"),
        (money(-300.0, 0.0), "quality_loss", "reaches above zero"),
        (money(-300.0, -1.0), "pareto_trap", "below zero"),
    ],
)
def test_a_pareto_trap_needs_a_net_value_that_lies_below_zero(ledger, expected, why):
    found, reasons = verdict(alarms=[ALARM], ledger=ledger)
    assert found == expected
    assert why in reasons[1]


def test_a_negative_net_value_without_a_loss_is_no_trap():
    assert verdict(ledger=money(-300.0, -100.0))[0] == "healthy"


@pytest.mark.parametrize("cause", ["provider", "mix"])
def test_what_routing_did_not_do_is_no_loss_of_its(cause):
    assert verdict(alarms=[replace(ALARM, cause=cause)], ledger=money(-300.0, -1.0))[0] == "healthy"


def test_an_unknown_cause_keeps_a_log_from_being_healthy():
    found, reasons = verdict(alarms=[replace(ALARM, cause="unknown", note="too few labels")])
    assert found == "inconclusive"
    assert "too few labels" in reasons[0]


def test_the_capable_tiers_alarms_are_not_the_cheap_tiers():
    assert verdict(alarms=[replace(ALARM, tier="capable", cause="provider")])[0] == "healthy"
    assert verdict(alarms=[replace(ALARM, tier="capable", cause="unknown")])[0] == "healthy"


def test_a_judge_alone_makes_a_log_inconclusive_at_most():
    judged = replace(ALARM, monitor="judge", basis="judge")
    found, reasons = verdict(warnings=[judged])
    assert found == "inconclusive"
    assert "judge" in reasons[0]
    assert verdict(warnings=[replace(ALARM, monitor="confidence", kind="drift")])[0] == "healthy", (
        "drift proves no harm"
    )


def test_losses_that_nobody_vouches_for_are_never_healthy():
    found, reasons = verdict(is_vouched_for=False)
    assert found == "inconclusive"
    assert "people have to confirm" in reasons[0]


@pytest.mark.parametrize("kind", ["own_first_period", "none"])
def test_without_a_reference_nothing_is_healthy(kind):
    assert verdict(reference=ReferenceReport(kind, False, ""))[0] == "inconclusive"


@pytest.mark.parametrize("kind", ["pairs", "pre_routing"])
def test_other_references_will_do(kind):
    assert verdict(reference=ReferenceReport(kind, False, ""))[0] == "healthy"


def test_missing_labels_are_named_before_missing_tiers():
    _, reasons = verdict(tiers=(), reference=ReferenceReport("none", False, ""))
    assert "No quality labels" in reasons[0]
    _, reasons = verdict(tiers=())
    assert "No cheaper tier" in reasons[0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"interval": (-0.01, 0.02)}, "may be as large as 2.0"),
        ({"interval": (0.03, 0.05)}, "may be as large as 5.0"),
        ({"interval": None, "loss": None}, "no labels on one side"),
    ],
)
def test_every_cheaper_tier_must_be_shown(change, why):
    found, reasons = verdict(tiers=(GOOD, replace(GOOD, tier="middle", **change)))
    assert found == "inconclusive"
    assert reasons[0].startswith("middle")
    assert why in reasons[0]


@pytest.mark.parametrize("change", [{"interval": (-0.1, 0.1)}, {"interval": None, "loss": None, "state": "no_data"}])
def test_every_large_segment_must_be_shown(change):
    wide = replace(SEGMENT, **change)
    assert verdict(segments=(wide,))[0] == "inconclusive"
    assert verdict(segments=(replace(wide, share=0.04),))[0] == "healthy", "small ones need not"
    assert verdict(segments=(replace(wide, state="suspect"),))[0] == "healthy", "broken labels cannot"


def test_many_open_segments_are_counted_and_not_all_named():
    wide = [replace(SEGMENT, segment=Segment("x", str(i)), interval=(-0.2, 0.2)) for i in range(8)]
    _, reasons = verdict(segments=wide)
    assert "and 3 more" in reasons[0]
