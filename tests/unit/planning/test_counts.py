"""Counts that a loss would bring have the means that the model says."""

import numpy as np
import pytest

from undertow.planning.counts import draw_judged, draw_reviews, mix
from undertow.records.power import Design, PlannedLoss

DESIGN = Design(30_000, 140, 0.5, (0.1,), 0.05, 0.8, baseline_days=20, shadow_per_day=600)
LOSS = PlannedLoss(0.4, 0.1)


def test_nothing_happens_before_the_onset():
    before = mix(DESIGN, LOSS, 0.0)
    assert before.share.sum() == pytest.approx(1.0)
    assert before.share[0].sum() == pytest.approx(0.1)
    assert np.allclose(before.flagged, 0.05)


def test_the_loss_is_the_share_that_reviewers_see_of_it():
    after = mix(DESIGN, LOSS, 1.0)
    seen = (after.share * after.flagged).sum() - 0.05
    assert seen == pytest.approx(0.1 * 0.4 * (0.8 - 0.05))
    assert after.share[0].sum() == pytest.approx(0.1)
    # Most of what fails is in the long tail.
    assert after.flagged[0, 0] > after.flagged[0, 1] > 0.05
    assert np.allclose(after.flagged[1], 0.05)


def test_quotas_hold_and_steered_reviews_count_in_the_slice_alone():
    rng = np.random.default_rng(1)
    steered = np.zeros((40, 400, 2), dtype=bool)
    steered[30:, :, 0] = True
    counts = draw_reviews(DESIGN, LOSS, 40, steered, 0.7, rng)
    assert counts.n[:30].mean((0, 1)) == pytest.approx([70, 70], rel=0.02)
    assert counts.n[30:].mean((0, 1)) == pytest.approx([21, 21], rel=0.03)
    # 70 % of 140 go to the slice's long tail, beside its part of the plain ones.
    assert counts.slice_n[30:, :, 0].mean() == pytest.approx(98 + 21 * _within(0), rel=0.03)
    assert counts.slice_n[30:, :, 1].mean() == pytest.approx(21 * _within(1), rel=0.1)
    rate = counts.slice_k[30:, :, 0].sum() / counts.slice_n[30:, :, 0].sum()
    assert rate == pytest.approx(mix(DESIGN, LOSS, 1.0).flagged[0, 0], abs=0.01)


def _within(stratum):
    after = mix(DESIGN, LOSS, 1.0).share
    return after[0, stratum] / after[:, stratum].sum()


def test_without_a_tail_quota_reviews_follow_the_traffic():
    design = Design(30_000, 140, 0.0, (0.1,), 0.05, 0.8, baseline_days=5)
    counts = draw_reviews(design, LOSS, 5, np.zeros((5, 400, 2), dtype=bool), 0.7, np.random.default_rng(2))
    assert counts.n.mean((0, 1)) == pytest.approx([28, 112], rel=0.03)


def test_the_judge_flags_falsely_and_sees_its_part():
    n, k = draw_judged(DESIGN, PlannedLoss(1.0, 0.5), 40, 200, np.random.default_rng(3))
    assert n.sum(-1).mean() == pytest.approx(300, rel=0.02)
    assert k[:20].sum() / n[:20].sum() == pytest.approx(0.08, abs=0.005)
    assert k[20:].sum() / n[20:].sum() == pytest.approx(0.7 + 0.3 * 0.08, abs=0.01)
