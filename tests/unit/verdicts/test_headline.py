from dataclasses import replace

import pytest

from cells_factory import day
from undertow.records.cells import Coverage
from undertow.records.report import (
    Aggregate,
    Alarm,
    AuditReport,
    AuditSettings,
    Ledger,
    ReferenceReport,
    SegmentReport,
)
from undertow.records.segment import WHOLE, Segment
from undertow.verdicts.headline import headline

ALARM = Alarm(
    "quality", "review.accuracy", "cheap", Segment("intent", "billing"), "routing", "human", day(20), day(14),
    (day(12), day(16)), 0.1, (0.05, 0.15), 4.0, latest_loss=0.2, latest_interval=(0.12, 0.28),
)  # fmt: skip
TIER = SegmentReport("cheap", WHOLE, 1.0, "review.accuracy", 5000, 0.0, (-0.01, 0.013))


def line(verdict="quality_loss", alarms=(ALARM,), ledger=Ledger(None, None, None, None, None), tiers=(TIER,)):  # noqa: B008
    report = AuditReport(
        verdict, "", (day(0), day(60)), AuditSettings(), ReferenceReport("holdout", True, ""), Coverage(),
        Aggregate(0, None, {}), (), tuple(alarms), (), (), ledger, (),
    )  # fmt: skip
    return headline(report, tiers, "capable")


def test_a_loss_says_since_when_where_and_how_much_by_all_that_is_known_now():
    assert line() == (
        "Since about 15 January 2026 the cheap tier has lost 12 to 28 points of quality on intent=billing; "
        "what that costs is unknown without priced outcomes."
    )


def test_what_was_known_then_stands_in_where_nothing_newer_is_known():
    assert "5 to 15 points" in line(alarms=[replace(ALARM, latest_loss=None, latest_interval=None)])
    bare = line(
        alarms=[
            replace(ALARM, latest_loss=None, latest_interval=None, loss=None, interval=None, onset=None, segment=WHOLE)
        ]
    )
    assert bare.startswith("The cheap tier has lost quality;")


def test_the_worst_loss_is_told():
    other = replace(ALARM, segment=Segment("intent", "refund"), latest_loss=0.3, latest_interval=(0.2, 0.4))
    assert "intent=refund" in line(alarms=[ALARM, other])


def test_a_gain_at_the_lower_end_is_told_as_none():
    assert "0 to 28 points" in line(alarms=[replace(ALARM, latest_interval=(-0.02, 0.28))])


@pytest.mark.parametrize(
    ("interval", "told"),
    [
        ((-2.4e6, -3e5), "net value -$2.4M to -$300k a month"),
        ((-950.0, 12.0), "net value -$950 to $12 a month"),
        (None, "net value about -$5k a month"),
    ],
)
def test_money_is_short(interval, told):
    assert line(ledger=Ledger(1.0, 0.0, 2.0, -5000.0, interval)).endswith(f"; {told}.")


def test_health_says_how_far_it_is_shown():
    assert line("healthy", ()) == (
        "Routing to the cheaper tier has not cost quality: at most 1.3 points, inside your margin of 2.0."
    )
    assert line("healthy", (), tiers=()) == "Routing to the cheaper tier has not cost quality."


def test_a_fall_that_routing_did_not_cause_is_told_as_that():
    provider = replace(ALARM, tier="capable", cause="provider")
    assert "not because of routing (provider)" in line("inconclusive", [provider])


def test_nothing_settled_is_said():
    assert line("inconclusive", ()).startswith("Not settled")
