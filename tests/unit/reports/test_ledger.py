import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from undertow.records.money import Book, MoneyLine, Place, Projection
from undertow.reports.ledger import LISTS, book_csv, book_document, book_lines, headline, lines_by


def line(kind="whole", name="", month=None, tier=None):
    return MoneyLine(Place(kind, name), month, tier, 1000, 50.0, 2.0, 80.0, (60.0, 100.0), -32.0, (-52.0, -12.0))


def book(**more):
    projection = Projection("churn", 900.0, (100.0, 1700.0), 0.4, 14.0, True, 6, 0.05, 0.01)
    lines = (
        line(),
        line(month="2026-03"),
        line(tier="cheap"),
        line("segment", "intent=billing"),
        line("version", "abc"),
    )
    whole = Book(
        -320.0,
        (-520.0, -120.0),
        datetime(2026, 3, 1, tzinfo=UTC),
        True,
        0.95,
        lines,
        (projection,),
        ("csat",),
        ("mind this",),
    )
    return replace(whole, **more)


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((-520.0, -120.0), "costs more than it saves"),
        ((120.0, 520.0), "pays: net"),
        ((-1.0, 1.0), "is open"),
        (None, "too few users"),
    ],
)
def test_the_headline_goes_by_the_interval(interval, said):
    assert said in headline(book(net_interval=interval))


def test_an_observation_is_called_one():
    assert "an observation" in headline(book(causal=False))
    assert "not known" in headline(book(net_usd_month=None))


def test_every_list_is_shown_and_projections_stand_apart():
    text = "\n".join(book_lines(book(), ("month", "segment", "version", "tier")))
    for said in ("2026-03", "intent=billing", "abc", "cheap", "in no sum above", "off by 5.0 %", "csat", "mind this"):
        assert said in text


def test_the_document_is_json():
    document = json.loads(json.dumps(book_document(book()), allow_nan=False))
    assert document["schema"] == "undertow.ledger/1"
    assert document["since"] == "2026-03-01T00:00:00Z"
    assert len(document["lines"]) == 5


def test_csv_has_every_line_and_no_formula():
    evil = "=HYPERLINK(1)"
    rows = list(csv.DictReader(io.StringIO(book_csv(book(lines=(line("segment", evil), line()))))))
    assert [row["name"] for row in rows] == [f"'{evil}", ""]
    assert rows[0]["net_low_usd"] == "-52.00"


def test_names_cannot_act_on_the_terminal():
    text = "\n".join(book_lines(book(lines=(line("segment", "a=\x1b[31m\u202e\n"),)), ("segment",)))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_each_list_has_its_own_lines():
    called = {name: [text for text, _ in lines_by(book(), name)] for name in LISTS}
    assert called == {"month": ["2026-03"], "segment": ["intent=billing"], "version": ["abc"], "tier": ["cheap"]}
