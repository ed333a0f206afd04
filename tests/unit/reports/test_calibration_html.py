"""The page of a calibration."""

import re
from html.parser import HTMLParser

import pytest

from undertow.reports.calibration_html import render_calibration
from unit.reports.calibration_factory import EVERY, grouped, hopeless, hostile, shared, single


class _Balanced(HTMLParser):
    """Fails on an element that is closed by another, or never."""

    VOID = frozenset({"meta", "link", "br", "img", "line", "circle", "rect", "polyline", "polygon", "path"})

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):  # noqa: ARG002 (the signature of the base class)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("name", EVERY)
def test_it_is_one_file_that_loads_nothing_and_is_well_formed(name):
    page = render_calibration(EVERY[name]())
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    assert "nan" not in re.sub(r"finance|tenant|nano", "", page.lower())
    page.encode("utf-8")


def test_hostile_names_stay_text():
    page = render_calibration(hostile())
    assert "<script>window" not in page
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page


def test_it_says_what_the_terminal_says():
    page = render_calibration(single())
    assert "Serving cheaply from confidence 0." in page
    assert "served from 0." in page
    assert "2026-01-01" in page
    assert "calibration.json" in page


def test_groups_beyond_the_margin_are_marked_and_explained():
    page = render_calibration(shared())
    assert 'class="state bad"' in page
    assert "not for each" in page
    assert 'class="state bad"' not in render_calibration(grouped())
    assert "What to do next" in page


def test_no_threshold_is_no_good_news():
    page = render_calibration(hopeless())
    assert 'class="verdict unsure"' in page
    assert "Not certified" in page
