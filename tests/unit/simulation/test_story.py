"""The model's arithmetic: rates it implies, and that draws follow them."""

from dataclasses import fields

import numpy as np
import pytest

from undertow.simulation.story import (
    SCENARIOS,
    StoryModel,
    baseline,
    cells,
    draw_by_tier,
    draw_shadow,
    draw_unsplit,
    healthy,
    hidden_share,
    information,
    lorden_bound,
    mixed_rate,
    rollout,
    scenario,
)


def test_rates_of_the_documented_model():
    model = StoryModel()
    # A normal answer is flagged with .05 * .9 + .95 * .02, a hidden one with .9 * .5 + .1 * .02.
    assert cells(model, 0.0001).whole() == pytest.approx(0.064, abs=1e-4)
    assert baseline(model).cells.whole() == pytest.approx(0.98 * 0.064 + 0.02 * 0.452)
    assert baseline(model).capable == pytest.approx(0.04 * 0.9 + 0.96 * 0.02)
    assert cells(model, 0.2).share.sum() == pytest.approx(1.0)
    assert int(cells(model, 0.2).by_segment().argmax()) == model.worst_segment == 3


def test_parameters_are_documented():
    for f in fields(StoryModel):
        assert f.name in StoryModel.__doc__, f.name


def test_scenarios():
    story = scenario("story")
    assert [rollout(story, 7 * week) for week in range(7)] == [0.05, 0.10, 0.25, 0.50, 0.50, 1.0, 1.0]
    assert hidden_share(story, 13) == 0.02
    assert hidden_share(story, 27) == pytest.approx(0.02 + 0.18 / 2)
    assert hidden_share(scenario("half"), 30) == 0.08
    for name in SCENARIOS:
        calm = healthy(scenario(name))
        assert {hidden_share(calm, day) for day in range(180)} == {0.02}
    assert information(healthy(story), stratified=True).max() == 0.0


def test_draws_follow_the_rates_and_the_quotas():
    model = scenario("half")
    counts = draw_by_tier(model, 400, np.random.default_rng(1), stratified=True)
    assert (counts.n.sum(2) == 70).all()
    after = cells(model, 0.08).by_stratum()
    seen = counts.flags[40:].sum((0, 1, 2)) / counts.n[40:].sum((0, 1, 2))
    assert seen == pytest.approx(after, rel=0.01)
    unsplit = draw_unsplit(model, 400, np.random.default_rng(2))
    assert unsplit.flags[:30].mean() / 200 == pytest.approx(mixed_rate(model, 0, 0.02), rel=0.02)
    flags, n = draw_shadow(model, 20, np.random.default_rng(3))
    assert n[0].sum() == 20 * int(50_000 * 0.65 * 0.02)
    assert (flags <= n).all()


def test_correlation_within_a_day_is_the_one_asked_for():
    model = healthy(scenario("half"))
    counts = draw_by_tier(model, 300, np.random.default_rng(4), stratified=False, rho=0.02)
    k = counts.flags.sum((2, 3))
    p = baseline(model).cells.whole()
    effect = k.var() / (140 * p * (1 - p))
    assert effect == pytest.approx(1 + 139 * 0.02, rel=0.05)


def test_bound_is_where_information_reaches_the_line():
    assert lorden_bound(np.array([0.0, 0.0, 1.0, 1.0, 1.0]), 2, float(np.exp(2.5))) == pytest.approx(2.5)
    assert lorden_bound(np.array([0.1, 0.1]), 0, 1e9) == float("inf")
    # Stratification and splitting each add information.
    model = scenario("slice")
    unsplit, split, tail = (
        information(model, stratified=False, by_tier=False).sum(),
        information(model, stratified=False).sum(),
        information(model, stratified=True).sum(),
    )
    assert unsplit < split < tail
