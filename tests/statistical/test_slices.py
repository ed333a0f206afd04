"""Slices: how often one is named where nothing is wrong, and how often the right one where something is."""

import numpy as np
import pytest

from undertow.slices.search import Feature, SliceLabels, find_slices

pytestmark = pytest.mark.statistical

RUNS, N, LEVEL = 300, 2000, 0.05


def features(rng, n):
    intent, channel = rng.integers(0, 10, n), rng.integers(0, 3, n)
    words = rng.random((n, 60)) < rng.uniform(0.01, 0.15, 60)
    return (
        [Feature("intent", f"{i}", intent == i) for i in range(10)]
        + [Feature("channel", f"{i}", channel == i) for i in range(3)]
        + [Feature(f"word {i}", f"{i}", words[:, i]) for i in range(60)]
    ), intent


def false_discoveries(seed, weighted, after_share):
    """Share of runs in which a slice is named although failures have nothing to do with any."""
    rng = np.random.default_rng(seed)
    named = 0
    for _ in range(RUNS):
        parts, intent = features(rng, N)
        # Intents fail at rates of their own, but for `rest`, where that would be something to find.
        rates = rng.beta(2, 25, 10) if after_share < 1 else np.full(10, 0.08)
        after = rng.random(N) < after_share
        worse = np.where(after, 1.5, 1.0)
        weight = np.where(rng.random(N) < 0.5, 1.0, 3.0) if weighted else np.ones(N)
        failed = (rng.random(N) < np.minimum(rates[intent] * worse, 1.0)).astype(float)
        labels = SliceLabels.drawn_alike(failed, weight, after, rng.random(N) < 0.5)
        named += bool(find_slices(labels, parts))
    return named / RUNS


@pytest.mark.parametrize(("weighted", "after_share"), [(False, 0.5), (True, 0.5), (False, 0.15), (False, 1.0)])
def test_nothing_is_named_where_nothing_is_wrong(weighted, after_share):
    """All slices are false, so the false discovery rate is the probability of naming any."""
    share = false_discoveries(1, weighted, after_share)
    assert share <= LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / RUNS), share


def test_the_right_slice_is_named_and_few_others():
    rng = np.random.default_rng(2)
    hits = false = total = 0
    for _ in range(100):
        parts, intent = features(rng, 2 * N)
        after = rng.random(2 * N) < 0.5
        failed = (rng.random(2 * N) < np.where((intent == 4) & after, 0.4, 0.06)).astype(float)
        found = find_slices(SliceLabels.drawn_alike(failed, np.ones(2 * N), after, rng.random(2 * N) < 0.5), parts)
        hits += any(each.parts == (4,) for each in found)
        total += len(found)
        false += sum(4 not in each.parts for each in found)
    assert hits >= 90
    assert false / max(total, 1) <= LEVEL + 3 * np.sqrt(LEVEL / 100)
