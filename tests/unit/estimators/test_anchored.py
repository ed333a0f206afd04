"""People decide, the judge only narrows: unbiased whatever the judge, never wider than it should be, as a sum of labels in any order."""

import numpy as np
import pytest

from undertow.estimators.anchored import anchored_loss


def drawn(rng, agreement, bias=0.0, n=2000, labelled=150):
    y = rng.choice(3, size=n, p=[0.03, 0.89, 0.08])
    f = np.where(rng.random(n) < agreement, y, rng.choice(3, size=n, p=[0.1, 0.6, 0.3]))
    f = np.where(rng.random(n) < bias, 2, f)
    both = np.zeros((1, 3, 3))
    np.add.at(both[0], (y[:labelled], f[:labelled]), 1.0)
    return both, np.bincount(f[labelled:], minlength=3)[None].astype(float)


@pytest.mark.statistical
@pytest.mark.parametrize(("agreement", "bias"), [(0.9, 0.0), (0.9, 0.3), (0.0, 0.0)])
def test_it_is_unbiased_and_covers_whatever_the_judge(agreement, bias):
    rng = np.random.default_rng(1)
    found = [anchored_loss(*drawn(rng, agreement, bias), [1.0], 0.95) for _ in range(400)]
    losses = np.array([each.loss for each in found])
    assert losses.mean() == pytest.approx(0.05, abs=4 * losses.std() / 20)
    covered = np.mean([each.low <= 0.05 <= each.high for each in found])
    assert covered >= 0.95 - 3 * (0.95 * 0.05 / 400) ** 0.5
    # The stated variance is that of the estimates: the half-width is the same multiple of it in all of them.
    widths = np.array([each.high - each.low for each in found])
    human = np.array([each.human_high - each.human_low for each in found])
    worth = np.array([each.worth for each in found])
    np.testing.assert_allclose(widths, human / np.sqrt(worth), rtol=1e-6)


def test_a_good_judge_is_worth_labels_and_a_bad_one_costs_hardly_any():
    rng = np.random.default_rng(2)
    good = np.mean([anchored_loss(*drawn(rng, 0.97), [1.0], 0.95).worth for _ in range(50)])
    bad = np.mean([anchored_loss(*drawn(rng, 0.0), [1.0], 0.95).worth for _ in range(50)])
    assert good > 3.0
    assert 0.9 < bad < 1.2


def test_strata_count_by_what_they_stand_for():
    both = np.zeros((2, 3, 3))
    both[0, 1, 1], both[0, 2, 2] = 50, 50
    both[1, 1, 1] = 100
    alone = np.zeros((2, 3))
    found = anchored_loss(both, alone, [1.0, 3.0], 0.95)
    assert found.loss == pytest.approx(0.125)
    assert found.judge_loss == pytest.approx(0.125)
    assert (found.labelled, found.judged) == (200, 200)


def test_too_few_labels_give_no_estimate():
    both = np.zeros((2, 3, 3))
    both[0, 1, 1] = 50
    assert anchored_loss(both, np.ones((2, 3)), [1.0, 1.0], 0.95) is None
    assert anchored_loss(both, np.ones((2, 3)), [1.0, 0.0], 0.95) is not None
    assert anchored_loss(both, np.ones((2, 3)), [0.0, 0.0], 0.95) is None
