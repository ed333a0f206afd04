import numpy as np
import pytest

from undertow.attribution.cause import MeanWithError
from undertow.attribution.matching import effective_rates, is_beyond, matched_loss, rise_without, shared_shock_days

DAYS = 60


def test_days_on_which_both_fail_alike_count_for_nothing():
    rng = np.random.default_rng(1)
    own_n, held_n = np.full(DAYS, 30.0), rng.poisson(2, DAYS).astype(float)
    rate = np.full(DAYS, 0.05)
    rate[20:23] = 1.0
    held_n[20:23] = 0.0, 6.0, 9.0
    found = matched_loss(rate, own_n, rate, held_n)
    assert found.mean == pytest.approx(0.0)
    pooled = (rate * held_n).sum() / held_n.sum()
    assert pooled - (rate * own_n).sum() / own_n.sum() > 0.02, "which a comparison of all days together does not see"


def test_the_mean_is_the_loss_and_its_error_is_right():
    rng = np.random.default_rng(2)
    n, m = np.full(DAYS, 20.0), np.full(DAYS, 5.0)
    z = []
    for _ in range(400):
        own, held = rng.binomial(20, 0.12, DAYS) / 20, rng.binomial(5, 0.05, DAYS) / 5
        found = matched_loss(own, n, held, m)
        z.append((found.mean - 0.07) / np.sqrt(found.variance))
    assert abs(np.mean(z)) < 0.2
    assert 0.6 < np.std(z) < 1.1, (
        "one more failure and success a day makes the error a little too large, never too small"
    )


def test_without_a_common_day_there_is_no_loss_to_tell():
    one, none = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert matched_loss(np.zeros(2), one, np.zeros(2), none) is None


def test_beyond_counts_errors():
    loss = MeanWithError(0.05, 0.01**2, 100)
    assert is_beyond(loss, 0.02, 2.9)
    assert not is_beyond(loss, 0.02, 3.1)


@pytest.mark.parametrize(
    ("own", "held", "expected"),
    [(0.9, 0.9, True), (0.9, 0.05, False), (0.05, 0.9, False), (0.12, 0.12, False)],
    ids=["both", "the tier alone", "the holdout alone", "an ordinary bad day"],
)
def test_a_shock_is_shared_or_it_is_none(own, held, expected):
    mine, theirs = np.full(DAYS, 0.05), np.full(DAYS, 0.05)
    mine[7], theirs[7] = own, held
    found = shared_shock_days(mine, np.full(DAYS, 40.0), theirs, np.full(DAYS, 6.0))
    assert np.flatnonzero(found).tolist() == ([7] if expected else [])


def test_chance_makes_no_shock():
    rng = np.random.default_rng(3)
    n, m = np.full(180, 30.0), np.full(180, 5.0)
    hits = sum(
        shared_shock_days(rng.binomial(30, 0.08, 180) / 30, n, rng.binomial(5, 0.08, 180) / 5, m).any()
        for _ in range(300)
    )
    assert hits == 0


def test_few_days_show_none():
    assert not shared_shock_days(
        np.array([0.0, 1.0]), np.array([9.0, 99.0]), np.array([0.0, 1.0]), np.array([9.0, 9.0])
    ).any()


def test_rates_and_effective_labels_of_weighted_sums():
    weights = np.array([1.0, 1.0, 5.0])
    rate, n = effective_rates(np.array([weights.sum()]), np.array([(weights**2).sum()]), np.array([5.0]))
    assert rate[0] == pytest.approx(5 / 7)
    assert n[0] == pytest.approx(49 / 27)


def test_a_rise_that_comes_from_some_days_is_gone_without_them():
    rate, n = np.full(DAYS, 0.05), np.full(DAYS, 30.0)
    rate[40:43] = 1.0
    broken = rate == 1.0
    assert rise_without(rate, n, 30, broken).mean == pytest.approx(0.0)
    assert rise_without(rate, n, 30, np.zeros(DAYS, dtype=bool)).mean > 0.05
    assert rise_without(rate, n, 0, broken) is None
