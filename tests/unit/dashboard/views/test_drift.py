"""Drift: then and now, of any tier and segment."""

import csv
import io
from dataclasses import replace
from urllib.parse import quote

import pytest

from undertow.dashboard.views.drift import novelty_chart, tenths_chart
from undertow.services.drift_lines import novelty_histogram
from unit.dashboard.conftest import HOSTILE, FixedLog, made_ui, small_cells
from unit.reports.factory import EVERY
from unit.reports.svg.drawing import SLIM, WIDE, assert_legible, texts


@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_report_has_its_page(client, name):
    answer = client(made_ui(FixedLog(EVERY[name]()))).get("/ui/drift")
    assert answer.status == 200
    assert 'aria-current="page"' in answer.text
    assert "<script>alert" not in answer.text


def test_all_that_the_log_says_is_drawn(client):
    text = client().get("/ui/drift").text
    for what in (
        "Distribution of routing confidence",
        "Distribution of novelty",
        "Mean novelty per day",
        "escalated per day",
        "per tier and day",
    ):
        assert what in text
    assert "What the scores were at calibration is not known" in text


def test_a_segment_without_the_columns_says_so(client):
    text = client().get(f"/ui/drift?segment={quote(f'intent={HOSTILE}')}").text
    for what in ("No confidence here.", "No novelty here.", "Escalations are not logged."):
        assert what in text
    assert "per tier and day" in text
    assert HOSTILE not in text


def test_warnings_link_to_their_segment(client):
    report = EVERY["pareto_trap"]()
    warning = replace(report.alarms[0], monitor="input", note="moved")
    text = client(made_ui(FixedLog(replace(report, warnings=(warning,))))).get("/ui/drift").text
    assert "1 thing drifted" in text
    assert "segment=intent%3Dbilling" in text


def test_rows_may_be_taken_away(client):
    warnings = list(csv.reader(io.StringIO(client().get("/ui/drift?format=csv").text)))
    assert warnings[0] == ["at", "monitor", "tier", "segment", "note"]
    days = list(csv.DictReader(io.StringIO(client().get("/ui/drift?format=csv&what=days").text)))
    assert {row["quantity"] for row in days} == {
        "novelty",
        "escalations",
        "share served by cheap",
        "share served by capable",
    }
    assert float(next(row for row in days if row["quantity"] == "escalations")["value"]) == pytest.approx(0.1)


@pytest.mark.parametrize("width", [WIDE, SLIM])
def test_its_own_charts_are_legible(width):
    assert_legible(tenths_chart((0.05,) * 8 + (0.3, 0.3), width, "t"))
    drawn = novelty_chart(novelty_histogram(small_cells()), width, "n")
    assert_legible(drawn)
    assert "∞" in texts(drawn)
    assert tenths_chart(None, width, "t") is None
    assert novelty_chart(None, width, "n") is None


def test_what_the_log_does_not_have_is_said(client):
    assert client().get("/ui/drift?tier=dear").status == 400
