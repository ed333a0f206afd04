"""That decisions are drawn for review as often as their inclusion probabilities say, and that weighting by them is unbiased."""

import numpy as np
import pytest

from undertow.records.review import Candidate
from undertow.sampling.batch import BatchRules, draw_batch

pytestmark = pytest.mark.statistical


@pytest.fixture(scope="module")
def runs():
    rng = np.random.default_rng(11)
    day = [
        Candidate(
            f"d{i}", "cheap" if i % 3 else "capable", f"intent={'abc'[i % 7 % 3]}", confidence=float(rng.random())
        )
        for i in range(240)
    ]
    draws = [draw_batch(day, BatchRules(per_day=40), f"salt {run}") for run in range(3_000)]
    return day, draws


def test_realised_inclusion_equals_what_is_stated(runs):
    _, draws = runs
    stated = draws[0].inclusion_probability
    assert all((draw.inclusion_probability == stated).all() for draw in draws)
    realised = np.mean([draw.chosen for draw in draws], axis=0)
    error = np.sqrt(stated * (1 - stated) / len(draws))
    z = (realised - stated)[error > 0] / error[error > 0]
    assert np.abs(z).max() < 4.5  # of 240
    assert 0.8 < z.std() < 1.2
    assert (realised[error == 0] == 1.0).all()


def test_weighted_failures_of_the_day_are_unbiased_though_failures_are_drawn_more_often(runs):
    day, draws = runs
    failed = np.array([float(c.confidence < 0.3) for c in day])
    weighted = [np.sum(failed[d.chosen] / d.inclusion_probability[d.chosen]) / len(day) for d in draws]
    plain = [failed[d.chosen].mean() for d in draws]
    error = np.std(weighted) / np.sqrt(len(draws))
    assert abs(np.mean(weighted) - failed.mean()) < 4 * error
    assert np.mean(plain) > failed.mean() + 0.1
