"""Krippendorff's alpha against published examples, a brute-force definition, and the coverage of its interval."""

import itertools

import numpy as np
import pytest

from undertow.stats.agreement import krippendorff_alpha

# Krippendorff (2011), Computing Krippendorff's alpha-reliability: example C, four observers, twelve units, seven values missing.
C = np.array(
    [
        [1, 1, np.nan, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
        [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [np.nan, 5, 5, 5], [np.nan, np.nan, 1, 1], [np.nan, np.nan, 3, np.nan],
    ]
)  # fmt: skip


def long(matrix):
    units, _ = np.nonzero(~np.isnan(matrix))
    return units, matrix[~np.isnan(matrix)]


def by_definition(units, values, metric):
    """1 - D_o / D_e, pair by pair."""

    def distance(a, b):
        return float(a != b) if metric == "nominal" else (a - b) ** 2

    groups = [[v for u, v in zip(units, values, strict=True) if u == unit] for unit in sorted(set(units))]
    groups = [group for group in groups if len(group) > 1]
    pooled = [v for group in groups for v in group]
    n = len(pooled)
    observed = sum(sum(distance(a, b) for a, b in itertools.permutations(g, 2)) / (len(g) - 1) for g in groups) / n
    expected = sum(distance(a, b) for a, b in itertools.permutations(pooled, 2)) / (n * (n - 1))
    return 1.0 - observed / expected


@pytest.mark.parametrize(("metric", "published"), [("nominal", 0.743), ("interval", 0.849)])
def test_the_published_example_with_missing_data(metric, published):
    found = krippendorff_alpha(*long(C), metric)
    assert round(found.alpha, 3) == published
    assert (found.units, found.votes) == (11, 40)
    assert found.low < found.alpha < found.high <= 1.0


def test_the_published_example_of_two_observers_and_five_categories():
    ben, gerry = (
        ["a", "a", "b", "b", "d", "c", "c", "c", "e", "d", "d", "a"],
        ["b", "a", "b", "b", "b", "c", "c", "c", "e", "d", "d", "d"],
    )
    found = krippendorff_alpha([*range(12)] * 2, [ord(said) for said in ben + gerry], "nominal")
    assert round(found.alpha, 3) == 0.692


@pytest.mark.parametrize("metric", ["nominal", "interval"])
@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_definition(metric, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 4, (15, 4)) / 3.0
    matrix[rng.random(matrix.shape) < 0.3] = np.nan
    units, values = long(matrix)
    assert krippendorff_alpha(units, values, metric).alpha == pytest.approx(by_definition(units, values, metric))


def test_names_of_units_and_the_scale_of_values_change_nothing():
    units, values = long(C)
    known = krippendorff_alpha(units, values)
    assert krippendorff_alpha(units * 7 - 100, values * 3.0 + 2.0).alpha == pytest.approx(known.alpha)
    order = np.random.default_rng(1).permutation(len(units))
    assert krippendorff_alpha(units[order], values[order]).low == pytest.approx(known.low)


def test_what_is_not_defined_is_none():
    assert krippendorff_alpha([0, 1, 2], [1.0, 0.0, 1.0]) is None
    assert krippendorff_alpha([0, 0, 1, 1], [1.0, 1.0, 1.0, 1.0]) is None
    assert krippendorff_alpha([0, 0, 1, 1], [0.1 + 0.2, 0.3, 0.3, 0.3]) is None
    assert krippendorff_alpha([], []) is None


def test_perfect_agreement_on_few_units_shows_little():
    few = krippendorff_alpha([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0])
    many = krippendorff_alpha(np.repeat(np.arange(200), 2), np.repeat(np.arange(200) % 2, 2).astype(float))
    assert (few.alpha, few.high, many.alpha) == (1.0, 1.0, 1.0)
    assert few.low < 0.0
    assert many.low > 0.9


def test_one_unit_or_one_disagreement_shows_nothing():
    assert krippendorff_alpha([0, 0], [0.0, 1.0]).low == -1.0
    assert krippendorff_alpha([0, 0, 1, 1, 2, 2], [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]).low == -1.0


@pytest.mark.parametrize(
    ("units", "noise", "failing", "raters"), [(60, 0.1, 0.3, 2), (100, 0.05, 0.1, 2), (100, 0.3, 0.5, 3)]
)
def test_the_interval_covers_at_its_level(units, noise, failing, raters):
    """Raters who each turn a true verdict round with some probability; alpha of 200,000 such units is the truth."""
    rng = np.random.default_rng(20)

    def said(count):
        truth = rng.random(count) < failing
        return (truth[:, None] ^ (rng.random((count, raters)) < noise)).astype(float)

    truth = krippendorff_alpha(np.repeat(np.arange(200_000), raters), said(200_000).ravel()).alpha
    runs, hits = 600, 0
    for _ in range(runs):
        found = krippendorff_alpha(np.repeat(np.arange(units), raters), said(units).ravel())
        hits += found.low <= truth <= found.high
    # 95 % less three binomial standard errors.
    assert hits / runs >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)
