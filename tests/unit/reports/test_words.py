from dataclasses import replace
from typing import get_args, get_type_hints

import pytest

from undertow.records.cells import CHANGE_KINDS
from undertow.records.report import Alarm, Basis, Cause, ReferenceReport, SegmentReport, Verdict
from undertow.reports import words
from unit.reports.factory import BILLING, alarm, parts


@pytest.mark.parametrize(
    ("table", "closed"),
    [
        (words.VERDICTS, get_args(Verdict)),
        (words.CAUSES, get_args(Cause)),
        (words.BASES, get_args(Basis)),
        (words.STATES, get_args(get_type_hints(SegmentReport)["state"])),
        (words.REFERENCES, get_args(get_type_hints(ReferenceReport)["kind"])),
        (words.CHANGES, CHANGE_KINDS),
    ],
)
def test_every_value_of_the_contract_has_words(table, closed):
    assert set(table) == set(closed)


def test_every_verdict_and_state_has_its_own_symbol():
    for table in (words.VERDICTS, words.STATES):
        assert len({said.symbol for said in table.values()}) == len(table)
        assert len({said.ascii_symbol for said in table.values()}) == len(table)
        assert all(said.ascii_symbol.isascii() for said in table.values())


@pytest.mark.parametrize("kind", get_args(get_type_hints(Alarm)["kind"]))
@pytest.mark.parametrize("beyond", [True, False, None])
def test_the_kind_of_an_alarm_is_said(kind, beyond):
    text = words.alarm_kind(replace(alarm(), kind=kind, beyond_margin=beyond))
    assert ("no proof of harm" in text) == (kind == "drift")
    assert ("already beyond" in text) == (kind == "change" and beyond is True)
    assert ("not yet shown" in text) == (kind != "drift" and beyond is False)


def test_an_unknown_monitor_keeps_its_name():
    assert words.monitor_words("quality") == "answer quality"
    assert words.monitor_words("novelty") == "novelty"


def test_the_glossary_explains_the_words_of_the_page():
    assert {"Tier", "Segment", "Loss", "Margin", "Onset", "Holdout", "Pareto trap"} <= {
        term for term, _ in words.GLOSSARY
    }


def test_parts_name_the_largest_segments_and_what_moved():
    told = words.parts(parts(BILLING), str)
    assert told == (
        "3.4 points (2.0 to 5.0 points) inside segments of intent, of that 3.0 points in intent=billing, 0.4 points in segments with few "
        "labels; 0.9 points (0.4 to 1.4 points) traffic that moved between them"
    )
