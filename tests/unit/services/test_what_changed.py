"""What changed about the onset of an alarm, from cells to the sentence."""

from dataclasses import replace

import numpy as np
import pytest

from cells_factory import FIRST, build, calls, day, labels, model, served
from undertow.records.label_grid import signal_units
from undertow.records.report import Alarm
from undertow.records.segment import WHOLE, Segment
from undertow.services.what_changed import Onset, decomposition_of, with_what_changed

DAYS, AT = 60, 30
SINCE = np.arange(DAYS) >= AT


def parts_of(name, shares, rates, n=200):
    """Traffic and labels of the cheap tier in one segment, before and since the onset."""
    share, rate = np.where(SINCE, shares[1], shares[0]), np.where(SINCE, rates[1], rates[0])
    many = np.round(n * share)
    segment = f"intent={name}"
    return [
        served("cheap", np.round(1000 * share), days=DAYS, segment=segment),
        labels("cheap", many, np.round(many * rate), days=DAYS, segment=segment, weight=10.0),
    ]


def log(*more):
    return build(
        *parts_of("billing", (0.3, 0.5), (0.1, 0.3)), *parts_of("other", (0.7, 0.5), (0.05, 0.05)),
        served("capable", 100, days=DAYS, segment="intent=other"), *more,
    )  # fmt: skip


ONSET = Onset(start=0, at=AT, low=AT - 2, high=AT + 2)


def alarm():
    return Alarm(
        "quality", "review.accuracy", "cheap", WHOLE, "routing", "human", day(AT + 5), day(AT), (day(AT - 2), day(AT + 2)),
        0.1, (0.05, 0.15), 4.0,
    )  # fmt: skip


def told(cells, onset=ONSET, tier=0, given=None):
    return with_what_changed(cells, given or alarm(), signal_units(cells)[0], tier, onset, FIRST, DAYS, 0.95)


def test_the_rise_is_divided_by_the_traffic_of_the_tier():
    parts = told(log()).parts
    assert parts.key == "intent"
    assert parts.change == pytest.approx(0.175 - 0.065, abs=0.01)
    assert parts.mix == pytest.approx(0.2 * 0.2 - 0.2 * 0.05, abs=0.01)
    assert parts.within == pytest.approx(0.4 * 0.2, abs=0.01)
    assert parts.mix + parts.within == pytest.approx(parts.change)
    assert parts.segments[0].segment == Segment("intent", "billing")
    assert parts.segments[0].interval[0] < parts.segments[0].value < parts.segments[0].interval[1]


def test_the_sentence_names_what_changed_then():
    swap = [
        model("cheap", "v2", 1000, days=AT - 1, kind="calibration_version"),
        model("cheap", "v3", 1000, days=DAYS - AT + 1, start=AT - 1, kind="calibration_version"),
    ]
    failed = np.where(np.arange(DAYS) == AT - 2, 40.0, 1.0)
    answered, lost = (
        calls("capable", "serve", 1.0, days=DAYS),
        calls("capable", "serve", None, days=DAYS, fate="failed"),
    )
    answered.columns["calls"], lost.columns["calls"] = np.full(DAYS, 1000.0), failed
    found = told(log(*swap, answered, lost))
    assert found.story == (
        "Since 31 January; what changed then: calibration version v3 began on 30 January; 73 % of the loss lies within billing, "
        "27 % is traffic that moved to segments that fail more; the capable tier's upstream answered 3.8 % of calls with errors "
        "on 29 January (usually 0.1 %)."
    )  # fmt: skip
    assert found.changed_nearby == ("calibration version v3 began on 30 January",)
    assert len(found.incidents) == 1


def test_a_segment_that_changed_its_name_then_is_said():
    renamed = [
        served("capable", 200, days=AT, segment="intent=old"),
        served("capable", 200, days=DAYS - AT, start=AT, segment="intent=new"),
    ]
    assert "segment intent=new first seen on 31 January; intent=old was last seen then" in told(log(*renamed)).story


def test_without_days_before_there_is_nothing_to_divide():
    cells = log()
    assert told(cells, Onset(0, 1, 0, 2)).parts is None
    assert told(cells, Onset(0, DAYS, DAYS - 1, DAYS)).parts is None
    assert decomposition_of(build(served("cheap", 9, days=9), labels("cheap", 5, 1, days=9)), signal_units(cells)[0], 0, Onset(0, 5, 4, 6), FIRST, 9, 0.95) is None  # fmt: skip


def test_the_capable_tier_is_not_divided_since_the_policy_chooses_its_traffic():
    found = told(log(), tier=1, given=replace(alarm(), tier="capable"))
    assert found.parts is None
    assert found.story


def test_an_alarm_without_onset_is_left_alone():
    given = replace(alarm(), onset=None, onset_interval=None)
    assert told(log(), given=given) == given
