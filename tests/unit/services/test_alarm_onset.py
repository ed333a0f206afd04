"""Since when and how much."""

from alarm_logs import BAD, SEGMENTS, alarms, log, steered, step, told
from cells_factory import day
from undertow.records.segment import Segment


def test_labels_that_come_late_alarm_late_and_date_the_onset_by_the_decision():
    (alarm,) = alarms(*log({"intent=b": step(0.05, 0.35)}, delay=6))
    assert alarm.detected_at > day(BAD + 6)
    assert abs((alarm.onset - day(BAD)).days) <= 3


def test_labels_that_steering_drew_date_no_onset():
    """Pooled over strata they would: most labels are of the tail from the third day after the onset on."""
    for seed in (2, 3, 4):
        (alarm,) = told(steered((0.0, 0.25, 0.0), seed=seed))
        assert str(alarm.segment) == "intent=b"
        assert alarm.onset_interval[0] <= day(BAD) <= alarm.onset_interval[1]


def test_weights_count_in_what_is_told():
    """The tail (weight 1) fails more; the loss told is that of all traffic."""
    parts = log({"intent=b": step(0.05, 0.35)}, stratum_weights=(1.0, 5.0))
    (alarm,) = alarms(*parts)
    assert alarm.segment == Segment("intent", "b")
    assert alarm.latest_interval[0] < 0.3 < alarm.latest_interval[1]


def test_the_period_before_routing_stands_in_for_a_holdout():
    (alarm, *_) = alarms(*log(dict.fromkeys(SEGMENTS, 0.3), holdout=False))
    assert (alarm.kind, alarm.cause) == ("level", "routing")
