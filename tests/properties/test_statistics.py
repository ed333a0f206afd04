"""What holds for all counts: merging, monotonicity, order of streams."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from undertow.detectors.e_detector import EDetector, run_e_detector
from undertow.detectors.multiplicity import RESERVE, Stream, stream_weights
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.stats.betting import log_bernoulli_bets, log_pair_bets, log_ratio_bets
from undertow.stats.confidence import beta_binomial_interval
from undertow.stats.contrast import log_contrast_bets

counts = st.tuples(st.integers(0, 300), st.integers(0, 300)).map(sorted)
rates = st.floats(0.001, 0.95)


@given(counts, counts, rates)
def test_blocks_may_be_merged_before_or_after_betting(first, second, m):
    (k1, n1), (k2, n2) = first, second
    together = log_bernoulli_bets(k1 + k2, n1 + n2, m)
    assert np.allclose(together, log_bernoulli_bets(k1, n1, m) + log_bernoulli_bets(k2, n2, m))
    weighted = log_ratio_bets(3 * k1 + 3 * k2, 3 * n1 + 3 * n2, 5, m)
    assert np.allclose(weighted, log_ratio_bets(3 * k1, 3 * n1, 5, m) + log_ratio_bets(3 * k2, 3 * n2, 5, m))


@given(counts, rates)
def test_another_failure_never_lowers_the_evidence(count, m):
    k, n = count
    assert (log_bernoulli_bets(k + 1, n + 1, m) >= log_bernoulli_bets(k, n + 1, m)).all()


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.floats(0, 0.5))
def test_a_larger_margin_never_raises_the_evidence_of_pairs_at_the_same_stake(up, down, tie, margin):
    n = up + down + tie
    bets = log_pair_bets(n, up, down, margin)
    assert np.isfinite(bets).all()
    assert (log_pair_bets(n + 1, up + 1, down, margin) >= log_pair_bets(n + 1, up, down + 1, margin)).all()


@given(counts, counts, st.floats(0, 0.3), st.floats(0.01, 0.3))
def test_contrasts_are_finite_and_rise_with_the_treatments_failures(treatment, reference, margin, rate):
    (k_t, n_t), (k_r, n_r) = treatment, reference
    n, coef, bound = np.array([n_t + 1.0, n_r]), np.array([1.0, -1.0]), np.array(margin)
    alternatives = np.array([[rate + margin + loss, rate] for loss in (0.01, 0.1, 0.3)])
    bets = log_contrast_bets(np.array([float(k_t), k_r]), n, coef, bound, alternatives)
    assert np.isfinite(bets).all()
    assert (log_contrast_bets(np.array([k_t + 1.0, k_r]), n, coef, bound, alternatives) >= bets - 1e-9).all()


@given(counts, st.floats(0.5, 0.99), st.floats(0.001, 0.009))
def test_intervals_nest_and_contain_the_mean(count, level, more):
    k, n = count
    narrow, wide = beta_binomial_interval(k, n, level), beta_binomial_interval(k, n, level + more)
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high
    if n:
        assert narrow.low <= k / n <= narrow.high


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=30), st.integers(0, 30))
def test_a_detector_may_be_saved_after_any_block(log_bets, cut):
    bets = np.asarray(log_bets)[:, None]
    state = EDetector.start((), 1)
    for row in bets[:cut]:
        state = state.update(row)
    state = EDetector.from_state(state.to_state())
    for row in bets[cut:]:
        state = state.update(row)
    assert np.isclose(float(state.evidence), run_e_detector(bets)[-1])


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda x: (min(x), max(x))), min_size=3, max_size=40),
    st.data(),
)
def test_self_calibrating_never_looks_ahead(days, data):
    k = np.array([[d[0]] for d in days], float)
    n = np.array([[d[1]] for d in days], float)
    cut = data.draw(st.integers(1, len(days)))
    full = run_self_calibrating(k, n, 2)
    assert np.isfinite(full).all()
    assert np.array_equal(full[:cut], run_self_calibrating(k[:cut], n[:cut], 2))


names = st.sampled_from("abcdefgh")
stream_sets = st.sets(
    st.builds(
        Stream,
        st.sampled_from(["x.y", "z.w"]),
        st.sampled_from(["tier", "tail", "segment", "capable"]),
        names,
        st.just(0),
    ),
    min_size=1,
).flatmap(lambda s: st.tuples(st.just(sorted(s)), st.lists(st.integers(0, 20), min_size=len(s), max_size=len(s))))


@given(stream_sets, st.integers(10, 20))
def test_weights_stay_within_the_budget_and_ignore_the_future(drawn, today):
    streams = [Stream(s.signal, s.role, s.name, day) for s, day in zip(*drawn, strict=True)]
    weights = stream_weights(streams, 10)
    assert (weights > 0).all()
    assert weights.sum() <= 1 + 1e-12
    known = [s for s in streams if s.first_seen <= today]
    now = stream_weights(known, 10)
    assert np.allclose(now, [w for s, w in zip(streams, weights, strict=True) if s.first_seen <= today])
    if all(s.first_seen <= 10 for s in streams):
        assert np.isclose(weights.sum(), (1 - RESERVE) ** 3)
