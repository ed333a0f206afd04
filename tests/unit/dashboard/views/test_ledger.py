"""The ledger in the browser: the same figures and words as `undertow ledger`, and how each is known."""

import csv
import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from undertow.bootstrap.book_view import BookView
from undertow.dashboard.views.ledger import PER_PAGE, ReviewMonth, lines_of, review_months
from undertow.errors import LogError, UsageError
from undertow.records.cells import ReviewTimeCells
from undertow.records.money import Place
from undertow.reports.ledger import headline, projection_words
from unit.dashboard.conftest import FixedLog, made_ui
from unit.reports.factory import EVERY
from unit.reports.test_ledger import book, line


def shown(client, path, made=None, report="pareto_trap"):
    mine = client(made_ui(FixedLog(EVERY[report]())))
    view = BookView(None, lambda *_: book() if made is None else made())
    mine.app.state.book_view = view
    mine.get("/ui/ledger")
    view.wait(10)
    return mine.get(path)


@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_report_has_its_page(client, name):
    answer = shown(client, "/ui/ledger", report=name)
    assert answer.status == 200
    assert 'aria-current="page">Ledger' in answer.text
    assert "<script>alert" not in answer.text


def test_the_same_words_as_on_the_command_line(client):
    text = shown(client, "/ui/ledger").text.replace("&#39;", "'")
    assert headline(book()) in text
    assert projection_words(book().projections[0]) in text
    assert "Expected of outcomes that are still coming" in text
    assert "mind this".capitalize() in text
    assert "Without a price: " in text


def test_what_is_causal_has_a_word_and_a_sign(client):
    text = shown(client, "/ui/ledger").text
    assert "◆ causal" in text
    observed = shown(client, "/ui/ledger", lambda: replace(book(), causal=False)).text
    assert "<b>◇ observed</b>" in observed


@pytest.mark.parametrize(
    ("by", "called"), [("month", "2026-03"), ("segment", "intent=billing"), ("version", "abc"), ("tier", "cheap")]
)
def test_it_is_taken_apart_by_what_is_asked_for(client, by, called):
    text = shown(client, f"/ui/ledger?by={by}").text
    part = text[text.index('id="book"') : text.index('id="reviewers"')]
    assert called in part
    assert "▼</span> −$32" in part


def test_lines_are_searched_sorted_and_paged(client):
    many = replace(
        book(),
        lines=tuple(replace(line("segment", f"k={n}"), net_usd=None if n == 7 else float(n)) for n in range(250)),
    )
    best = lines_of(many, "segment", "", "-net")
    assert best[0][0] == "k=249"
    assert best[-1][0] == "k=7"  # what is not known comes last, whatever the order
    assert lines_of(many, "segment", "", "net")[-1][0] == "k=7"
    assert {name for name, _ in lines_of(many, "segment", "K=24", "")} == {"k=24", *(f"k=24{n}" for n in range(10))}
    with pytest.raises(UsageError, match="expected one of"):
        lines_of(many, "segment", "", "password")
    second = shown(client, "/ui/ledger?by=segment&page=2", lambda: many).text
    assert "page 2 of 3" in second
    assert second.count('scope="row"') >= PER_PAGE
    assert shown(client, "/ui/ledger?by=segment&page=99", lambda: many).status == 200
    for query in ("by=odd", "page=x", "by=segment&sort=odd"):
        assert shown(client, f"/ui/ledger?{query}").status == 400


def test_names_are_shown_inert(client):
    odd = "<script>alert(1)</script>"
    hostile = replace(
        book(),
        lines=(replace(line("segment", odd), place=Place("segment", odd), note=odd),),
        notes=(odd,),
        unpriced=(odd,),
    )
    assert odd not in shown(client, "/ui/ledger?by=segment", lambda: hostile).text


def test_until_there_is_a_book_the_page_says_so(client):
    mine = client(made_ui(FixedLog(EVERY["pareto_trap"]())))
    mine.app.state.book_view = SimpleNamespace()

    class Waiting(BookView):
        def ask(self, _):
            return replace(super().ask(self._key), is_making=True, what="joining")

    waiting = Waiting(None)
    waiting._key = "x"
    mine.app.state.book_view = waiting
    text = mine.get("/ui/ledger").text
    assert "for its money: joining" in text
    assert 'hx-trigger="every 2s"' in text
    assert "Net value" in text


def test_a_book_that_cannot_be_made_says_why(client):
    def broken():
        raise LogError("the log is gone")

    text = shown(client, "/ui/ledger", broken).text
    assert "The log is gone" in text
    assert "Net value" in text


def test_rows_may_be_taken_away(client):
    rows = list(csv.reader(io.StringIO(shown(client, "/ui/ledger?format=csv").text)))
    assert rows[-1][0] == "net value"
    assert float(rows[-1][3]) == pytest.approx(EVERY["pareto_trap"]().ledger.net_usd_month)
    lines = list(csv.DictReader(io.StringIO(shown(client, "/ui/ledger?format=csv&of=book").text)))
    assert {row["kind"] for row in lines} == {"whole", "segment", "version"}


def test_reviewers_minutes_are_summed_by_month():
    table = ReviewTimeCells(
        bucket=np.array([20_454, 20_455, 20_490]),
        votes=np.array([3, 2, 4]),
        timed=np.array([3, 1, 0]),
        seconds=np.array([90.0, 30.0, 0.0]),
    )
    told = review_months(SimpleNamespace(review_time=table, bucket_s=86_400))
    assert told == (ReviewMonth("2026-01", 5, 4, 2.0), ReviewMonth("2026-02", 4, 0, 0.0))


def test_an_earlier_day_says_what_is_not_of_it(client):
    mine = client(made_ui(FixedLog(EVERY["pareto_trap"]())))
    mine.app.state.book_view = BookView(None, lambda *_: book())
    mine.get("/ui/ledger")
    mine.app.state.book_view.wait(10)
    assert mine.get("/ui/ledger").status == 200
