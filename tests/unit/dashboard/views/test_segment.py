"""One tier in one segment: only what is about it."""

import csv
import io
from dataclasses import replace

import pytest

from cells_factory import build, labels, served
from undertow.records.report import AuditSettings
from undertow.records.segment import Segment
from undertow.services.audit import audit
from unit.dashboard.conftest import FixedLog, made_ui

ODD = "<img src=x>"
CELLS = build(
    served("capable", 100, days=28),
    served("cheap", 60, days=28, start=28, segment="intent=billing"),
    served("cheap", 60, days=28, start=28, segment=f"k={ODD}"),
    labels("capable", 40, 2, days=28, segment="intent=billing"),
    labels("cheap", 40, 12, days=28, start=28, segment="intent=billing"),
    labels("cheap", 40, 2, days=28, start=28, segment=f"k={ODD}"),
)
REPORT = audit(CELLS, AuditSettings())


@pytest.fixture
def mine(client):
    return client(made_ui(FixedLog(REPORT, CELLS)))


def test_state_series_and_the_way_to_its_decisions(mine):
    answer = mine.get("/ui/segments/one?tier=cheap&segment=intent%3Dbilling")
    assert answer.status == 200
    text = answer.text
    assert "1,680 requests" in text
    assert 'href="/ui/decisions?tier=cheap&amp;segment=intent%3Dbilling&amp;label=failed"' in text
    assert "Quality over time" in text
    assert "70.0" in text  # quality of the tier in the segment
    assert 'aria-current="page">Segments' in text


def test_alarms_of_other_places_are_not_here(client):
    there = next(each for each in REPORT.alarms if str(each.segment) == "intent=billing")
    elsewhere = replace(there, segment=Segment("intent", "account"), note="of somewhere else")
    mine = client(made_ui(FixedLog(replace(REPORT, alarms=(there, elsewhere)), CELLS)))
    text = mine.get("/ui/segments/one?tier=cheap&segment=intent%3Dbilling").text
    assert "1 alarm here" in text
    assert "of somewhere else" not in text
    assert "No alarm here" in mine.get("/ui/segments/one?tier=capable&segment=intent%3Dbilling").text


def test_all_tiers_of_a_segment_and_the_whole_tier(mine):
    assert mine.get("/ui/segments/one?segment=intent%3Dbilling").status == 200
    assert "whole tier" in mine.get("/ui/segments/one?tier=cheap").text


def test_names_are_shown_inert(mine):
    text = mine.get("/ui/segments/one?tier=cheap&segment=k%3D%3Cimg%20src%3Dx%3E").text
    assert ODD not in text
    assert "&lt;img src=x&gt;" in text


@pytest.mark.parametrize("query", ["segment=intent%3Dnope", "tier=nope", "segment=%3Cscript%3E"])
def test_what_the_log_has_not_is_not_found(mine, query):
    answer = mine.get(f"/ui/segments/one?{query}")
    assert answer.status == 404
    assert "<script>" not in answer.text.replace('<script src="/ui', "")


def test_rows_may_be_taken_away(mine):
    rows = list(csv.DictReader(io.StringIO(mine.get("/ui/segments/one?segment=intent%3Dbilling&format=csv").text)))
    assert {row["tier"] for row in rows} == {"", "cheap", "capable"}


def test_before_the_log_was_read_it_waits(client):
    assert "Reading the log" in client(made_ui(FixedLog())).get("/ui/segments/one").text
