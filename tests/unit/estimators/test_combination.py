import numpy as np
import pytest

from undertow.estimators.combination import NOTHING, combine_rates, equal_weights, rate_interval
from undertow.stats.confidence import WeightedSums, beta_binomial_interval


def weighted(n, failing, weight):
    """n labels of one weight, `failing` of them failures."""
    return WeightedSums(
        *(
            np.float64(x)
            for x in (weight * n, weight**2 * n, weight * failing, weight**2 * failing, weight**2 * failing)
        ),
        np.float64(n),
        np.float64(weight),
    )


def test_one_rate_alone_keeps_its_own_interval():
    sums = equal_weights(30, 400)
    mean, low, high = rate_interval(sums, 0.95)
    alone = combine_rates([(1.0, sums)], 0.95)
    assert (alone.value, alone.low, alone.high) == pytest.approx((mean, low, high))
    assert mean == 30 / 400


def test_few_failures_get_the_exact_interval():
    mean, low, high = rate_interval(equal_weights(2, 100), 0.95)
    exact = beta_binomial_interval(2, 100, 0.95)
    assert (mean, low, high) == pytest.approx((0.02, float(exact.low), float(exact.high)))


def test_many_failures_get_a_narrower_interval_inside_the_unit():
    _, low, high = rate_interval(equal_weights(500, 1000), 0.95)
    assert 0.0 < low < 0.5 < high < 1.0
    assert high - low == pytest.approx(2 * 3.04 * 0.5 / np.sqrt(1000), rel=0.02)


def test_the_scale_of_weights_does_not_matter_but_their_spread_costs():
    plain = rate_interval(weighted(50, 3, 1.0), 0.95)
    assert rate_interval(weighted(50, 3, 7.0), 0.95) == pytest.approx(plain)
    both = WeightedSums(*(a + b for a, b in zip(_sums(weighted(25, 2, 1.0)), _sums(weighted(25, 1, 9.0)), strict=True)))
    uneven = rate_interval(both, 0.95)
    assert uneven[0] == pytest.approx((2 + 9) / (25 + 225))
    assert uneven[2] - uneven[1] > plain[2] - plain[1], "unequal weights carry less information"


def _sums(sums):
    return [getattr(sums, name) for name in WeightedSums.__dataclass_fields__]


def test_a_difference_is_wider_than_its_parts_and_narrower_than_their_sum():
    one, other = equal_weights(80, 1000), equal_weights(50, 800)
    found = combine_rates([(1.0, one), (-1.0, other)], 0.95)
    widths = [high - low for _, low, high in (rate_interval(s, 0.95) for s in (one, other))]
    assert found.value == pytest.approx(0.08 - 0.0625)
    assert max(widths) < found.high - found.low < sum(widths)
    assert found.n == 800


def test_coefficients_scale_and_flip_the_interval():
    sums = equal_weights(40, 500)
    once, thrice = combine_rates([(1.0, sums)], 0.95), combine_rates([(-3.0, sums)], 0.95)
    assert thrice.value == pytest.approx(-3 * once.value)
    assert (thrice.low, thrice.high) == pytest.approx((-3 * once.high, -3 * once.low))
    assert thrice.variance == pytest.approx(9 * once.variance)


def test_a_side_without_labels_leaves_nothing():
    assert combine_rates([(1.0, equal_weights(1, 10)), (-1.0, equal_weights(0, 0))], 0.95) == NOTHING
    assert combine_rates([], 0.95) == NOTHING


def test_a_side_that_does_not_count_may_be_empty():
    found = combine_rates([(1.0, equal_weights(1, 10)), (0.0, equal_weights(0, 0))], 0.95)
    assert found.value == pytest.approx(0.1)


def test_no_failure_is_no_certainty():
    found = combine_rates([(1.0, equal_weights(0, 40)), (-1.0, equal_weights(0, 40))], 0.95)
    assert found.value == 0.0
    assert found.high > 0.05
    assert found.variance > 0.0
