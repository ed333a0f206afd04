"""Decisions in the browser: who may see what, hostile text, filters in the address, paging."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from explorer_factory import NOON, record, some, write_store
from review_factory import sampled, write_texts
from undertow.adapters.duckdb.row_views import MAX_LINE_BYTES
from undertow.bootstrap.audit import AuditRequest
from undertow.bootstrap.dashboard import LogView
from undertow.dashboard.views.decisions import PER_PAGE, fields_of
from unit.dashboard.conftest import FixedLog, made_ui
from unit.reports.factory import EVERY

HOSTILE = "</pre><script>alert(1)</script>\x1b[31m\u202eevil"


def ui(store, role="operator", report=EVERY["pareto_trap"], **options):
    log = FixedLog(report() if report else None)
    log.request = AuditRequest((str(store),), **options)
    return made_ui(log, store=store, role=role)


@pytest.fixture
def store(tmp_path):
    hostile = record(
        900,
        NOON,
        decision_id="bad",
        prompt=HOSTILE,
        response=HOSTILE,
        segment={HOSTILE: HOSTILE},
        tier=HOSTILE,
        reason=HOSTILE,
        policy=HOSTILE,
    )
    signals = ({"decision_id": "d0001", "value": 0.0, "source": HOSTILE}, {"decision_id": "d0002", "value": 1.0})
    return write_store(tmp_path / "store", hostile, *some(120, days=6), signals=signals)


def links(text):
    return [unescape(link) for link in re.findall(r'href="(/ui/decisions[^"]*)"', text)]


def test_the_newest_come_first_and_all_are_reached_by_links(client, store):
    mine, path, seen = client(ui(store)), "/ui/decisions", []
    for _ in range(9):
        page = mine.get(path)
        assert page.status == 200
        seen += [link for link in links(page.text) if "day=" in link]
        older = re.search(r'<a rel="next" href="([^"]+)"', page.text)
        if older is None:
            break
        path = unescape(older[1])
    assert len(seen) == len(set(seen)) == 121
    assert PER_PAGE < 121


def test_filters_stand_in_the_address_and_in_the_form(client, store):
    mine = client(ui(store))
    failed = mine.get("/ui/decisions?label=failed").text
    assert "Decisions that failed" in failed
    assert "▲</span> failed" in failed
    assert [link for link in links(failed) if "day=" in link] == ["/ui/decisions/d0001?day=2026-03-10"]
    narrow = mine.get(
        "/ui/decisions?tier=capable&segment=intent%3Dbilling&day=2026-03-08&reason=unsure&arm=treatment"
    ).text
    assert 'value="intent=billing"' in narrow
    assert 'value="2026-03-08"' in narrow
    assert len([link for link in links(narrow) if "day=2026-03-08" in link and "/d0" in link]) == 3
    assert "No decision is like that" in mine.get("/ui/decisions?tier=nope").text


@pytest.mark.parametrize(
    "query", ["label=odd", "day=today", "day=0001-01-01", "segment=nonsense", "before=x", "before=0001-01-01T00:00:00"]
)
def test_what_cannot_be_asked_is_told(client, store, query):
    answer = client(ui(store)).get(f"/ui/decisions?{query}")
    assert answer.status == 400
    assert "expected" in answer.text


def test_a_folder_without_a_log_waits_for_one(client, tmp_path):
    answer = client(ui(tmp_path, report=None)).get("/ui/decisions")
    assert answer.status == 200
    assert 'class="waiting"' in answer.text
    assert client(ui(tmp_path)).get("/ui/decisions").status == 400, "a log that was read and has gone away since"


def test_text_is_for_reviewers_and_acts_on_nothing(client, store):
    for role in ("viewer", "reviewer"):
        for path in ("/ui/decisions", "/ui/decisions/bad", "/ui/decisions/d0001", "/ui/decisions?tier=%3C/pre%3E"):
            text = client(ui(store, role)).get(path).text
            assert "<script>alert" not in text
            assert "\x1b" not in text
            assert "\u202e" not in text
    seen = client(ui(store, "reviewer")).get("/ui/decisions/bad").text
    assert '<pre tabindex="0">&lt;/pre&gt;&lt;script&gt;alert(1)' in seen
    hidden = client(ui(store, "viewer"))
    assert "<pre" not in hidden.get("/ui/decisions/bad").text
    assert "Shown to reviewers." in hidden.get("/ui/decisions/bad").text
    assert 'class="excerpt"' not in hidden.get("/ui/decisions").text
    assert 'class="excerpt"' in client(ui(store, "reviewer")).get("/ui/decisions").text


def test_ids_of_people_are_for_reviewers():
    known = record(1, NOON, user_id="u-17", key_name="team")
    assert ("user_id", "u-17") in fields_of(known, with_ids=True)
    assert not {"user_id", "key_name", "conversation_id"} & {name for name, _ in fields_of(known, with_ids=False)}
    assert not {"prompt", "response"} & {
        name for name, _ in fields_of(record(1, NOON, prompt="p", response="r"), with_ids=True)
    }


def test_one_decision_says_why_and_what_became_of_it(client, store):
    text = client(ui(store)).get("/ui/decisions/d0001?day=2026-03-10").text
    assert "The cheap answer&#39;s confidence reached the threshold" in text
    assert "review.accuracy" in text
    assert "$0.0021" in text
    assert "$0.0079 was saved" in text
    assert 'aria-current="page">Decisions' in text
    assert "Its text is not kept." in text


def test_a_drawn_text_is_shown_once_it_was_judged(client, tmp_path):
    at = datetime(2026, 3, 1, 11, tzinfo=UTC)
    judged = ({"decision_id": "d0002", "value": 1.0},)
    store = write_store(tmp_path / "s", record(1, at), record(2, at), signals=judged)
    write_texts(store, sampled("d0001"), sampled("d0002"))
    mine = client(ui(store, "reviewer"))
    waits = mine.get("/ui/decisions/d0001").text
    assert "It waits to be judged." in waits
    assert "question d0001" not in waits
    assert "question d0002" in mine.get("/ui/decisions/d0002").text
    assert "question d0002" not in client(ui(store, "viewer")).get("/ui/decisions/d0002").text


def test_an_id_leads_to_its_page_whatever_it_is(client, tmp_path):
    odd = "a/../b?c&d=é"
    mine = client(ui(write_store(tmp_path / "s", record(1, NOON, decision_id=odd))))
    answer = mine.get("/ui/decisions?find=a/../b%3Fc%26d%3D%C3%A9")
    assert answer.status == 303
    assert mine.get(answer.headers["location"]).status == 200
    missing = mine.get("/ui/decisions/nope")
    assert missing.status == 404
    assert "No decision nope was found" in missing.text


def test_rows_may_be_taken_away(client, store):
    rows = list(csv.DictReader(io.StringIO(client(ui(store)).get("/ui/decisions?format=csv").text)))
    assert len(rows) == 121
    assert {"decision_id", "event_time", "tier", "reason", "worst"} <= set(rows[0])
    assert "prompt" not in rows[0]


def test_before_the_log_was_read_decisions_are_shown_all_the_same(client, store):
    answer = client(ui(store, report=None)).get("/ui/decisions?tier=cheap")
    assert answer.status == 200
    assert '<input name="tier" value="cheap"' in answer.text


def test_a_log_of_another_program_says_what_is_possible(client, tmp_path):
    (tmp_path / "x.jsonl").write_text("{}\n", encoding="utf-8")
    mine = client(ui(tmp_path / "x.jsonl", format="litellm"))
    for path in ("/ui/decisions", "/ui/decisions/x"):
        text = mine.get(path).text
        assert "in the format of litellm" in text
        assert "docs/reference/decision-log.md" in text


def test_lines_that_could_not_be_read_are_counted(client, store):
    report = EVERY["pareto_trap"]()
    broken = replace(
        report, coverage=replace(report.coverage, reasons={"line_too_long": 2, "bad_json": 1, "duplicate": 7})
    )
    for path in ("/ui/decisions", "/ui/decisions?tier=nobody"):
        text = client(ui(store, report=lambda: broken)).get(path).text
        assert "3 lines of the log could not be read and are in no list: 2 longer than 8 MiB, 1 no JSON." in text
    assert "could not be read" not in client(ui(store)).get("/ui/decisions").text


def test_a_line_too_long_for_the_list_is_counted_by_the_reading_of_the_log(client, tmp_path):
    store = write_store(tmp_path / "store", *some(40))
    (file,) = (store / "decisions").rglob("*.jsonl")
    long = json.dumps(
        {
            "decision_id": "long",
            "event_time": "2026-03-10T12:00:00Z",
            "tier": "cheap",
            "prompt": "x" * (MAX_LINE_BYTES + 10),
        }
    )
    file.write_text(file.read_text() + long + "\n")
    log = LogView(AuditRequest((str(store),)))
    log.refresh()
    text = client(made_ui(log, store=store)).get("/ui/decisions").text
    assert "1 line of the log could not be read and is in no list: 1 longer than 8 MiB." in text
