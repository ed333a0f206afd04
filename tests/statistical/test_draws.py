"""Draws come out as often as they say they do, and the check of draws seldom accuses draws that do."""

import math

import numpy as np
import pytest

from undertow.records.sampling import SampleRate, SamplingRates
from undertow.sampling.audit import ALPHA, DrawCounts, draw_mismatches, log_evidence
from undertow.sampling.draw import CompiledRates

N = 40_000
IDS = [f"{number * 2_654_435_761 % 2**64:016x}{number:016x}" for number in range(N)]


def drawn(**rate: float):
    compiled = CompiledRates(SamplingRates(rates=(SampleRate(tier="cheap", **rate),), salt="statistical"))
    return [compiled.draw(compiled.number(each), "cheap", {}, 0.0, for_review=True, for_shadow=True) for each in IDS]


def tolerance(p: float) -> float:
    """Five standard deviations of a binomial share: 6 in ten million."""
    return 5.0 * math.sqrt(p * (1.0 - p) / N)


@pytest.mark.parametrize("p", [0.005, 0.02, 0.3, 0.95])
def test_the_share_that_is_chosen_converges_to_the_probability(p: float):
    for purpose in ("review", "shadow"):
        chosen = sum(draws[0].chosen for draws in drawn(**{purpose: p}))
        assert abs(chosen / N - p) < tolerance(p)


def test_so_does_the_share_that_steering_adds():
    draws = [one for (one,) in drawn(review=0.1, review_extra=0.25)]
    steered = sum(draw.chosen and draw.stratum == "whole+" for draw in draws)
    plain = sum(draw.chosen and draw.stratum == "whole" for draw in draws)
    assert abs(steered / N - 0.25) < tolerance(0.25)
    assert abs(plain / N - 0.1) < tolerance(0.1)


def test_what_is_reviewed_is_answered_again_where_that_is_drawn_more_often():
    found = list(drawn(review=0.2, shadow=0.3))
    assert not any(review.chosen and not shadow.chosen for review, shadow in found)
    assert abs(sum(shadow.chosen for _, shadow in found) / N - 0.3) < tolerance(0.3)


def test_salts_are_independent_of_each_other():
    rates = (SampleRate(tier="cheap", review=0.2),)
    one, other = (CompiledRates(SamplingRates(rates=rates, salt=salt)) for salt in ("one", "other"))
    both = sum(one.number(each) < 0.2 and other.number(each) < 0.2 for each in IDS)
    assert abs(both / N - 0.04) < tolerance(0.04)


@pytest.mark.parametrize("spread", [0.0, 0.9])
def test_looking_every_day_the_check_accuses_true_draws_at_most_as_often_as_it_says(spread: float):
    """400 logs of 180 days, six cells each, probabilities alike or very unlike inside a cell."""
    random = np.random.default_rng(20260301)
    logs, days, a_day = 400, 180, 40
    mean = np.array([0.005, 0.02, 0.1, 0.3, 0.6, 0.95])
    false = 0
    for _ in range(logs):
        p = np.clip(mean[:, None, None] * (1 + spread * random.uniform(-1, 1, (6, days, a_day))), 0, 1)
        chosen = (random.random(p.shape) < p).sum(2).cumsum(1)
        expected = p.sum(2).cumsum(1)
        false += any(
            draw_mismatches(
                [DrawCounts("review", str(c), 0, 1, (day + 1) * a_day, int(chosen[c, day]), expected[c, day]) for c in range(6)],
                alpha=0.05,
            )
            for day in range(0, days, 6)
        )  # fmt: skip
    assert false / logs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / logs)
    assert ALPHA <= 0.05


def test_the_evidence_is_at_most_one_in_the_mean_whatever_the_mix_of_probabilities():
    random = np.random.default_rng(7)
    p = random.choice([0.01, 0.2, 0.7], 60)
    chosen = (random.random((40_000, 60)) < p).sum(1)
    evidence = {
        k: math.exp(log_evidence(DrawCounts("review", "c", 0, 1, 60, k, float(p.sum())))) for k in set(chosen.tolist())
    }
    values = np.array([evidence[k] for k in chosen.tolist()])
    assert values.mean() <= 1.0 + 4 * values.std() / math.sqrt(len(values))


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_a_rate_that_is_off_by_a_quarter_is_found_within_five_thousand_chosen(factor: float):
    random = np.random.default_rng(3)
    found = 0
    for _ in range(100):
        n = 250_000
        found += bool(
            draw_mismatches(
                [DrawCounts("review", "c", 0.02, 0.02, n, int(random.binomial(n, 0.02 * factor)), 0.02 * n)]
            )
        )
    assert found >= 99
