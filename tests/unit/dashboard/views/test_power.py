"""The planner as sliders: what the address says, what is shown of it, and what is not there yet."""

import csv
import io
from dataclasses import replace
from urllib.parse import quote

import pytest

from undertow.dashboard.planner import Found, Planner
from undertow.records.power import Delay
from unit.dashboard.conftest import FixedLog, made_ui
from unit.reports.factory import EVERY


class QuickPlanner(Planner):
    """Knows every delay at once: more reviews, fewer days."""

    def __init__(self, is_final=True, knows=lambda _: True):
        super().__init__()
        self.asked, self.is_final, self.knows = [], is_final, knows

    def ask(self, questions, wait_s, *, until_final=False):
        del wait_s
        self.asked.append(list(questions))
        return {
            each: Found(Delay(each.loss, max(1, round(2_000 / each.design.reviews_per_day)), None, 0.6, 100), self.is_final or until_final)
            for each in questions if self.knows(each)
        }  # fmt: skip


@pytest.fixture
def opened(client):
    def made(planner=None, **options):
        ui = replace(made_ui(**options), planner=planner or QuickPlanner())
        return client(ui), ui.planner

    return made


def test_it_starts_from_the_log_and_says_the_verdict_first(opened):
    page, planner = opened()
    text = page.get("/ui/power").text
    assert "It starts from this log and its settings" in text
    assert text.index("is seen") < text.index("With more reviews, or fewer")
    assert planner.asked[0][0].loss.size == 0.3
    assert planner.asked[0][0].loss.slice_share == 0.1


def test_before_a_log_was_read_it_starts_from_the_settings(opened):
    page, _ = opened(log=FixedLog())
    assert "the settings, as long as no log has been read" in page.get("/ui/power").text


def test_the_address_holds_what_was_moved(opened):
    page, planner = opened()
    text = page.get("/ui/power?labels=50&loss=20&slice=100&sensitivity=80&alpha=1&horizon=90&margin=3&named=no").text
    asked = planner.asked[0][0]
    assert asked.design.sensitivity == 0.8
    assert (asked.design.alpha, asked.design.horizon_days, asked.design.margin) == (0.01, 90, 0.03)
    assert (asked.loss.size, asked.loss.slice_share, asked.loss.is_labelled) == (0.2, 1.0, False)
    assert 'name="labels" type="number" inputmode="decimal" min="1" max="100000" step="any" value="50"' in text
    assert "Start over" in text
    assert "Loss of the whole tier" in text


def test_what_is_out_of_bounds_is_held_within_them_and_what_is_no_number_is_said(opened):
    page, planner = opened()
    assert page.get("/ui/power?loss=900&horizon=1").status == 200
    assert planner.asked[0][0].loss.size == 1.0
    assert planner.asked[0][0].design.horizon_days == 14
    for wrong in ("x", "nan", "inf", "<b>"):
        answer = page.get(f"/ui/power?loss={quote(wrong)}")
        assert answer.status == 400
        assert "expected a number" in answer.text
        assert "<b>" not in answer.text


def test_what_is_not_there_yet_is_said_and_asked_for_again(opened):
    page, _ = opened(QuickPlanner(knows=lambda _: False))
    text = page.get("/ui/power").text
    assert "Working it out" in text
    assert 'hx-trigger="load' in text
    assert "Look again" in text


def test_a_rough_first_look_says_so_and_compares_nothing(opened):
    rough, final = (opened(QuickPlanner(is_final=is_final))[0].get("/ui/power").text for is_final in (False, True))
    assert "A first look" in rough
    assert "as it is" not in rough
    assert "A first look" not in final
    assert 'hx-trigger="load' not in final


def test_the_rows_are_told_as_csv_once_all_are_done(opened):
    page, planner = opened(QuickPlanner(is_final=False))
    answer = page.get("/ui/power?labels=50&format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [float(row["reviews_a_day"]) for row in rows] == [10, 30, 50, 100, 300, 1000]
    assert rows[0]["seen_share"] == "0.6"
    assert len(planner.asked) == 1


def test_a_plan_is_for_days_to_come(opened):
    page, _ = opened()
    answer = page.get("/ui/power?loss=20&as_of=2026-03-01")
    assert answer.status == 303
    assert "as_of" not in answer.headers["location"]
    assert "loss=20" in answer.headers["location"]


@pytest.mark.parametrize("name", ["healthy", "inconclusive"])
def test_it_is_there_whatever_the_log_says(opened, name):
    page, _ = opened(log=FixedLog(EVERY[name]()))
    assert page.get("/ui/power").status == 200
