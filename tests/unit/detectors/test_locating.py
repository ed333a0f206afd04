import numpy as np
import pytest

from undertow.detectors.locating import Rest, segment_of_rise

BEFORE_N = np.array([[600.0], [200.0], [200.0], [200.0]])
BEFORE = np.array([[30.0], [10.0], [10.0], [10.0]])


def after(*failures):
    return np.array([[float(sum(failures))], *([float(k)] for k in failures)])


def test_the_segment_that_rose_is_named():
    assert segment_of_rise(BEFORE, BEFORE_N, after(10, 60, 11), BEFORE_N) == 1


def test_a_rise_of_all_segments_is_the_whole_tiers():
    assert segment_of_rise(BEFORE, BEFORE_N, after(40, 44, 38), BEFORE_N) is None


def test_points_count_and_not_multiples():
    """One segment trebles from 1 to 3 points, another goes from 30 to 45: the second lost more."""
    before = np.array([[62.0], [2.0], [60.0]])
    n = np.array([[400.0], [200.0], [200.0]])
    assert segment_of_rise(before, n, np.array([[216.0], [12.0], [204.0]]), n * 2) == 1


def test_a_hard_segment_that_stayed_hard_is_not_named():
    before = np.array([[110.0], [10.0], [100.0]])
    n = np.array([[400.0], [200.0], [200.0]])
    assert segment_of_rise(before, n, np.array([[160.0], [60.0], [100.0]]), n) == 0


def test_few_labels_name_nothing():
    assert segment_of_rise(BEFORE, BEFORE_N, after(0, 2, 0), np.array([[15.0], [5.0], [5.0], [5.0]])) is None


def test_no_segments_or_no_labels_since_name_nothing():
    assert segment_of_rise(BEFORE[:1], BEFORE_N[:1], BEFORE[:1], BEFORE_N[:1]) is None
    assert segment_of_rise(BEFORE, BEFORE_N, BEFORE * 0, BEFORE_N * 0) is None


def test_a_fall_is_never_named():
    assert segment_of_rise(BEFORE * 5, BEFORE_N, after(50, 0, 50), BEFORE_N) is None


@pytest.mark.parametrize("tail_labels", [100.0, 500.0])
def test_more_labels_of_the_tail_are_no_rise(tail_labels):
    """A segment whose labels come more from the (harder) tail since the onset is not named for that."""
    n_before = np.array([[200.0, 200.0], [100.0, 100.0], [100.0, 100.0]])
    before = n_before * [0.3, 0.05]
    n_after = np.array([[100.0 + tail_labels, 200.0], [tail_labels, 100.0], [100.0, 100.0]])
    assert segment_of_rise(before, n_before, n_after * [0.3, 0.05], n_after) is None


def test_the_only_segment_of_a_tier_is_the_tier():
    n = np.array([[200.0], [200.0]])
    assert segment_of_rise(n * 0.05, n, n * 0.4, n) is None


STEERED = np.array([[1100.0, 300.0], [100.0, 100.0], [900.0, 100.0], [100.0, 100.0]])
"""Whole tier and three segments, by stratum: 800 labels of the second one's tail were drawn by steering alone."""


def counts(tail_rates):
    """Failures and labels before and after; the tails fail at `tail_rates` afterwards, the common stratum as before."""
    n = np.array([[600.0, 600.0], *([[200.0, 200.0]] * 3)])
    k = n * [0.15, 0.05]
    after = STEERED[1:] * np.stack([tail_rates, np.full(3, 0.05)], axis=1)
    return k, n, np.concatenate([after.sum(0, keepdims=True), after]), STEERED


REQUESTS = np.array([[3000.0, 3000.0], *([[1000.0, 1000.0]] * 3)])
"""What those labels stand for: as many requests in each segment."""


def equal_weights(n, requests):
    """Labels of the whole tier, as its segments' are worth: Kish's count, as each segment's requests are drawn at a rate of its own."""
    worth = requests[1:].sum(0) ** 2 / (requests[1:] ** 2 / n[1:]).sum(0)
    return np.concatenate([worth[None], n[1:]])


def where(k, n, after, n_after, requests):
    """What is found where rates of drawing differ: the rest of each segment is weighted, too."""
    rest_k, rest_n = (x[1:].sum(0) - x[1:] for x in (k, n))
    share = requests[1:] / n_after[1:]
    rest_requests = requests[1:].sum(0) - requests[1:]
    rest_failed = (share * after[1:]).sum(0) - share * after[1:]
    rest_n_after = rest_requests**2 / ((share**2 * n_after[1:]).sum(0) - share**2 * n_after[1:])
    rest = Rest(rest_k, rest_n, rest_n_after * rest_failed / rest_requests, rest_n_after)
    return segment_of_rise(k, n, after, equal_weights(n_after, requests), [0, 0, 0], requests, rest)


def test_a_segment_is_not_named_for_what_steering_drew_there():
    assert where(*counts([0.4, 0.4, 0.4]), REQUESTS) is None


def test_a_steered_segment_is_named_where_it_bears_the_loss_and_another_where_that_does():
    assert where(*counts([0.15, 0.4, 0.15]), REQUESTS) == 1
    assert where(*counts([0.15, 0.2, 0.7]), REQUESTS) == 2


def test_a_segment_drawn_more_often_must_lead_by_what_its_labels_stand_for():
    """The first has most flags, since most of it was reviewed, and would not let the second lead, which loses more requests."""
    n = np.array([[800.0], [600.0], [100.0], [100.0]])
    before, after = n * 0.05, np.array([[0.0], [0.2 * 600], [0.5 * 100], [0.05 * 100]])
    after[0] = after[1:].sum(0)
    requests = np.array([[3000.0], [1000.0], [1000.0], [1000.0]])
    plainly = segment_of_rise(before, n, after, n, keys=[0, 0, 0])
    assert (plainly, where(before, n, after, n, requests)) == (None, 1)


def test_labels_that_all_stand_for_as_many_requests_are_plain_ones():
    n = np.array([[300.0, 300.0], *([[100.0, 100.0]] * 3)])
    given = (n * 0.1, n * 2, n * [[0.2], [0.1], [0.4], [0.1]], n)
    rest = Rest(*(x[:1] - x[1:] for x in given))
    weighted = segment_of_rise(*given, keys=[0, 0, 0], requests_after=7.0 * n, rest=rest)
    assert segment_of_rise(*given, keys=[0, 0, 0]) == weighted == 1
