"""Intervals: limits, an independent implementation as oracle, and what must hold whatever the data."""

import numpy as np
import pytest
import ville

from undertow.stats.confidence import (
    WeightedSums,
    beta_binomial_interval,
    bounded_mean_interval,
    effective_counts,
    enough_events,
    gaussian_mixture_radius,
    hajek_interval,
    hajek_mean_variance,
    mean_interval,
    upper_rate_bound,
)


def sums_of(w, y, weight_max=None):
    w, y = np.asarray(w, float), np.asarray(y, float)
    return WeightedSums(
        *(
            np.asarray(x)
            for x in (w.sum(), (w**2).sum(), (w * y).sum(), ((w * y) ** 2).sum(), (w**2 * y).sum(), float(len(w)))
        ),
        np.asarray(w.max() if weight_max is None else weight_max),
    )


def test_beta_binomial_interval_agrees_with_ville():
    rng = np.random.default_rng(3)
    labels = (rng.random(400) < 0.06).astype(float)
    oracle = ville.BernoulliCS(alpha=0.05, prior=(0.5, 0.5), intersect=False).fit(labels)
    n = np.arange(1, 401)
    ours = beta_binomial_interval(np.cumsum(labels), n, 0.95)
    assert np.allclose(ours.low, oracle.lower_, atol=1e-6)
    assert np.allclose(ours.high, oracle.upper_, atol=1e-6)


def test_asymptotic_radius_agrees_with_ville():
    rng = np.random.default_rng(4)
    x = rng.normal(1.0, 2.0, 3000)
    oracle = ville.AsymptoticCS(alpha=0.05, t_opt=1000).fit(x)
    width = (oracle.upper_ - oracle.lower_)[-1]
    ours = mean_interval(x.sum(), (x**2).sum(), 3000, 0.95, n_opt=1000)
    assert float(ours.high - ours.low) == pytest.approx(width, rel=0.02)  # the tuning constants differ slightly


def test_ends_meet_the_mixture_at_exactly_one_over_alpha():
    from scipy.special import betaln

    interval = beta_binomial_interval(7.5, 90.0, 0.9)
    for p in (float(interval.low), float(interval.high)):
        log_e = betaln(8.0, 83.0) - betaln(0.5, 0.5) - 7.5 * np.log(p) - 82.5 * np.log1p(-p)
        assert log_e == pytest.approx(np.log(10.0), abs=1e-6)


def test_extremes_have_a_closed_form():
    from scipy.special import beta

    # Without failures the mixture is B(a, b + n) / B(a, b) / (1 - p)^n.
    end = 1.0 - (0.05 * beta(0.5, 50.5) / beta(0.5, 0.5)) ** (1 / 50)
    none, all_failed = beta_binomial_interval(0, 50), beta_binomial_interval(50, 50)
    assert (float(none.low), float(none.high)) == pytest.approx((0.0, end), abs=1e-9)
    assert (float(all_failed.low), float(all_failed.high)) == pytest.approx((1.0 - end, 1.0), abs=1e-9)
    unknown = beta_binomial_interval(0, 0)
    assert np.isnan(unknown.mean)
    assert (float(unknown.low), float(unknown.high)) == (0.0, 1.0)


def test_effective_counts_ignore_the_scale_of_weights():
    w, y = np.array([2.0, 2.0, 5.0, 10.0]), np.array([1.0, 0.0, 1.0, 0.0])
    assert np.allclose(effective_counts(sums_of(w, y)), effective_counts(sums_of(7 * w, y)))
    assert np.allclose(effective_counts(sums_of(w, y)), (0.7, 1.9))


def test_hajek_variance_from_sums_is_the_variance_from_rows():
    rng = np.random.default_rng(5)
    w, y = rng.uniform(1, 9, 200), rng.random(200)
    mean, variance = hajek_mean_variance(sums_of(w, y))
    direct = (w * y).sum() / w.sum()
    assert float(mean) == pytest.approx(direct)
    assert float(variance) == pytest.approx((w**2 * (y - direct) ** 2).sum() / w.sum() ** 2)


def test_hajek_interval_is_exact_until_no_label_matters_much():
    few, many = sums_of(np.ones(100), np.arange(100) < 5), sums_of(np.ones(4000), np.arange(4000) < 200)
    heavy = sums_of(np.r_[np.ones(4000), 500.0], np.r_[np.arange(4000) < 200, 1.0])
    assert not bool(enough_events(few))
    assert bool(enough_events(many))
    assert not bool(enough_events(heavy))
    for sums, exact in ((few, True), (many, False)):
        interval = hajek_interval(
            sums.weight, sums.weight_sq, sums.weighted_failures, sums.weighted_failures_sq,
            sums.weight_weighted_failures, sums.n, 0.95,
        )  # fmt: skip
        assert bool(interval.exact) is exact
        assert 0.0 <= interval.low < interval.mean < interval.high <= 1.0


def test_no_labels_give_no_mean_and_the_widest_interval():
    zero = np.zeros(3)
    interval = hajek_interval(zero, zero, zero, zero, zero, zero)
    assert np.isnan(interval.mean).all()
    assert (interval.low == 0.0).all()
    assert (interval.high == 1.0).all()


def test_bounded_interval_adapts_to_the_variance():
    quiet = bounded_mean_interval(0.0, 20.0, 1000, 0.95, (-1.0, 1.0))
    loud = bounded_mean_interval(0.0, 1000.0, 1000, 0.95, (-1.0, 1.0))
    assert quiet.high < 0.4 * loud.high
    assert float(quiet.low) == pytest.approx(-float(quiet.high))
    assert float(bounded_mean_interval(0.0, 0.0, 0, 0.95, (-1.0, 1.0)).high) == 1.0


def test_money_without_enough_values_has_no_interval():
    interval = mean_interval([10.0, 1000.0], [20.0, 2000.0], [50, 5000])
    assert np.isinf(interval.low[0])
    assert np.isinf(interval.high[0])
    assert 0.0 < interval.low[1] < interval.high[1]


def test_radius_is_narrowest_relative_to_root_n_near_n_opt_and_grows_with_the_level():
    n = np.array([10.0, 1000.0, 1e6])
    radius = gaussian_mixture_radius(n, 0.95, 1000.0)
    assert radius[1] < min(radius[0], radius[2])
    assert (gaussian_mixture_radius(n, 0.99) > radius).all()


def test_upper_bound_is_above_clopper_pearson_and_near_it():
    from scipy.stats import beta

    ours = float(upper_rate_bound(100, 1400, 0.01))
    exact = beta.ppf(0.99, 101, 1300)
    assert exact < ours < exact + 0.006
    assert float(upper_rate_bound(0, 0, 0.05)) == 1.0
    assert float(upper_rate_bound(0, 100, 0.05)) == pytest.approx(1 - 0.05 ** (1 / 100), abs=1e-6)
