"""Every view over logs that are empty, have one tier, or a segment for each request: without a browser, which adds nothing here."""

import time
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from explorer_factory import NOON, record, some, text, write_store
from undertow.bootstrap.audit import AuditRequest
from undertow.bootstrap.dashboard import LogView
from undertow.dashboard.app import build_app
from undertow.dashboard.pages import VIEWS
from undertow.dashboard.views.segments import PER_PAGE
from unit.dashboard.conftest import Client, FixedLog, made_ui
from unit.reports.factory import many_segments

MOST_BYTES = 500_000
"""Of a page before it is compressed: some hundreds of rows."""


def over(store):
    """A client of a dashboard that has read a log; and the log."""
    log = LogView(AuditRequest((str(store),)))
    log.refresh()
    return Client(build_app(made_ui(log, store=store))), log


def looked_at(client, query="", *, but=()):
    """The text of every view, each of which answers soon and is no error; `but` some."""
    found = {}
    for view in VIEWS:
        if view.name in but:
            continue
        began = time.monotonic()
        answer = client.get(view.path + query)
        assert answer.status == (303 if view.name == "power" and "as_of" in query else 200), view.name
        assert len(answer.body) < MOST_BYTES, view.name
        assert time.monotonic() - began < 30.0, view.name
        found[view.name] = answer.text
    return found


@pytest.mark.parametrize("folders", [(), ("decisions",), ("decisions", "signals", "state")])
def test_an_empty_log_is_said_to_be_one_in_every_view(tmp_path, folders):
    for folder in folders:
        (tmp_path / folder).mkdir()
    client, log = over(tmp_path)
    assert log.seen is None
    assert log.reading.problem
    pages = looked_at(client)
    assert "There is nothing to show yet" in pages["overview"]
    assert client.get("/ui/quality?as_of=2026-03-01").status == 200


@pytest.mark.parametrize("is_judged", [False, True])
def test_a_log_of_one_tier(tmp_path, is_judged):
    records = [record(number, NOON - timedelta(hours=6 * number), tier="only", first_tier="only", escalated=False, calls=()) for number in range(160)]  # fmt: skip
    signals = tuple(
        {"decision_id": f"d{number:04d}", "event_time": text(NOON - timedelta(hours=6 * number - 1)), "value": float(number % 5 > 0)}
        for number in range(160)
    )  # fmt: skip
    client, log = over(write_store(tmp_path / "store", *records, signals=signals if is_judged else ()))
    assert [each.tier for each in log.seen.report.tiers] == ["only"]
    assert "only" in looked_at(client)["overview"]
    looked_at(client, f"?as_of={(NOON - timedelta(days=9)).date()}")
    for path in ("/ui/segments/compare", "/ui/segments/one?tier=only&segment=intent%3Dbilling"):
        assert client.get(path).status == 200


def test_a_segment_for_each_request_is_left_out_and_named(tmp_path):
    folder = tmp_path / "decisions" / "date=2026-03-01"
    folder.mkdir(parents=True)
    duckdb.sql(
        f"""
        COPY (SELECT 'd' || i AS decision_id, TIMESTAMP '2026-02-01' + INTERVAL (i * 12) SECOND AS event_time, 'live' AS origin,
                     MAP {{'customer': 'c' || i, 'intent': ['billing', 'other'][1 + i % 2]}} AS segment, ['cheap', 'capable'][1 + i % 4 // 3] AS tier,
                     0.01 AS cost_usd, 0.9 AS confidence FROM range(200000) t(i)) TO '{folder / "a.parquet"}'
        """
    )
    client, log = over(tmp_path)
    assert len(log.seen.cells.segments) == 3, "the whole tier and two intents"
    pages = looked_at(client)
    assert "egment keys with more than 64 values were left out: `customer`." in pages["segments"]
    assert "`customer`" in pages["health"]


def test_of_a_hundred_thousand_segments_a_page_shows_some_and_says_how_many_there_are(tmp_path):
    log = FixedLog(many_segments(100_000))
    log.request = AuditRequest((str(write_store(tmp_path / "store", *some(20))),))
    client = Client(build_app(made_ui(log)))
    pages = looked_at(client)
    assert f"100,000 of 100,000 segments, page 1 of {100_000 // PER_PAGE}" in pages["segments"]
    assert "1 of 100,000 segments" in client.get("/ui/segments?q=tenant-99999").text


def test_a_log_that_grows_shrinks_and_ends_while_pages_are_asked_for(tmp_path):
    store = write_store(tmp_path / "store", *some(60))
    client, log = over(store)
    assert "60" in looked_at(client)["health"]
    write_store(store, *(record(1000 + number, datetime(2026, 3, 11, tzinfo=UTC)) for number in range(30)))
    log.refresh()
    assert "90" in looked_at(client)["health"]
    for file in sorted((store / "decisions").rglob("*.jsonl"))[1:]:
        file.unlink()
    log.refresh()
    looked_at(client)
    for file in (store / "decisions").rglob("*.*"):
        file.unlink()
    log.refresh()
    assert log.reading.problem
    assert "capable" in looked_at(client, but={"decisions"})["overview"], "the last reading stays"
    gone = client.get("/ui/decisions")
    assert gone.status == 400
    assert "Traceback" not in gone.text
