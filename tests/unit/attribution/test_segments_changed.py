"""Segments that come, go, split and change their name."""

import numpy as np
import pytest

from cells_factory import build, day, served
from undertow.attribution.segments_changed import in_words, notes_on_segments, segment_changes
from undertow.records.segment import Segment

DAYS = 80
AT = 40


def log(**per_day):
    """A log whose segments of key `intent` have this many decisions, a scalar or one a day."""
    parts = [
        served("capable", np.broadcast_to(np.asarray(n, dtype=float), (DAYS,)), days=DAYS, segment=f"intent={name}")
        for name, n in per_day.items()
    ]
    kept = list(parts)
    for part in kept:
        alive = part.columns["decisions"] > 0
        part.columns.update({name: values[alive] for name, values in part.columns.items()})
    return build(*kept)


def since(n, at=AT):
    return np.where(np.arange(DAYS) >= at, n, 0)


def until(n, at=AT):
    return np.where(np.arange(DAYS) < at, n, 0)


def test_a_rename_names_both_sides_once():
    (change,) = segment_changes(log(billing=until(100), refund=since(100), other=900))
    assert change.segment == Segment("intent", "refund")
    assert (change.from_segment, change.is_gone, change.at) == (Segment("intent", "billing"), True, day(AT))
    assert change.share == pytest.approx(0.1)
    assert in_words(change).endswith("a rename?")


def test_a_split_leaves_the_rest():
    (change,) = segment_changes(log(billing=until(60) + 40, refund=since(60), other=900))
    assert (change.from_segment, change.is_gone) == (Segment("intent", "billing"), False)
    assert in_words(change).endswith("(6 %): a split?")


def test_a_new_kind_of_request_came_from_nowhere():
    (change,) = segment_changes(log(billing=100, refund=since(80), other=900))
    assert change.from_segment is None
    assert "since then" in in_words(change)


def test_what_vanished_without_a_successor():
    (change,) = segment_changes(log(billing=until(100), other=900))
    assert not change.appeared
    assert change.at == day(AT)
    assert (
        in_words(change) == "segment intent=billing was last seen before 10 February (10 % of the traffic until then)"
    )


@pytest.mark.parametrize(
    "quiet",
    [
        {"billing": 100, "other": 900},
        {"billing": 100, "refund": since(100, 3), "other": 900},  # the first week shows what there is
        {"billing": 100, "refund": since(2), "other": 900},  # too little to matter
        {"billing": np.where(np.arange(DAYS) % 9 == 0, 3, 0), "other": 900},  # seen now and then
    ],
)
def test_nothing_to_tell(quiet):
    assert segment_changes(log(**quiet)) == ()


def test_a_log_of_a_week_says_nothing():
    assert segment_changes(build(served("cheap", 100, days=7, segment="intent=a"))) == ()


def test_many_changes_are_counted():
    names = {f"n{i}": since(100) for i in range(9)} | {f"o{i}": until(100) for i in range(9)}
    notes = notes_on_segments(log(**names))
    assert len(notes) == 6
    assert notes[-1].endswith("more segments appeared or vanished")
