"""The judged incident: joint rates, draws that follow them, and faulty labels that are faulty as said."""

from dataclasses import replace

import numpy as np
import pytest

from undertow.simulation.story import StoryModel, baseline, cells, information, scenario
from undertow.simulation.story_judged import (
    Returns,
    Reviewers,
    anchored_information,
    best_cell_information,
    draw_joint,
    draw_verdicts,
    drifted,
    joint_rates,
    judged_information,
    shadow_pairs,
)

MODEL = StoryModel()


def test_joint_rates_have_the_margins_of_the_cells():
    joint, now = joint_rates(MODEL, 0.1), cells(MODEL, 0.1)
    assert joint.sum((-1, -2)) == pytest.approx(np.ones((6, 2)))
    assert joint[..., 1, :].sum(-1) == pytest.approx(now.flag_rate)
    assert joint[..., :, 1].sum(-1) == pytest.approx(now.judge_rate)
    assert (joint[..., 1, 1] > now.flag_rate * now.judge_rate).all(), "both see the same failures"


def test_a_drifting_judge_moves_no_reviewer():
    before, after = cells(drifted(MODEL, 29, 0.04), 0.02), cells(drifted(MODEL, 30, 0.04), 0.02)
    assert (after.judge_rate > before.judge_rate).all()
    assert np.array_equal(after.flag_rate, before.flag_rate)


def test_draws_follow_the_rates():
    rng = np.random.default_rng(1)
    joint = joint_rates(MODEL, 0.1).reshape(12, 2, 2)
    drawn = draw_joint(np.full((500, 12), 40), joint, rng)
    assert (drawn.sum((-1, -2)) == 40).all()
    assert drawn.mean(0) / 40 == pytest.approx(joint, abs=0.01)
    flags, pairs = draw_verdicts(240.0, np.full(12, 1 / 12), np.full(12, 0.3), 500, rng)
    assert pairs.mean() == pytest.approx(20.0, rel=0.02)
    assert flags.sum() / pairs.sum() == pytest.approx(0.3, abs=0.01)
    assert shadow_pairs(scenario("story"), 0) == pytest.approx(0.05 * 650)


def test_reviewers_average_to_about_the_one_of_the_model():
    reviewers = Reviewers()
    rates = reviewers.flag_rates(MODEL, 0.02)
    assert sum(reviewers.usual_shares) == pytest.approx(1.0)
    assert np.asarray(reviewers.usual_shares) @ rates == pytest.approx(
        baseline(MODEL).cells.flag_rate.ravel(), rel=0.08
    )
    rng = np.random.default_rng(2)
    shares = reviewers.day_shares(400, rng)
    flags, each = reviewers.draw(np.full((400, 12), 30), rates, shares, rng)
    assert (each.sum(-1) == 30).all()
    assert flags.sum((0, 1)) / each.sum((0, 1)) == pytest.approx(rates.mean(1), rel=0.1)
    assert shares.std(0).min() > 0.1, "who reviews differs by day"


def test_late_labels_all_come_and_missing_ones_do_not():
    rng = np.random.default_rng(3)
    n = np.full((300, 12), 50)
    flags = rng.binomial(n, 0.2)
    late = Returns((0.5, 0.3, 0.2), (0.1, 0.1, 0.8))
    flagged, unflagged = late.draw(flags, n, 0, rng)
    assert late.window_days == 2
    assert np.array_equal(flagged.sum(0), flags)
    assert np.array_equal(unflagged.sum(0), n - flags)
    assert flagged[0].sum() / flags.sum() == pytest.approx(0.5, abs=0.02)
    assert unflagged[2].sum() / (n - flags).sum() == pytest.approx(0.8, abs=0.02)
    missing = Returns(flagged_missing=(0.0, 0.5), from_day=10)
    early, after = missing.draw(flags, n, 9, rng)[0][0], missing.draw(flags, n, 10, rng)[0][0]
    assert np.array_equal(early, flags)
    assert np.array_equal(after[:, ::2], flags[:, ::2])
    assert after[:, 1::2].sum() / flags[:, 1::2].sum() == pytest.approx(0.5, abs=0.03)


def test_each_design_knows_more_than_the_one_before():
    model = scenario("half")
    plain = information(model, stratified=True)
    labels = np.array([70, 70]) * baseline(model).cells.share / baseline(model).cells.share.sum(0)
    narrowed, judged, best = (
        anchored_information(model, (70, 70)),
        judged_information(model, labels),
        best_cell_information(model, 140),
    )
    for info in (narrowed, judged, best):
        assert info[:30] == pytest.approx(np.zeros(30), abs=1e-12)
    assert narrowed[30] >= plain[30]
    assert judged[30] > 2 * plain[30]
    assert best[30] > 4 * plain[30]
    assert best_cell_information(replace(model, seen_hidden=0.8), 140)[30] > best[30]
