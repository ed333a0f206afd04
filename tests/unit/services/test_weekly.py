"""The week's facts, from cells and audits."""

from datetime import timedelta

import numpy as np
import pytest

from cells_factory import build, day, labels, served
from undertow.records.guard import TrailEntry
from undertow.records.report import AuditSettings
from undertow.services.audit import audit
from undertow.services.weekly import Beside, week_report

DAYS, PRE = 70, 10
END = day(DAYS)
START = END - timedelta(days=7)


def cells(fails_before=0.05, fails_now=0.05, *, per_day=100, days=DAYS):
    """The cheap tier fails at another rate in the last week."""
    n = np.full(days - PRE, float(per_day))
    rates = np.where(np.arange(PRE, days) >= DAYS - 7, fails_now, fails_before)
    parts = [
        served("capable", 500, days=PRE, segment="intent=a"),
        labels("capable", 100, 5, days=PRE, segment="intent=a"),
    ]
    for segment in (None, "intent=a"):
        parts += [
            served("cheap", 400, days=days - PRE, start=PRE, segment=segment),
            served("capable", 40, days=days - PRE, start=PRE, arm="holdout", segment=segment),
            labels("cheap", n, np.round(n * rates), days=days - PRE, start=PRE, segment=segment),
            labels("capable", n, np.round(n * 0.05), days=days - PRE, start=PRE, arm="holdout", segment=segment),
        ]
    return build(*parts)


def report(beside=None, **given):
    made = cells(**given)
    before = cells(**{**given, "days": DAYS - 7})
    settings = AuditSettings()
    return week_report(made, audit(made, settings), audit(before, settings), END, START, beside or Beside())


def test_a_tier_that_fell_this_week_is_worse_and_its_alarm_new():
    found = report(fails_now=0.5)
    whole = found.qualities[0]
    assert (whole.tier, whole.trend) == ("cheap", "worse")
    assert whole.now.mean == pytest.approx(0.5, abs=0.02)
    assert whole.before.mean == pytest.approx(0.95, abs=0.02)
    assert whole.now.interval[1] < whole.before.interval[0]
    assert found.opened
    assert not found.still_open
    assert found.headline.startswith("New this week: cheap")


def test_an_alarm_from_before_stays_open_or_is_over():
    found = report(fails_before=0.3, fails_now=0.3)
    assert found.still_open
    assert not found.opened
    assert found.headline.startswith("As a week ago: ")


def test_a_quiet_week_says_so_and_what_it_cannot_see():
    found = report()
    assert {row.trend for row in found.qualities} == {"unclear"}
    assert (found.opened, found.still_open, found.closed) == ((), (), ())
    assert any("outcomes" in sentence for sentence in found.unseen)


def test_traffic_and_reviews_are_those_of_the_weeks():
    found = report()
    cheap, capable = found.traffic
    assert (cheap.now, cheap.before) == (7 * 800, 7 * 800)
    assert capable.share_now == pytest.approx(1 - cheap.share_now)
    assert found.reviewing.done == found.reviewing.done_before > 0


def test_the_guards_week_and_its_open_suggestions():
    trail = tuple(
        TrailEntry(id=str(number), at=(END - timedelta(days=ago)).isoformat(), who="guard", kind="route_back")
        for number, ago in enumerate((1, 6.9, 8))
    )
    found = report(Beside(trail, waiting=2, agreement=0.7, agreement_interval=(0.6, 0.8), queue=5))
    assert [entry.id for entry in found.actions] == ["0", "1"]
    assert "2 suggestions" in found.next[0]
    assert (found.reviewing.agreement, found.reviewing.waiting) == (0.7, 5)


def test_without_a_label_nothing_is_said_of_quality():
    made = build(served("cheap", 400, days=DAYS), served("capable", 100, days=DAYS))
    found = week_report(made, audit(made, AuditSettings()), None, END, START, Beside())
    assert found.qualities == ()
    assert "no label" in found.unseen[0]
    assert found.before is None
