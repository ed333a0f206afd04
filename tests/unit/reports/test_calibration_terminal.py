"""The terminal's report of a calibration."""

import pytest

from undertow.reports.calibration_terminal import calibration_lines
from unit.reports.calibration_factory import EVERY, early, grouped, hopeless, hostile, shared, single, weighted


def text(report):
    return "\n".join(calibration_lines(report))


def test_the_verdict_comes_first_and_the_artefact_last():
    lines = calibration_lines(single())
    assert lines[0].startswith("Serving cheaply from confidence ")
    assert lines[-1] == '\nwrote calibration.json: use it with [policy] calibration = "calibration.json"'
    assert "1,200 from labels, 2026-01-01 to 2026-02-01" in text(single())


def test_each_group_has_a_line_with_aligned_columns():
    lines = calibration_lines(grouped())
    head = next(number for number, line in enumerate(lines) if line.startswith("  group "))
    table = lines[head : head + 5]
    assert [line.split()[0] for line in table] == ["group", "billing", "faq", "legal", "all"]
    assert table[-1].rstrip().endswith("-")
    assert len({line.rindex(" ") for line in table[1:4]}) == 1
    assert "quality   billing: AUROC 0." in text(grouped())


def test_what_is_missing_hidden_or_noted_is_said():
    assert "  missing   all requests: even the most confident" in text(hopeless())
    assert "  warning   the shared threshold hides " in text(shared())
    assert "  prefix    first 8 tokens: from confidence 0." in text(early())
    assert " worth " in text(weighted())
    assert "  left out  3 <i>" in text(hostile())


@pytest.mark.parametrize("name", EVERY)
def test_names_cannot_forge_lines(name):
    for line in calibration_lines(EVERY[name]()):
        assert "\x1b" not in line
        assert "\n" not in line.removeprefix("\nwrote")
        assert "\u202e" not in line
