"""Long-run loss of a threshold that follows its labels, before and after a shift, at fixed seeds."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom

from undertow.calibration.certificates import choose_threshold
from undertow.calibration.online import Rules, begin, follow, log_odds, relax
from undertow.records.tuning import TuningLabel

pytestmark = pytest.mark.statistical

MARGIN, DELTA, BEFORE, AFTER, RUN = 0.03, 0.1, 1500, 2500, 25


def draw(rng, n, shift):
    """Log-odds of the confidence, and whether the answer fails: honest, or overconfident by `shift`."""
    odds = rng.normal(1.6, 1.6, n)
    return odds, rng.random(n) > expit(odds - shift)


def followed(seed, shift, weights=False):
    """Thresholds (log-odds) in force at each label, the labels, and the certified threshold; a run every `RUN` labels."""
    rng = np.random.default_rng([20, seed])
    odds, failed = draw(rng, 3000, 0.0)
    threshold = choose_threshold(expit(odds), ~failed, np.ones(3000), MARGIN, DELTA).threshold
    parts = draw(rng, BEFORE, 0.0), draw(rng, AFTER, shift)
    odds, failed = (np.concatenate(part) for part in zip(*parts, strict=True))
    weight = rng.choice([2.0, 4.0, 8.0], len(odds)) if weights else np.full(len(odds), 4.0)
    labels = [
        TuningLabel(available_at=f"{t:06}", decision_id=str(t), confidence=float(p), is_failed=bool(f), weight=float(w))
        for t, (p, f, w) in enumerate(zip(expit(odds), failed, weight, strict=True))
    ]
    rules, state = Rules.of(threshold, MARGIN, DELTA), begin(threshold, 4.0)
    at = np.empty(len(labels))
    for start in range(0, len(labels), RUN):
        at[start : start + RUN] = min(state.log_odds, rules.cap)
        state = follow(state, labels[start : start + RUN], rules, earlier=labels[max(0, start - 300) : start]).state
        state = relax(
            state, [one for one in labels[: start + RUN] if one.available_at > (state.floor_since or "")], rules
        )
    return at, odds, failed, log_odds(threshold)


def true_loss(threshold, shift):
    odds, failed = draw(np.random.default_rng(1), 200_000, shift)
    order = np.argsort(-odds)
    losses = np.concatenate([[0.0], np.cumsum(failed[order])]) / len(odds)
    return losses[np.searchsorted(-odds[order], -np.asarray(threshold), side="right")]


def most(n, share=MARGIN, level=0.999):
    """So many of n labels at most are losses where the rate is within the margin."""
    return int(binom.ppf(level, n, share))


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_served_failures_stay_within_the_margin_in_the_long_run(shift, weights):
    runs = [followed(seed, shift, weights) for seed in range(16)]
    lost = [failed & (odds >= at) for at, odds, failed, _ in runs]
    before = sum(int(one[:BEFORE].sum()) for one in lost)
    # What comes after the first 500 labels of a shift; at once where there is none.
    later = BEFORE + (500 if shift else 0)
    after = sum(int(one[later:].sum()) for one in lost)
    n = BEFORE + AFTER - later
    assert before <= most(16 * BEFORE)
    assert after <= most(16 * n)
    fixed = sum(int((failed & (odds >= certified))[later:].sum()) for _, odds, failed, certified in runs)
    assert (fixed > most(16 * n)) == bool(shift)


def test_the_loss_is_back_inside_within_300_labels_and_little_is_lost_before():
    runs = [followed(seed, 1.5) for seed in range(16)]
    back = []
    kept = []
    for at, odds, _, certified in runs:
        loss = true_loss(at[BEFORE:], 1.5)
        inside = [t for t in range(AFTER - 500) if loss[t] <= MARGIN and loss[t : t + 500].mean() <= MARGIN]
        back.append(inside[0] if inside else np.inf)
        kept.append((odds[:BEFORE] >= at[:BEFORE]).mean() / (odds[:BEFORE] >= certified).mean())
    assert np.median(back) <= 300
    assert np.mean(kept) >= 0.9


def test_without_a_shift_a_lower_floor_violates_the_margin_no_more_often_than_allowed():
    lowest = [followed(seed, 0.0)[0].min() for seed in range(40)]
    violating = int(sum(true_loss(np.array([at]), 0.0)[0] > MARGIN for at in lowest))
    assert violating <= binom.ppf(0.999, 40, 2 * DELTA)
