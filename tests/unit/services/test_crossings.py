"""Which streams are named, and when."""

from dataclasses import replace

import numpy as np
import pytest

from cells_factory import DAY
from undertow.records.label_grid import SignalUnit
from undertow.records.stream import MonitoredStream
from undertow.services.crossings import crossings
from undertow.services.evidence import Evidence


def test_an_alarm_needs_the_line():
    quiet = Evidence((), np.zeros(0), np.full(30, 7199.0), 3, 7200.0)
    assert crossings(quiet) == []
    assert DAY == 86_400


def stream(segment, kind="change", role="segment"):
    unit = SignalUnit(0, "review.accuracy", "sampled", "human", 100.0, 0.0)
    nothing = np.zeros((30, 1))
    return MonitoredStream(unit, 0, segment, role, kind, "quality", np.zeros(30), 0, nothing, nothing)


def evidence_of(values):
    """Three streams of equal weight with this evidence a day; armed from the third day on. Shape of `values`: (T, 3)."""
    days = np.zeros((30, 3))
    days[: len(values)] = values
    streams = tuple(replace(stream(i, role="segment" if i else "tier"), evidence=days[:, i]) for i in range(3))
    weights = np.full(3, 1.0 / 3.0)
    return Evidence(streams, weights, days @ weights, 2, 7200.0)


def test_the_largest_contributor_is_named_in_the_first_bucket_over_the_line():
    quiet = [[0.0, 0.0, 0.0]] * 5
    (found,) = crossings(evidence_of([*quiet, [9_000.0, 14_000.0, 0.0]]))
    assert (found.bucket, found.stream.segment, found.is_first, found.passes_alone) == (5, 1, True, False)
    assert found.log10_evidence == pytest.approx(np.log10(23_000 / 3))


def test_later_ones_must_pass_by_themselves_and_each_place_is_named_once():
    days = [[0.0, 0.0, 0.0]] * 5 + [[0.0, 30_000.0, 0.0], [0.0, 30_000.0, 10_000.0], [0.0, 30_000.0, 30_000.0]]
    found = crossings(evidence_of(days))
    assert [(each.bucket, each.stream.segment) for each in found] == [(5, 1), (7, 2)]
    assert [each.is_first for each in found] == [True, False]


def test_nothing_is_named_before_the_alarms_are_armed():
    assert crossings(evidence_of([[1e9, 1e9, 1e9]] * 2)) == []
