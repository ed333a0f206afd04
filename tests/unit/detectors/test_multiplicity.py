"""The shared budget: sums, predictability, locating."""

import numpy as np
import pytest

from undertow.detectors.multiplicity import (
    RESERVE,
    WARNED_BOUNDS_SHARE,
    Stream,
    alarm_line,
    combine,
    judge_change_line,
    late_share,
    locate,
    stream_weights,
    warning_line,
)

KNOWN = [
    Stream("review.ok", "tier", "cheap", 0),
    Stream("review.ok", "tail", "cheap/0", 1),
    Stream("review.ok", "segment", "a", 0),
    Stream("review.ok", "segment", "b", 5),
    Stream("review.ok", "capable", "capable", 0),
]
LATE = [
    Stream("review.ok", "segment", "c", 40),
    Stream("review.ok", "segment", "d", 40),
    Stream("shadow.win", "tier", "cheap", 50),
    Stream("shadow.win", "segment", "a", 52),
    Stream("review.ok", "segment", "e", 60),
]


def test_known_streams_share_by_role():
    w = stream_weights(KNOWN, 28) / (1 - RESERVE) ** 3
    assert w == pytest.approx([0.25, 0.25, 0.15, 0.15, 0.2])


def test_missing_roles_leave_their_share_to_the_others():
    w = stream_weights(KNOWN[:1] + KNOWN[4:], 28) / (1 - RESERVE) ** 3
    assert w == pytest.approx([0.25 / 0.45, 0.2 / 0.45])


def test_weights_never_exceed_the_budget_and_are_positive():
    w = stream_weights(KNOWN + LATE, 28)
    assert (w > 0.0).all()
    assert w.sum() <= 1.0
    assert w[5] == w[6] > w[9]


@pytest.mark.parametrize("day", [28, 40, 50, 52])
def test_cutting_the_log_changes_no_earlier_weight(day):
    everything = KNOWN + LATE
    full = dict(zip(everything, stream_weights(everything, 28), strict=True))
    then = [s for s in everything if s.first_seen <= day]
    assert stream_weights(then, 28) == pytest.approx([full[s] for s in then])


def test_order_of_streams_does_not_matter():
    everything = KNOWN + LATE
    backwards = stream_weights(everything[::-1], 28)[::-1]
    assert backwards == pytest.approx(stream_weights(everything, 28))


def test_signals_share_as_asked():
    streams = [Stream("review.ok", "tier", "cheap", 0), Stream("thumb.up", "tier", "cheap", 0)]
    w = stream_weights(streams, 28, {"review.ok": 3.0})
    assert w[0] == pytest.approx(3 * w[1])


def test_late_shares_sum_to_one():
    assert sum(late_share(b) for b in range(1, 100_000)) == pytest.approx(1.0, abs=1e-4)


def test_combine_and_line():
    m = np.array([[1.0, 2.0], [30.0, 40.0]])
    assert combine([0.25, 0.5], m) == pytest.approx([1.25, 27.5])
    assert alarm_line(180, 0.05) == pytest.approx(7200.0)


def test_locate_names_all_that_pass_and_always_the_largest():
    assert locate([0.5, 0.5], [300.0, 290.0], 100.0).tolist() == [True, True]
    # Neither passes alone: only the larger one is named.
    assert locate([0.5, 0.5], [99.0, 90.0], 100.0).tolist() == [True, False]
    assert locate([0.5, 0.5], [[300.0, 1.0], [1.0, 300.0]], 100.0).tolist() == [[True, False], [False, True]]


def test_all_warnings_of_judges_together_have_half_of_alpha():
    horizon, alpha = 180, 0.05
    sums = horizon / warning_line(horizon, alpha)
    changes = 2 * horizon / judge_change_line(horizon, alpha, judges=2)
    assert sums + WARNED_BOUNDS_SHARE * alpha + changes == pytest.approx(alpha / 2)
