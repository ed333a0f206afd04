"""The week on a terminal and as JSON."""

import json

import pytest

from undertow.reports.weekly import week_document, week_lines
from unit.reports.factory import EVERY, HOSTILE
from week_factory import week


def test_the_verdict_is_the_first_word_and_every_part_is_there():
    lines = week_lines(week())
    text = "\n".join(lines)
    assert lines[0].startswith("Pareto trap. ")
    for said in (
        "a week ago healthy", "6,000 requests (60.0 %); the week before 5,000", "350 done; the week before 200", "alpha 0.71", "12 wait",
        "worse", "better", "new: ", "What was done", "sent back to the capable tier", "suggested, waits for a person", "What cannot be seen",
    ):  # fmt: skip
        assert said in text


def test_that_there_is_no_alarm_is_said():
    assert "none is open" in "\n".join(week_lines(week("healthy", opened=(), closed=(), still_open=())))


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("text", HOSTILE)
def test_names_from_a_log_do_not_act(name, text):
    said = "\n".join(week_lines(week(name, text=f"intent={text}")))
    assert "\x1b" not in said
    assert "\u202e" not in said


@pytest.mark.parametrize("name", EVERY)
def test_the_document_is_json(name):
    document = json.loads(json.dumps(week_document(week(name)), allow_nan=False))
    assert document["schema"] == "undertow.report/1"
    assert set(document["alarms"]) == {"opened", "closed", "still_open"}
    assert document["qualities"][0]["segment"] == {}
