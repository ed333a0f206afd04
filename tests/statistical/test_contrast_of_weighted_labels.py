"""The contrast's e-values where labels are fractions, or drawn with unequal probabilities: means over the null, exactly."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from undertow.stats.contrast import log_contrast_bets

ALTERNATIVES = np.array([[0.15, 0.1], [0.3, 0.1], [0.6, 0.1]])


def weighted_mean(sizes, weights, rates, group, coef, bound):
    """Mean e-value by enumeration. Strata have sizes, weights and failure rates and belong to groups.

    Each group enters with effective counts sum(w y) / W and sum(w) / W, W its largest weight.
    """
    counts = np.array(list(product(*(range(n + 1) for n in sizes))), dtype=float)
    probability = np.prod(
        [binom.pmf(counts[:, h], n, p) for h, (n, p) in enumerate(zip(sizes, rates, strict=True))], axis=0
    )
    groups = max(group) + 1
    k, n = np.zeros((len(counts), groups)), np.zeros(groups)
    for g in range(groups):
        mine = [h for h in range(len(sizes)) if group[h] == g]
        top = max(weights[h] for h in mine)
        for h in mine:
            k[:, g] += weights[h] / top * counts[:, h]
            n[g] += weights[h] / top * sizes[h]
    bets = log_contrast_bets(
        k,
        np.broadcast_to(n, k.shape),
        np.asarray(coef),
        np.asarray(bound),
        np.broadcast_to(ALTERNATIVES[:, :groups], (len(k), 3, groups)),
    )
    assert probability.sum() == pytest.approx(1.0)
    return probability @ np.exp(bets)


@pytest.mark.statistical
@pytest.mark.parametrize("weight", [1.0, 3.0, 12.0])
@pytest.mark.parametrize("reference", [0.05, 0.2, 0.5])
def test_two_strata_of_unequal_weight_have_mean_at_most_one(weight, reference):
    """The null is about the weighted mean of the strata: the tail may fail far more than the rest, or far less."""
    sizes, weights, group = (7, 5, 9), (1.0, weight, 1.0), (0, 0, 1)
    shares = np.array([7 * 1.0, 5 * weight]) / (7 + 5 * weight)
    largest = 0.0
    for tail in (0.0, 0.02, 0.1, 0.3, 0.7, 1.0):
        rest = (reference + 0.02 - shares[0] * tail) / shares[1]
        if not 0.0 <= rest <= 1.0:
            continue
        mean = weighted_mean(sizes, weights, (tail, rest, reference), group, (1.0, -1.0), 0.02)
        assert (mean <= 1.0 + 1e-9).all(), (tail, rest)
        largest = max(largest, mean.max())
    assert largest > 0.5, "the strata tried include some on the border of the null"


@pytest.mark.statistical
def test_a_weighted_reference_has_mean_at_most_one():
    for tail, rest in ((0.1, 0.1), (0.4, 0.02), (0.0, 0.15)):
        reference = (6 * tail + 4 * 3.0 * rest) / (6 + 12)
        mean = weighted_mean((8, 6, 4), (1.0, 1.0, 3.0), (reference, tail, rest), (0, 1, 1), (1.0, -1.0), 0.0)
        assert (mean <= 1.0 + 1e-9).all()


@pytest.mark.statistical
@pytest.mark.parametrize("values", [(0.0, 0.37, 1.0), (0.0, 0.5), (0.2, 0.8)])
def test_labels_that_are_fractions_have_mean_at_most_one(values):
    """Three and four labels with a few values each, all laws on a grid whose means obey the null."""
    cheap, held = 4, 3
    laws = [np.array(p) for p in product(np.linspace(0, 1, 5), repeat=len(values)) if np.isclose(sum(p), 1.0)]
    coef, bound = np.array([1.0, -1.0]), np.array(0.05)
    outcomes = [np.array(list(product(range(len(values)), repeat=n))) for n in (cheap, held)]
    sums = [np.asarray(values)[o].sum(1) for o in outcomes]
    k = np.array(list(product(*sums)))
    bets = np.exp(
        log_contrast_bets(
            k,
            np.broadcast_to([float(cheap), float(held)], k.shape),
            coef,
            bound,
            np.broadcast_to(ALTERNATIVES, (len(k), 3, 2)),
        )
    ).reshape(len(sums[0]), len(sums[1]), 3)
    tried = 0
    for law in laws:
        for other in laws:
            if law @ values - other @ values > float(bound) + 1e-12:
                continue
            mine, theirs = (np.prod(p[o], axis=1) for p, o in zip((law, other), outcomes, strict=True))
            assert (np.einsum("i,j,ijb->b", mine, theirs, bets) <= 1.0 + 1e-9).all()
            tried += 1
    assert tried > 5
