from datetime import date

import pytest

from undertow.errors import DataError
from undertow.records.review import Candidate, DayFrame, KeptDraws
from undertow.sampling.batch import BatchRules
from undertow.services.review_draw import draw_day

DAY = date(2026, 3, 1)


class Log:
    """A log of one day in memory."""

    def __init__(self, count=100, is_drawn=False, measured=("confidence",)):
        self.frame = DayFrame(
            tuple(Candidate(f"d{i}", "cheap", confidence=i / 100) for i in range(count)),
            "intent",
            is_drawn,
            frozenset(measured),
        )
        self.kept = None

    def read(self, day, segment_key):
        assert (day, segment_key) == (DAY, "intent")
        return self.frame

    def keep(self, day, rows, at):
        self.kept = (day, rows, at)
        return KeptDraws(len(rows), 0, ())


def drawn(log, **values):
    return draw_day(log, DAY, BatchRules(per_day=20), "s", at="2026-03-02T06:00:00Z", segment_key="intent", **values)


def test_a_row_for_every_decision_chosen_or_not():
    log = Log()
    found = drawn(log)
    _, rows, at = log.kept
    assert at == "2026-03-02T06:00:00Z"
    assert (len(rows), sum(row.chosen for row in rows), found.drawn, found.decisions) == (100, 20, 20, 100)
    assert sum(row.inclusion_probability for row in rows) == pytest.approx(20)
    assert all(isinstance(row.chosen, bool) for row in rows)


def test_a_dry_run_writes_nothing():
    log = Log()
    assert drawn(log, is_dry=True).kept is None
    assert log.kept is None


def test_a_day_is_drawn_once():
    with pytest.raises(DataError, match="was drawn for review already"):
        drawn(Log(is_drawn=True))


def test_a_day_without_decisions_is_none():
    with pytest.raises(DataError, match="no served decision on 2026-03-01"):
        drawn(Log(count=0))


def strata(*measured):
    log = Log(measured=measured)
    drawn(log)
    return {row.stratum for row in log.kept[1]}


def test_strata_before_and_after_a_judge_comes_are_not_one():
    before, after = strata("confidence"), strata("confidence", "judge")
    assert before == {"tail", "common"}
    assert not before & after
    assert {name.partition("@")[0] for name in after} == before
    assert strata("confidence", "judge") == after
    assert not strata("confidence", "agreement") & after
