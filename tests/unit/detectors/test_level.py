import numpy as np
import pytest

from undertow.detectors.level import LOSSES, Group, contrast_evidence, pairs_evidence

DAYS = 40


def group(failing, n, coef, days=DAYS):
    return Group(*(np.broadcast_to(np.asarray(x, dtype=float), days).copy() for x in (failing, n, coef)))


def bound(value, days=DAYS):
    return np.full(days, float(value))


def test_a_tier_worse_than_the_holdout_by_more_than_the_margin_is_found():
    evidence = contrast_evidence([group(8, 40, 1.0), group(2, 40, -1.0)], bound(0.02))
    assert evidence[-1] > 1e6
    assert (np.diff(evidence[5:]) > 0).all()


@pytest.mark.parametrize("mine", [1.0, 2.0, 2.6])
def test_a_tier_inside_the_margin_gathers_none(mine):
    evidence = contrast_evidence([group(mine, 40, 1.0), group(2, 40, -1.0)], bound(0.02))
    assert evidence[-1] < DAYS


def test_a_day_that_is_bad_for_both_says_nothing():
    bad = np.where(np.arange(DAYS) % 3 == 0, 12.0, 2.0)
    evidence = contrast_evidence([group(bad, 40, 1.0), group(bad, 40, -1.0)], bound(0.02))
    assert evidence[-1] < DAYS


def test_blocks_wait_for_labels_on_every_side_and_hold_between():
    held = np.where(np.arange(DAYS) % 5 == 4, 10.0, 0.0)
    evidence = contrast_evidence([group(8, 40, 1.0), group(0.05 * held, held, -1.0)], bound(0.02))
    assert evidence[:4].tolist() == [0.0] * 4
    assert evidence[4] > 0
    assert len(set(evidence[4:9])) == 1, "nothing new until the next block ends"


def test_a_side_that_hardly_counts_need_not_have_labels():
    nobody = group(0, 0, 0.001)
    with_it = contrast_evidence([group(8, 40, 0.999), nobody, group(2, 40, -1.0)], bound(0.02))
    assert with_it[-1] > 1e6


def test_the_future_does_not_matter():
    rng = np.random.default_rng(3)
    groups = [group(rng.binomial(20, 0.15, DAYS), 20, 1.0), group(rng.binomial(9, 0.05, DAYS), 9, -1.0)]
    whole = contrast_evidence(groups, bound(0.02))
    part = [Group(g.failures[:23], g.n[:23], g.coef[:23]) for g in groups]
    np.testing.assert_allclose(contrast_evidence(part, bound(0.02, 23)), whole[:23], rtol=1e-12)


def test_a_fixed_bound_stands_in_for_a_reference():
    assert contrast_evidence([group(8, 40, 1.0)], bound(0.1))[-1] > 1e4
    assert contrast_evidence([group(3, 40, 1.0)], bound(0.1))[-1] < DAYS


def test_no_labels_are_no_evidence():
    assert contrast_evidence([group(0, 0, 1.0), group(0, 0, -1.0)], bound(0.02)).tolist() == [0.0] * DAYS


def test_evidence_stays_finite_when_everything_fails():
    evidence = contrast_evidence([group(1e6, 1e6, 1.0), group(0, 1e6, -1.0)], bound(0.02))
    assert np.isfinite(evidence).all()
    assert evidence[-1] > 1e100


def test_pairs_that_are_lost_count_against_those_won():
    n = np.full(DAYS, 20.0)
    lost = pairs_evidence(n, np.full(DAYS, 4.0), np.full(DAYS, 1.0), 0.02)
    even = pairs_evidence(n, np.full(DAYS, 3.0), np.full(DAYS, 3.0), 0.02)
    assert lost[-1] > 1e6
    assert even[-1] < DAYS


def test_losses_bet_on_span_small_and_large():
    assert min(LOSSES) <= 0.01
    assert max(LOSSES) >= 0.4
