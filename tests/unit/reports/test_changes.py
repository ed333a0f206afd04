from undertow.records.report import Change
from undertow.reports.changes import LETTERS, marks
from unit.reports.factory import day

PERIOD = (day(0), day(50))


def test_one_event_of_two_tiers_is_one_letter():
    found = marks(
        [Change(day(5), "policy_version", tier, "v2", "v1") for tier in ("cheap", "capable", "cheap")], PERIOD
    )
    assert [(mark.letter, mark.at) for mark in found] == [("A", day(5))]
    assert found[0].events == (("policy_version", "v2", "v1", ("cheap", "capable")),)


def test_two_events_of_one_day_share_a_letter_and_days_come_in_order():
    found = marks(
        [Change(day(9), "model", None, "b"), Change(day(5), "model", "x", "a"), Change(day(9), "policy", None, "p")],
        PERIOD,
    )
    assert [mark.letter for mark in found] == ["A", "B"]
    assert found[1].events == (("model", "b", "", ()), ("policy", "p", "", ()))


def test_what_lies_outside_the_period_is_left_out_and_letters_end():
    assert marks([Change(day(60), "model", None, "m"), Change(day(-3), "model", None, "m")], PERIOD) == ()
    assert len(marks([Change(day(n), "model", None, "m") for n in range(40)], PERIOD)) == len(LETTERS)
