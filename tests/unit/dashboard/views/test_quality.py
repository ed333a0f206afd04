"""Quality over time: any earlier day, as it looked then, of any signal, tier and segment."""

import csv
import io
import json
from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import quote

import pytest

from cells_factory import build, labels, served
from undertow.dashboard.views.quality import days_of, known_of
from undertow.records.report import AuditSettings
from undertow.services.audit import audit
from unit.dashboard.conftest import HOSTILE, FixedLog, made_ui, small_cells
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


def test_a_loss_had_not_begun_then_could_not_be_known_and_then_could():
    alarm = EVERY["pareto_trap"]().alarms[0]
    onset, raised = alarm.onset.date(), alarm.detected_at.date()
    assert onset + timedelta(days=2) < raised

    def when(day):
        return known_of([alarm], day)[0]

    assert when(onset - timedelta(days=1)).when == "later"
    assert when(onset).when == "hidden"
    # Raised at midnight: from what was there at the end of the day before.
    on = raised - timedelta(days=1)
    assert (when(on - timedelta(days=1)).when, when(on - timedelta(days=1)).days) == ("hidden", 1)
    assert (when(on).when, when(on).days) == ("known", (on - onset).days)
    assert known_of([replace(alarm, onset=None)], onset)[0].when == "hidden"
    assert known_of([replace(alarm, onset=None)], raised)[0].days is None


def test_the_page_says_what_was_knowable(client):
    log = FixedLog(EVERY["pareto_trap"]())
    day = log.seen.report.alarms[0].onset.date() + timedelta(days=1)
    assert "not knowable yet" in client(made_ui(log)).get(f"/ui/quality?as_of={day}").text
    assert "not knowable yet" not in client(made_ui(log)).get("/ui/quality").text


def test_rows_may_be_taken_away(client):
    answer = client().get("/ui/quality?format=csv&every=day")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert {row["tier"] for row in rows} == {"", "cheap", "capable"}
    assert len(rows) == 3 * 70
    cheap = next(row for row in rows if row["tier"] == "cheap")
    assert float(cheap["mean"]) == pytest.approx(1 - 3 / 13)
    assert float(cheap["low"]) < float(cheap["mean"]) < float(cheap["high"])


def test_the_chart_in_the_browser_is_fed_the_same_numbers(client):
    answer = client().get("/ui/quality?format=json&segment=intent%3Dbilling&tier=cheap")
    found = json.loads(answer.text)
    assert answer.headers["content-type"] == "application/json"
    assert [line["label"] for line in found["lines"]] == ["all of cheap", "cheap"]
    assert len(found["at"]) == len(found["lines"][1]["mean"]) == 10
    assert found["lines"][1]["mean"][0] == pytest.approx(2 / 3)
    assert found["alarms"][0]["number"] == 1
    assert found["alarms"][0]["onset"][0] < found["alarms"][0]["at"]


def test_alarms_of_other_tiers_are_not_marked(client):
    assert json.loads(client().get("/ui/quality?format=json&tier=capable").text)["alarms"] == []


def test_signal_and_segment_are_chosen_by_a_form_that_keeps_the_day(client):
    ui = made_ui(FixedLog(EVERY["pareto_trap"]()))
    text = (
        client(ui).get(f"/ui/quality?signal=thumb.helpful&segment={quote(f'intent={HOSTILE}')}&as_of=2026-03-01").text
    )
    assert '<option value="thumb.helpful" selected>' in text
    assert '<input type="hidden" name="as_of" value="2026-03-01">' in text
    assert HOSTILE not in text
    assert "No label of" in text


def test_volunteered_labels_are_told_to_show_no_level(client):
    assert "volunteered" in client().get("/ui/quality?signal=thumb.helpful").text
    assert "volunteered" not in client().get("/ui/quality?signal=review.accuracy").text


def test_a_part_of_the_time(client):
    whole = client().get("/ui/quality?format=csv&every=day").text
    part = client().get("/ui/quality?format=csv&every=day&from=2026-01-05&to=2026-01-06").text
    assert {line[:10] for line in part.splitlines()[1:]} == {"2026-01-05", "2026-01-06"}
    assert set(part.splitlines()) < set(whole.splitlines())
    text = client().get("/ui/quality?every=day&from=2026-01-05&to=2026-01-06").text
    assert 'name="to" value="2026-01-06"' in text
    assert "No labels in this time." in client().get("/ui/quality?from=2031-01-05").text


@pytest.mark.parametrize(
    "query", ["signal=x.y", "every=year", "from=soon", "from=2026-02-02&to=2026-01-01", "tier=dear", "to=2026-13-01"]
)
def test_what_cannot_be_shown_is_said(client, query):
    assert client().get(f"/ui/quality?{query}").status == 400


def test_a_log_without_labels_says_what_to_log(client):
    cells = small_cells()
    bare = replace(cells, labels=cells.labels.take(cells.labels.n < 0))
    report = audit(bare, AuditSettings())
    assert "No quality signal is joined" in client(made_ui(FixedLog(report, bare))).get("/ui/quality").text


def test_lines_are_computed_once_a_reading(client, monkeypatch):
    from undertow.dashboard.views import quality

    asked = []
    ours = quality.quality_lines
    monkeypatch.setattr(quality, "quality_lines", lambda *given: asked.append(given[3:]) or ours(*given))
    page = client()
    for query in ("", "", "?tier=cheap", "?tier=cheap&from=2026-01-05"):
        assert page.get(f"/ui/quality{query}").status == 200
    assert len(asked) == 2


def test_a_period_is_never_shorter_than_the_logs_buckets(client):
    daily = json.loads(client().get("/ui/quality?format=json&every=hour").text)
    assert daily["every"] == "day"
    hours = build(
        served("cheap", 5, days=48), served("capable", 5, days=48), labels("cheap", 3, 1, days=48), bucket_s=3_600
    )  # fmt: skip
    log = FixedLog(audit(hours, AuditSettings()), hours)
    found = json.loads(client(made_ui(log)).get("/ui/quality?format=json&every=hour").text)
    assert (found["every"], len(found["at"])) == ("hour", 48)
