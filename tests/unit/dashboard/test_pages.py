"""Every page alike: navigation, state in the address, times, and what there is before anything was read."""

from datetime import UTC, date, datetime

import pytest

from undertow.bootstrap.dashboard import Reading
from undertow.dashboard.pages import VIEWS, local_time
from unit.dashboard.conftest import FixedLog, made_ui
from unit.reports.factory import EVERY


@pytest.mark.parametrize("name", EVERY)
def test_the_front_page_of_every_kind_of_report(client, name):
    answer = client(made_ui(FixedLog(EVERY[name]()))).get("/ui/")
    assert answer.status == 200
    assert 'aria-current="page"' in answer.text
    assert "<script>alert" not in answer.text
    assert "None" not in answer.text


def test_the_navigation_keeps_the_day(client):
    log = FixedLog(EVERY["pareto_trap"]())
    answer = client(made_ui(log)).get("/ui/?as_of=2026-03-01")
    assert log.asked == [date(2026, 3, 1)]
    assert "As it looked on 2026-03-01" in answer.text
    assert f'href="{VIEWS[1].path}?as_of=2026-03-01"' in answer.text
    assert 'href="/ui/">Back to now</a>' in answer.text
    assert "hx-trigger" not in answer.text.partition("<main")[2].partition(">")[0], "a day that is over has no news"


def test_before_anything_was_read_it_says_how_far_it_is(client):
    reading = Reading(is_reading=True, what="joining signals", done=3, total=10)
    answer = client(made_ui(FixedLog(reading=reading))).get("/ui/")
    assert answer.status == 200
    assert "joining signals" in answer.text
    assert '<progress max="10" value="3"' in answer.text


def test_a_log_that_cannot_be_read_says_why(client):
    answer = client(made_ui(FixedLog(reading=Reading(problem="nowhere: <i>no such</i> file")))).get("/ui/")
    assert "There is nothing to show yet" in answer.text
    assert "&lt;i&gt;no such&lt;/i&gt; file" in answer.text


def test_open_pages_notice_news(client):
    assert client().get("/ui/read-at").text == "2026-04-01T00:00:00+00:00"
    assert client(made_ui(FixedLog())).get("/ui/read-at").text == ""


def test_times_are_sent_in_utc():
    assert local_time(None) == "not known"
    assert "2026-03-01 12:00 UTC" in local_time(datetime(2026, 3, 1, 12, tzinfo=UTC))


def test_a_tab_is_called_as_its_view_is(client):
    mine = client(made_ui(FixedLog(next(iter(EVERY.values()))())))
    for view in VIEWS:
        if view.name not in {"decisions", "power", "review"}:  # they need more than a report
            assert f"<title>{view.title}: Undertow</title>" in mine.get(view.path).text
