"""Where segments go after an alarm: expected value decides, and what is unknown fails towards the capable tier."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.actions.placing import PlacingRule, Worth, contradicted, place, weigh
from undertow.errors import StatisticalError
from undertow.stats.pooled_rises import RiseCounts, expected_rises


def rises(failures, labels):
    column = np.asarray(failures, dtype=float)[:, None]
    many = np.broadcast_to(np.asarray(labels, dtype=float), len(failures))[:, None]
    return expected_rises(RiseCounts(np.ones_like(column), column, many, np.full_like(column, 0.08), 0 * column, 0 * column, np.full_like(column, 0.1)))  # fmt: skip


def worth(segments, savings=0.10, cost=3.0):
    return Worth(np.full(segments, savings), np.full(segments, cost))


def test_what_loses_more_than_it_saves_goes_back_and_the_rest_stays():
    decided = place(rises([120, 34, 32], 400), worth(3))
    assert decided.kept.tolist() == [False, True, True]
    assert (decided.net_usd > 0).tolist() == [False, True, True]


def test_savings_and_cost_move_the_decision():
    seen = rises([120, 50, 50], 400)
    assert place(seen, worth(3, savings=5.0)).kept.all()
    assert not place(seen, worth(3, cost=300.0)).kept.any()
    assert place(seen, worth(3, cost=0.0)).kept.all(), "failures that cost nothing are no reason"


@pytest.mark.parametrize(("savings", "cost"), [(np.nan, 3.0), (0.10, np.nan), (np.nan, np.nan), (np.inf, 3.0)])
def test_where_money_is_unknown_the_margin_decides(savings, cost):
    decided = place(rises([120, 320], [400, 4000]), worth(2, savings, cost), PlacingRule(margin=0.02))
    assert decided.kept.tolist() == [False, True]
    assert np.isnan(decided.net_usd).all()


def test_unknown_money_fails_towards_capable():
    """A rise of four points that savings would pay for; without knowing that, the segment goes back, and an unlabelled one with it."""
    seen, rich = rises([480, 0], [4000, 0]), worth(2, savings=1.0, cost=3.0)
    assert place(seen, rich).kept.all()
    assert not place(seen, worth(2, savings=np.nan), PlacingRule(margin=0.02)).kept.any()


def test_unknown_money_of_one_segment_leaves_the_others_as_they_are():
    seen = rises([120, 50, 33], 400)
    known = place(seen, worth(3))
    mixed = place(seen, Worth(np.array([0.1, np.nan, 0.1]), np.full(3, 3.0)))
    assert mixed.kept[[0, 2]].tolist() == known.kept[[0, 2]].tolist()
    assert np.isnan(mixed.net_usd).tolist() == [False, True, False]


counted = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 200)), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(counted, st.integers(0, 5), st.integers(1, 30), st.booleans())
def test_more_failures_never_make_a_segment_kept(pairs, which, more, known):
    failures = np.array([k for k, _ in pairs])
    labels = failures + np.array([rest for _, rest in pairs]) + 30
    which %= len(pairs)
    money = worth(len(pairs), savings=0.1 if known else np.nan)
    before = place(rises(failures, labels), money).kept
    worse = failures.copy()
    worse[which] += more
    after = place(rises(worse, labels), money).kept
    assert not (after & ~before).any()


@settings(deadline=None, max_examples=40)
@given(counted, st.randoms(use_true_random=False))
def test_the_order_of_segments_does_not_matter(pairs, random):
    failures = np.array([k for k, _ in pairs])
    labels = failures + np.array([rest for _, rest in pairs])
    order = list(range(len(pairs)))
    random.shuffle(order)
    savings = np.linspace(0.05, 0.2, len(pairs))
    one = place(rises(failures, labels), Worth(savings, np.full(len(pairs), 3.0)))
    other = place(rises(failures[order], labels[order]), Worth(savings[order], np.full(len(pairs), 3.0)))  # fmt: skip
    assert other.net_usd == pytest.approx(one.net_usd[order])
    certain = np.abs(one.net_usd[order]) > 1e-9
    assert (other.kept == one.kept[order])[certain].all()


def test_what_the_last_labels_contradict_counts_anew():
    recent = rises([200, 32, 60], [1000, 400, 500])
    kept = np.array([True, False, True])
    assert contradicted(recent, worth(3), kept).tolist() == [True, True, False]
    assert contradicted(recent, worth(3), ~kept).tolist() == [False, False, False]
    unsure = rises([4, 3], 30)
    assert not contradicted(unsure, worth(2), [True, False]).any()


def counts(failures, labels):
    column = np.asarray(failures, dtype=float)[:, None]
    return RiseCounts(np.ones_like(column), column, np.full_like(column, labels), np.full_like(column, 0.08), 0 * column, 0 * column, np.full_like(column, 0.1))  # fmt: skip


def test_a_loss_that_came_late_is_not_hidden_by_weeks_without_one():
    long, late = counts([320, 320], 4000), counts([40, 10], 120)
    assert place(expected_rises(long), worth(2)).kept.all()
    placing, seen = weigh(long, late, worth(2))
    assert placing.kept.tolist() == [False, True]
    assert seen.expected[0] > 0.1


def test_labels_that_do_not_contradict_leave_the_decision_to_all_of_them():
    long = counts([320, 800], 4000)
    with_late, seen = weigh(long, counts([12, 20], 120), worth(2))
    without, _ = weigh(long, None, worth(2))
    assert with_late.kept.tolist() == without.kept.tolist() == [True, False]
    assert seen.expected == pytest.approx(expected_rises(long).expected)


def test_failures_that_earn_money_are_refused():
    with pytest.raises(StatisticalError, match="at least 0"):
        place(rises([10], 100), worth(1, cost=-1.0))
