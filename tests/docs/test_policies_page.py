"""The page on policies lists every reason that a record can hold, with its meaning."""

import re
from pathlib import Path

from undertow.records.reasons import REASONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "concepts" / "policies.md"


def test_the_reasons_are_those_of_the_code():
    section = PAGE.read_text(encoding="utf-8").split("## Reasons")[1].split("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)) == REASONS
