import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells_factory import build, latency, served
from undertow.ledger.latency import histogram_quantile_ms, tier_latency
from undertow.records.cells import LATENCY_BINS, LATENCY_BINS_PER_DECADE, LATENCY_FIRST_MS


def bin_of(ms):
    return np.clip(np.floor(np.log10(ms / LATENCY_FIRST_MS) * LATENCY_BINS_PER_DECADE), 0, LATENCY_BINS - 1).astype(int)


@given(
    st.lists(st.floats(0.2, 9e5), min_size=1, max_size=200),
    st.sampled_from([0.5, 0.95]),
)
def test_a_quantile_is_within_the_width_of_a_bin(values, share):
    ms = np.array(values)
    bins, n = np.unique(bin_of(ms), return_counts=True)
    exact = np.quantile(ms, share, method="inverted_cdf")
    found = histogram_quantile_ms(bins, n, share)
    assert exact / 1.06 <= found <= exact * 1.06


@given(st.lists(st.tuples(st.integers(0, LATENCY_BINS - 1), st.integers(1, 50)), min_size=2, max_size=30), st.data())
def test_histograms_that_are_put_together_in_any_order_give_the_same_quantile(rows, data):
    whole = histogram_quantile_ms(*map(np.array, zip(*rows, strict=True)), 0.95)
    shuffled = data.draw(st.permutations(rows))
    assert histogram_quantile_ms(*map(np.array, zip(*shuffled, strict=True)), 0.95) == pytest.approx(whole)


def test_no_decisions_have_no_quantile():
    assert histogram_quantile_ms(np.zeros(0, int), np.zeros(0, int), 0.5) is None


def test_escalated_requests_stand_beside_the_direct_ones_of_their_tier():
    cells = build(
        served("cheap", 10, days=1),
        latency("cheap", {120: 90}),
        latency("capable", {130: 50, 140: 50}),
        latency("capable", {160: 20}, way="escalated"),
    )
    cheap, capable = tier_latency(cells, 0), tier_latency(cells, 1)
    assert (cheap.escalated.n, cheap.escalated.p50, cheap.escalated.p95) == (0, None, None)
    assert cheap.direct.p50 == pytest.approx(100 * 10 ** (0.5 / 40))
    assert capable.escalated.n == 20
    assert capable.escalated.p50 == pytest.approx(1000 * 10 ** (0.5 / 40))
    assert capable.direct.p50 == pytest.approx(100 * 10 ** (11 / 40))
    assert capable.direct.p50 < capable.direct.p95 < capable.escalated.p50


def test_skipped_requests_are_told_from_the_direct_ones_of_their_tier():
    cells = build(
        served("cheap", 10, days=1),
        latency("cheap", {120: 90}),
        latency("capable", {130: 50}),
        latency("capable", {140: 7}, way="skipped"),
    )
    cheap, capable = tier_latency(cells, 0), tier_latency(cells, 1)
    assert cheap.skipped is None
    assert (capable.direct.n, capable.escalated.n, capable.skipped.n) == (50, 0, 7)
    assert capable.skipped.p50 == pytest.approx(100 * 10 ** (20.5 / 40))


def test_a_log_that_does_not_say_has_none():
    assert tier_latency(build(served("cheap", 10, days=1)), 0) is None
