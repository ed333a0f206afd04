"""Scripted arrival: what is real stays real, the shift comes when stated, arms and propensities are right."""

import dataclasses

import numpy as np
import pytest

from undertow.errors import DataError, UsageError
from undertow.simulation.arrival import CAPABLE, CHEAP, ArrivalPlan, OutcomeTable, draw_arrivals

N = 300
PLAN = ArrivalPlan(queries_per_day=400, pre_weeks=1, weeks=7, shift_week=4, shift_days=0, users=500)


def table(**changes):
    rng = np.random.default_rng(0)
    segment = np.repeat([0, 1, 2], N // 3)
    values = {
        "name": "made", "title": "made up", "models": ("small", "large"), "segment_key": "topic",
        "segments": ("easy", "hard", "kept"), "segment": segment,
        "value": np.column_stack([np.where(segment == 1, 0.0, 1.0), np.ones(N)]),
        "eligible": segment != 2, "usual": segment == 0, "shifted": segment == 1,
        "confidence": rng.random(N), "confidence_note": "", "threshold": None,
        "input_tokens": np.full((N, 2), 100), "output_tokens": np.full((N, 2), 10),
        "price_usd_per_mtok": ((1.0, 1.0), (10.0, 10.0)), "label_kind": "review", "label_name": "correct",
        "label_source": "exact:made", "pairs": False, "margin": 0.02, "notes": (),
    }  # fmt: skip
    return OutcomeTable(**(values | changes))


@pytest.fixture(scope="module")
def arrivals():
    return draw_arrivals(table(), PLAN, np.random.default_rng(1))


def test_quality_is_the_real_answers(arrivals):
    real = table().value[arrivals.prompt, arrivals.tier]
    assert (arrivals.value == real).all()
    assert (arrivals.reference == 1.0).all()


def test_the_mix_shifts_on_the_stated_day(arrivals):
    hard = table().shifted[arrivals.prompt] & arrivals.eligible
    share = [hard[arrivals.day == day].sum() / arrivals.eligible[arrivals.day == day].sum() for day in range(PLAN.days)]
    before, after = np.mean(share[: PLAN.shift_day]), np.mean(share[PLAN.shift_day :])
    assert PLAN.shift_day == 7 + 21
    assert before == pytest.approx(PLAN.shifted_before, abs=0.01)
    assert after == pytest.approx(PLAN.shifted_after, abs=0.03)


def test_arms_tiers_and_propensities(arrivals):
    routing = arrivals.day >= PLAN.pre_days
    assert (arrivals.tier[~routing] == CAPABLE).all()
    assert (arrivals.tier[arrivals.holdout | ~arrivals.eligible] == CAPABLE).all()
    cheap = arrivals.tier == CHEAP
    full = arrivals.day >= PLAN.pre_days + 7
    assert np.allclose(arrivals.propensity[cheap & full], 0.9)
    assert np.allclose(arrivals.propensity[full & arrivals.eligible & ~cheap], 0.1)
    assert np.allclose(arrivals.propensity[~arrivals.eligible], 1.0)
    assert arrivals.eligible.mean() == pytest.approx(PLAN.eligible_share, abs=0.02)


def test_time_runs_forward(arrivals):
    assert (np.diff(arrivals.time_ms) >= 0).all()


def test_costs_follow_tokens_and_prices(arrivals):
    assert np.allclose(arrivals.cost_usd, np.where(arrivals.tier == CHEAP, 110e-6, 1100e-6))
    assert np.allclose(arrivals.baseline_cost_usd, 1100e-6)


def test_pairs_label_cheap_answers_only():
    got = draw_arrivals(table(pairs=True), PLAN, np.random.default_rng(2))
    assert (got.tier[got.labelled] == CHEAP).all()


def test_a_share_of_labels_is_kept():
    got = draw_arrivals(table(), dataclasses.replace(PLAN, label_share=0.25), np.random.default_rng(3))
    assert got.labelled.mean() == pytest.approx(0.25, abs=0.02)


def test_a_provider_change_falls_on_the_day():
    got = draw_arrivals(table(provider_value=np.zeros(N)), PLAN, np.random.default_rng(4))
    capable = got.tier == CAPABLE
    assert (got.value[capable & (got.day < PLAN.shift_day)] == 1.0).all()
    assert (got.value[capable & (got.day >= PLAN.shift_day)] == 0.0).all()


def test_the_loss_of_no_prompt_is_not_a_number():
    assert np.isnan(table().loss(np.zeros(N, dtype=bool)))
    assert table().loss(table().shifted) == 1.0


def test_a_table_without_a_part_of_the_script_is_refused():
    with pytest.raises(DataError, match="no eligible prompt to shift to"):
        draw_arrivals(table(shifted=np.zeros(N, dtype=bool)), PLAN, np.random.default_rng(5))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"holdout": 1.5}, "--holdout"), ({"label_share": 0.0}, "--label-share"), ({"weeks": 0}, "--weeks"), ({"users": 1}, "--users")],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_name(change, said):
    with pytest.raises(UsageError, match=said):
        dataclasses.replace(PLAN, **change)
