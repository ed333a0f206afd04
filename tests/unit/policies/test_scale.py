"""A gross change of scale is found, ordinary chance is not, and it passes."""

import math
import random

import pytest

from undertow.policies.scale import EVERY, RING, SUSPECT_AT, ScaleWatch

EDGES = tuple(n / 10 for n in range(11))


def watched(scores, edges=EDGES):
    watch = ScaleWatch(edges)
    for score in scores:
        watch.add(score)
    return watch


def even(n, scale=1.0):
    return [scale * (place % 100 + 0.5) / 100 for place in range(n)]


def test_like_scores_are_at_distance_zero_and_others_at_one_minus_their_share():
    assert watched(even(RING)).distance() == pytest.approx(0.0)
    assert watched([5.0] * RING).distance() == pytest.approx(0.9)
    assert watched(even(RING, 0.5)).distance() == pytest.approx(0.5)
    assert ScaleWatch(EDGES).distance() == 0.0


def test_it_speaks_only_of_a_full_ring_and_every_so_often():
    watch = ScaleWatch(EDGES)
    for n in range(1, RING + 1):
        watch.add(5.0)
        assert watch.is_suspect == (n == RING)
    for _ in range(EVERY - 1):
        watch.add(0.5)
        assert watch.is_suspect


def test_it_recovers_when_scores_look_right_again():
    watch = watched([5.0] * RING)
    for score in even(RING):
        watch.add(score)
    assert not watch.is_suspect


def test_chance_reaches_a_quarter_less_than_once_in_a_million_times():
    """The bounds that the module states: the union over sets of k shares of P(Bin(200, k / 10) >= 200 (k / 10 + limit))."""

    def bound(limit):
        total = 0.0
        for k in range(1, 10):
            p, least = k / 10, math.ceil(RING * (k / 10 + limit) - 1e-9)
            tail = sum(math.comb(RING, x) * p**x * (1 - p) ** (RING - x) for x in range(least, RING + 1))
            total += math.comb(10, k) * tail
        return total

    assert bound(0.25) < 3.2e-10
    assert bound(SUSPECT_AT) < 2.7e-15


def test_unchanged_scores_are_quiet_for_long():
    numbers = random.Random(7)
    watch = watched([numbers.random() for _ in range(RING)])
    distances = []
    for _ in range(400):
        for _ in range(EVERY):
            watch.add(numbers.random())
        distances.append(watch.distance())
    assert not watch.is_suspect
    assert max(distances) < 0.25
    assert sum(distances) / len(distances) == pytest.approx(0.084, abs=0.01)


def test_equal_edges_are_one_cut_with_their_joint_share():
    # Six in ten answers are certain: their score is 0 exactly, and so are the upper edges.
    edges = (-4.0, -3.0, -2.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    usual = [-3.5, -2.5, -1.5, -0.5, *[0.0] * 6] * 20
    assert watched(usual, edges).distance() == pytest.approx(0.0)
    assert watched([-3.5] * RING, edges).is_suspect


def test_without_edges_nothing_is_suspect():
    assert not watched([1.0] * 500, ()).is_suspect
