import numpy as np
import pytest

from undertow.stats.contrast import log_contrast_bets, project_to_halfspace


def kl(q, p):
    return q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))


def test_an_alternative_inside_the_null_stays():
    q = np.array([0.05, 0.1])
    assert project_to_halfspace(q, np.array([9.0, 9.0]), np.array([1.0, -1.0]), np.array(0.0)).tolist() == q.tolist()


def test_a_group_without_labels_takes_what_rate_the_null_needs():
    coef, bound, n = np.array([0.6, 0.4, -1.0]), np.array(0.012), np.array([0.0, 40.0, 40.0])
    p0 = project_to_halfspace(np.array([0.35, 0.05, 0.05]), n, coef, bound)
    assert (p0[0], p0[1:].tolist()) == (0.0, [0.05, 0.05])
    p0 = project_to_halfspace(np.array([0.35, 0.2, 0.05]), n, coef, bound)
    assert p0[0] == 0.0, "it goes to the end, and the others meet on the border"
    assert float((coef * p0).sum()) == pytest.approx(float(bound), abs=1e-9)


@pytest.mark.parametrize("n", [[30.0, 80.0, 20.0], [5.0, 5.0, 500.0], [1.0, 400.0, 40.0]])
def test_the_projection_lies_on_the_border_and_nothing_there_is_nearer(n):
    rng = np.random.default_rng(1)
    q, coef, bound = np.array([0.35, 0.2, 0.05]), np.array([0.6, 0.4, -1.0]), np.array(0.012)
    many = np.array(n)
    p0 = project_to_halfspace(q, many, coef, bound)
    assert ((p0 >= 0) & (p0 <= 1)).all()
    assert float((coef * p0).sum()) == pytest.approx(float(bound), abs=1e-9)
    best = (many * kl(q, p0)).sum()
    for _ in range(200):
        other = rng.uniform(0.001, 0.999, 3)
        other[2] = np.clip((coef[:2] * other[:2]).sum() - float(bound), 1e-3, 0.999)
        if (coef * other).sum() <= float(bound) + 1e-12:
            assert (many * kl(q, other)).sum() >= best - 1e-9


def test_many_blocks_at_once_are_each_block_alone():
    rng = np.random.default_rng(2)
    n = rng.integers(5, 60, (4, 2)).astype(float)
    k = np.floor(n * rng.uniform(0, 0.5, (4, 2)))
    alternatives = rng.uniform(0.05, 0.6, (4, 3, 2))
    coef, bound = np.array([1.0, -1.0]), np.full(4, 0.02)
    together = log_contrast_bets(k, n, np.tile(coef, (4, 1)), bound, alternatives)
    alone = [log_contrast_bets(k[i], n[i], coef, bound[i], alternatives[i]) for i in range(4)]
    np.testing.assert_allclose(together, alone)


def test_a_bet_inside_the_null_is_not_taken():
    bets = log_contrast_bets(
        np.array([9.0, 1.0]), np.array([20.0, 20.0]), np.array([1.0, -1.0]), np.array(0.5), np.array([[0.3, 0.1]])
    )
    assert bets.tolist() == [0.0]


def test_a_worse_tier_wins_the_bet_and_a_like_one_loses_it():
    def bet(mine):
        return float(log_contrast_bets(
            np.array([mine, 5.0]), np.array([100.0, 100.0]), np.array([1.0, -1.0]), np.array(0.02), np.array([[0.2, 0.05]])
        )[0])  # fmt: skip

    assert bet(20.0) > 3
    assert bet(5.0) < 0


def test_a_reference_without_labels_proves_nothing():
    bets = log_contrast_bets(
        np.array([60.0, 0.0]), np.array([100.0, 0.0]), np.array([1.0, -1.0]), np.array(0.0), np.array([[0.6, 0.05]])
    )
    assert bets == pytest.approx([0.0], abs=1e-9)
