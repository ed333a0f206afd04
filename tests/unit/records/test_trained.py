import numpy as np
import pytest

from undertow.records.trained import expected_shares


def test_ten_equal_shares():
    assert expected_shares(tuple(range(11))) == pytest.approx([0.1] * 10)


@pytest.mark.parametrize("atom", [0.3, 0.75])
def test_shares_are_those_that_the_bins_count(atom):
    """A score that many answers share: what the bins count of the very scores whose shares they are is what is expected."""
    rng = np.random.default_rng(1)
    scores = np.where(rng.random(20_000) < atom, 0.5, rng.random(20_000))
    edges = np.quantile(scores, np.linspace(0, 1, 11))
    counted = np.bincount((scores[:, None] >= edges[1:-1]).sum(1), minlength=10) / len(scores)
    # An atom does not end where a tenth does, so that it may be off by less than one share.
    assert np.abs(np.cumsum(counted) - np.cumsum(expected_shares(tuple(edges)))).max() < 0.1 + 1e-9
    assert sum(expected_shares(tuple(edges))) == pytest.approx(1.0)
