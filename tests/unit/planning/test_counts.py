"""Counts that a loss would bring have the means that the model says."""

from dataclasses import replace

import numpy as np
import pytest

from undertow.planning.counts import draw_judged, draw_reviews, mix
from undertow.records.power import Design, PlannedLoss

DESIGN = Design(30_000, 140, 0.5, (0.1,), 0.05, 0.8, shadow_per_day=600)
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
    now, rng = mix(DESIGN, LOSS, 1.0), np.random.default_rng(1)
    plain = draw_reviews(DESIGN, now, np.zeros((4_000, 2)), rng)
    assert plain.n.mean(0) == pytest.approx([70, 70], rel=0.02)
    counts = draw_reviews(DESIGN, now, np.broadcast_to([98.0, 0.0], (4_000, 2)), rng)
    assert counts.n.mean(0) == pytest.approx([21, 21], rel=0.03)
    # 70 % of 140 go to the slice's long tail, beside its part of the plain ones.
    assert counts.slice_n[:, 0].mean() == pytest.approx(98 + 21 * _within(0), rel=0.03)
    assert counts.slice_n[:, 1].mean() == pytest.approx(21 * _within(1), rel=0.1)
    rate = counts.slice_k[:, 0].sum() / counts.slice_n[:, 0].sum()
    assert rate == pytest.approx(now.flagged[0, 0], abs=0.01)


def test_steering_reviews_no_more_than_there_is():
    now = mix(DESIGN, LOSS, 0.0)
    small = replace(DESIGN, cheap_per_day=1_000)
    counts = draw_reviews(small, now, np.broadcast_to([98.0, 0.0], (4_000, 2)), np.random.default_rng(4))
    assert counts.slice_n[:, 0].mean() == pytest.approx(20 + 21 * 0.1, rel=0.03)


def _within(stratum):
    after = mix(DESIGN, LOSS, 1.0).share
    return after[0, stratum] / after[:, stratum].sum()


def test_without_a_tail_quota_reviews_follow_the_traffic():
    design = Design(30_000, 140, 0.0, (0.1,), 0.05, 0.8)
    counts = draw_reviews(design, mix(design, LOSS, 0.0), np.zeros((2_000, 2)), np.random.default_rng(2))
    assert counts.n.mean(0) == pytest.approx([28, 112], rel=0.03)


def test_the_judge_flags_falsely_and_sees_its_part():
    loss, rng = PlannedLoss(1.0, 0.5), np.random.default_rng(3)
    calm, lost = (draw_judged(DESIGN, mix(DESIGN, loss, progress), 4_000, rng) for progress in (0.0, 1.0))
    assert calm[0].sum(-1).mean() == pytest.approx(300, rel=0.02)
    assert calm[1].sum() / calm[0].sum() == pytest.approx(0.08, abs=0.005)
    assert lost[1].sum() / lost[0].sum() == pytest.approx(0.7 + 0.3 * 0.08, abs=0.01)
    by_tail, _ = draw_judged(DESIGN, mix(DESIGN, loss, 0.0), 4_000, rng, tail_share=0.6)
    assert by_tail.mean(0) == pytest.approx([180, 120], rel=0.02)
