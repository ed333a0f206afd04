"""What the reference pages say of settings, columns, commands and statuses is what the code says."""

import importlib.util
import re
from pathlib import Path

import pytest

from undertow.cli import exit_status

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted((PROJECT / "docs" / "reference").glob("*.md"))


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", PROJECT / "scripts" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_made_parts_are_current(reference, page):
    text = page.read_text()
    assert reference.made(text) == text, "run .venv/bin/python scripts/reference.py"


def test_every_part_that_is_made_stands_on_a_page(reference):
    found = {match[2] for page in PAGES for match in reference.PART.finditer(page.read_text())}
    assert found == set(reference.PARTS)


def test_every_exit_status_is_documented():
    page = (PROJECT / "docs" / "reference" / "cli.md").read_text()
    documented = {int(status) for status in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert documented == {value for name, value in vars(exit_status).items() if name.isupper()}


def test_every_check_of_doctor_has_its_heading_and_every_heading_its_check():
    page = (PROJECT / "docs" / "how-to" / "doctor.md").read_text()
    sources = [PROJECT / "src/undertow/verdicts/readiness.py", PROJECT / "src/undertow/cli/doctor.py"]
    checks = {check for path in sources for check in re.findall(r'Finding\(\s*"(\w+)"', path.read_text())}
    assert len(checks) > 20
    assert set(re.findall(r"^## `(\w+)`$", page, re.MULTILINE)) == checks


def test_every_reason_for_setting_a_row_aside_is_documented():
    from undertow.adapters.duckdb import row_rules

    pages = ("reference/row-rules.md", "how-to/import-logs.md", "how-to/train-a-classifier.md", "how-to/calibrate.md")
    # the engine's reasons, the importers', and those of training and calibrating
    page = "".join((PROJECT / "docs" / name).read_text(encoding="utf-8") for name in pages)
    in_rules = set(re.findall(r"`([a-z_]+(?:COLUMN)?)`", row_rules.__doc__)) - {
        "sampled",
        "unknown",
        "outcome",
        "received_at",
    }
    sources = (PROJECT / "src" / "undertow" / "adapters").rglob("*.py")
    counted = {name for path in sources for name in re.findall(r'reasons\["(\w+)"\]', path.read_text(encoding="utf-8"))}
    reasons = {name for name in in_rules | counted if not name.endswith("tier_models")}
    assert len(reasons) > 20
    missing = {name for name in reasons if f"`{name}`" not in page}
    assert not missing
