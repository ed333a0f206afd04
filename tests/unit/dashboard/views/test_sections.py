"""Ledger and data: the sections of the audit's page, with rows to take away."""

import csv
import io

import pytest

from unit.dashboard.conftest import FixedLog, made_ui
from unit.reports.factory import EVERY


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("view", ["ledger", "health"])
def test_every_kind_of_report_has_its_page(client, name, view):
    answer = client(made_ui(FixedLog(EVERY[name]()))).get(f"/ui/{view}")
    assert answer.status == 200
    assert 'aria-current="page"' in answer.text
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("view", ["ledger", "health"])
def test_rows_may_be_taken_away(client, view):
    answer = client().get(f"/ui/{view}?format=csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert len({len(row) for row in rows}) == 1


@pytest.mark.parametrize("view", ["drift", "ledger", "health", "quality", "segments"])
def test_before_anything_was_read_every_view_waits(client, view):
    assert "Reading the log" in client(made_ui(FixedLog())).get(f"/ui/{view}").text
