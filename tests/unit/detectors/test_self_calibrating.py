"""The self-calibrating detector against a direct evaluation of its definition."""

import numpy as np
import pytest
from scipy.special import betaln

from undertow.detectors.self_calibrating import (
    PRIOR,
    default_warmup,
    run_self_calibrating,
)
from undertow.stats.betting import bet_rates


def direct(k, n, warmup, earliest):
    """M at the last day, term by term, for one stream; k, n of shape (T, H)."""
    a, b = PRIOR
    a0, b0 = a + k[:warmup].sum(0), b + (n - k)[:warmup].sum(0)
    k, n = k[warmup:], n[warmup:]
    total_k, total_n = k.sum(0), n.sum(0)
    best = total_k / total_n
    log_best = (total_k * np.log(best) + (total_n - total_k) * np.log(1 - best)).sum()
    out = 0.0
    for s in range(max(0, earliest - warmup), len(k)):
        k0, n0, k1, n1 = k[:s].sum(0), n[:s].sum(0), k[s:].sum(0), n[s:].sum(0)
        before = (betaln(a0 + k0, b0 + n0 - k0) - betaln(a0, b0)).sum()
        q = bet_rates((a0 + k0) / (a0 + b0 + n0))
        after = (k1[:, None] * np.log(q) + (n1 - k1)[:, None] * np.log(1 - q)).sum(0)
        out += np.exp(before + after - log_best).mean()
    return out


@pytest.mark.parametrize(("warmup", "earliest"), [(1, 0), (4, 0), (3, 20)])
@pytest.mark.parametrize("strata", [1, 2])
def test_agrees_with_the_definition(strata, warmup, earliest):
    rng = np.random.default_rng(5)
    n = rng.integers(20, 60, (40, strata)).astype(float)
    k = rng.binomial(n.astype(int), 0.1).astype(float)
    k[30:] += rng.binomial(10, 0.5, (10, strata))
    evidence = run_self_calibrating(k, n, warmup, earliest)
    for day in (25, 32, 40):
        assert evidence[day - 1] == pytest.approx(direct(k[:day], n[:day], warmup, earliest), rel=1e-9)


def test_row_t_depends_on_rows_up_to_t():
    rng = np.random.default_rng(6)
    k = rng.binomial(50, 0.1, (120, 3, 1)).astype(float)
    assert np.array_equal(run_self_calibrating(k, 50.0, 4)[:70], run_self_calibrating(k[:70], 50.0, 4))


def test_a_stream_that_appears_late_trains_from_its_own_first_day():
    rng = np.random.default_rng(7)
    k = rng.binomial(50, 0.1, (60, 1)).astype(float)
    n = np.full((60, 1), 50.0)
    late_k, late_n = np.concatenate([np.zeros((21, 1)), k]), np.concatenate([np.zeros((21, 1)), n])
    # 21 is a multiple of 7, so that the weekly starts fall on the same days.
    assert np.allclose(run_self_calibrating(late_k, late_n, 4)[21:], run_self_calibrating(k, n, 4))
    assert (run_self_calibrating(late_k, late_n, 4)[:25] == 0.0).all()


def test_no_labels_and_no_days():
    assert run_self_calibrating(np.zeros((0, 2, 1)), np.zeros((0, 2, 1)), 4).shape == (0, 2)
    assert (run_self_calibrating(np.zeros((30, 2, 1)), np.zeros((30, 2, 1)), 4) == 0.0).all()


def test_a_fall_is_no_alarm():
    k = np.full((90, 1), 20.0)
    k[45:] = 5.0
    assert run_self_calibrating(k, 100.0, 4).max() < 50.0


def test_warmup_is_an_eighth_of_the_baseline():
    assert [default_warmup(days) for days in (1, 8, 9, 28)] == [1, 1, 2, 4]
