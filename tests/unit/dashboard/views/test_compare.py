"""Two periods in the browser."""

import csv
import io

import pytest

from cells_factory import build, labels, served
from undertow.dashboard.views.compare import presets, usual
from undertow.records.report import AuditSettings
from undertow.services.audit import audit
from unit.dashboard.conftest import FixedLog, made_ui
from unit.dashboard.views.test_segment import CELLS, ODD, REPORT

DAYS = "a_from=2026-01-29&a_to=2026-02-11&b_from=2026-02-12&b_to=2026-02-25"


@pytest.fixture
def mine(client):
    return client(made_ui(FixedLog(REPORT, CELLS)))


def test_the_days_of_the_address_are_compared(mine):
    text = mine.get(f"/ui/segments/compare?{DAYS}").text
    assert "No change is shown from A to B" in text
    assert 'name="a_from" value="2026-01-29"' in text
    assert "+0.0" not in text.replace("0.0 points", "")
    assert "They do not cover how the periods were chosen" in text
    assert ODD not in text


def test_a_fall_stands_in_the_heading(client):
    cells = build(
        served("cheap", 100, days=28), served("cheap", 100, days=28, start=28),
        labels("cheap", 40, 2, days=28, segment="intent=billing"), labels("cheap", 40, 20, days=28, start=28, segment="intent=billing"),
    )  # fmt: skip
    report = audit(cells, AuditSettings())
    answer = client(made_ui(FixedLog(report, cells))).get("/ui/segments/compare")
    assert "Worse in 2 places, from A to B" in answer.text
    assert "−45.0" in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "a_from=x",
        "a_from=2026-02-01&a_to=2026-01-01",
        "a_from=2026-01-01&a_to=2026-02-20&b_from=2026-02-20&b_to=2026-02-25",
        "b_to=9999-01-01",
    ],
)
def test_days_that_cannot_be_compared_are_told(mine, query):
    assert mine.get(f"/ui/segments/compare?{query}").status == 400


def test_the_usual_days_are_the_latest_and_those_before():
    before, after = usual(REPORT)
    assert (after.days, before.days) == (28, 28)
    assert after.last == REPORT.period[1].date()
    assert not before.overlaps(after)
    names = [name for name, _ in presets(REPORT)]
    assert names[0].startswith("The latest")
    assert len(names) == 2
    assert "onset" in names[1]


def test_a_search_narrows_it_and_rows_may_be_taken_away(mine):
    assert "Nothing to compare in these days." in mine.get(f"/ui/segments/compare?{DAYS}&q=%3Cnope%3E").text
    rows = list(csv.DictReader(io.StringIO(mine.get(f"/ui/segments/compare?{DAYS}&q=billing&format=csv").text)))
    assert {row["segment"] for row in rows} == {"intent=billing"}
    assert float(rows[0]["before_labels"]) == 14 * 40
