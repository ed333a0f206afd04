"""What every page shares."""

import base64
import hashlib
import re

import pytest
from jinja2 import TemplateAssertionError

from undertow.reports import figures
from undertow.reports.calibration_html import render_calibration
from undertow.reports.html import render_html
from undertow.reports.page import kept, name, render_page, source
from unit.reports.calibration_factory import hostile, single
from unit.reports.factory import pareto_trap

PAGES = {"calibration": lambda: render_calibration(single()), "audit": lambda: render_html(pareto_trap())}


@pytest.mark.parametrize("page", PAGES)
def test_the_one_script_is_named_by_its_hash(page):
    page = PAGES[page]()
    digest = re.search(r"script-src 'sha256-([^']+)'", page).group(1)
    inline = re.search(r"<script>(.*?)</script>", page, re.DOTALL).group(1)
    assert digest == base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert inline == source("report.js")


@pytest.mark.parametrize("page", PAGES)
def test_all_pages_have_one_style_sheet(page):
    assert source("report.css") in PAGES[page]()


def test_a_filter_of_one_page_is_unknown_to_all_others():
    render_html(pareto_trap())
    with pytest.raises(TemplateAssertionError, match="No filter named"):
        render_page("report.html.j2")


def test_a_unit_stays_on_the_line_of_its_number():
    assert kept(figures.milliseconds)(84.2) == "84\N{NO-BREAK SPACE}ms"
    assert kept(figures.milliseconds)(None) == figures.ABSENT


def test_a_name_is_escaped_and_cut():
    assert name("<i>") == '<bdi class="name">&lt;i&gt;</bdi>'
    assert name("x" * 50, 10).startswith(f'<bdi class="name" title="{"x" * 50}">xxxx')


def test_names_are_isolated_and_whole_on_hover():
    assert re.search(r'<bdi class="name" title="x{150,}', render_calibration(hostile()))
