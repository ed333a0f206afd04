"""What every page shares."""

import base64
import hashlib
import re

from undertow.reports.calibration_html import render_calibration
from undertow.reports.page import source
from unit.reports.calibration_factory import hostile, single


def test_the_one_script_is_named_by_its_hash():
    page = render_calibration(single())
    digest = re.search(r"script-src 'sha256-([^']+)'", page).group(1)
    inline = re.search(r"<script>(.*?)</script>", page, re.DOTALL).group(1)
    assert digest == base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert inline == source("report.js")


def test_the_style_sheet_is_that_of_the_audit():
    assert source("report.css") in render_calibration(single())


def test_names_are_isolated_and_whole_on_hover():
    assert re.search(r'<bdi class="name" title="x{150,}', render_calibration(hostile()))
