"""Quality over time: any earlier day, as it looked then."""

from datetime import date, timedelta

import pytest

from undertow.dashboard.views.quality import days_of
from unit.dashboard.conftest import FixedLog, made_ui
from unit.reports.factory import EVERY


@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_report_has_its_page(client, name):
    answer = client(made_ui(FixedLog(EVERY[name]()))).get("/ui/quality")
    assert answer.status == 200
    assert "<script>alert" not in answer.text


def test_days_that_are_a_step_away_stay_inside_the_log():
    report = EVERY["pareto_trap"]()
    first, last = (moment.date() for moment in report.period)
    days = days_of(report, None)
    assert (days.first, days.last, days.shown) == (first, last, last)
    assert all(first <= to <= last for _, to in days.steps)
    assert {step for step, _ in days.steps} <= {-28, -7, -1}
    early = days_of(report, first + timedelta(days=1))
    assert early.place == 1
    assert (-1, first) in early.steps
    assert days_of(report, date(1999, 1, 1)).shown == first


def test_a_day_is_asked_for_and_said(client):
    log = FixedLog(EVERY["pareto_trap"]())
    day = log.seen.report.period[0].date() + timedelta(days=3)
    answer = client(made_ui(log)).get(f"/ui/quality?as_of={day}")
    assert log.asked == [day]
    assert f'value="{day}"' in answer.text
    assert 'type="range"' in answer.text


def test_rows_may_be_taken_away(client):
    answer = client().get("/ui/quality?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.splitlines()[0] == "at,tier,segment,signal,mean,low,high,n"
