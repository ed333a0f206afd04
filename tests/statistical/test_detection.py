"""Power: days to detection of the published rows (a'), (b), (c), onset and naming, each within its Monte-Carlo error."""

import numpy as np
import pytest

from undertow.detectors.e_detector import first_crossing, run_e_detector
from undertow.detectors.locating import segment_of_rise
from undertow.detectors.onset import estimate_onset
from undertow.detectors.self_calibrating import run_self_calibrating
from undertow.simulation.story import baseline, draw_by_tier, draw_unsplit, scenario
from undertow.stats.betting import log_bernoulli_bets, log_stratified_bets

pytestmark = pytest.mark.statistical


def row_c(model, counts):
    null = baseline(model)
    flags, n = counts.flags, counts.n
    weight = null.cells.share.sum(0) / 0.5
    tier = run_e_detector(log_stratified_bets(flags.sum(2) * weight, n.sum(2) * weight, weight, null.cells.whole()))
    tail = run_e_detector(log_bernoulli_bets(flags[..., 1].sum(2), n[..., 1].sum(2), null.cells.by_stratum()[1]))
    capable = run_e_detector(log_bernoulli_bets(counts.capable_flags, counts.capable_n, null.capable))
    segments = run_e_detector(log_bernoulli_bets(flags, n, null.cells.flag_rate).sum(-2))
    return 0.25 * tier + 0.25 * tail + 0.2 * capable + 0.3 * segments.mean(-1)


def median_delay(evidence, onset, line):
    day = first_crossing(evidence, line)
    day = np.where(day < 0, 10**6, day)
    return np.median(day[day >= onset] - onset + 1)


@pytest.mark.parametrize(("name", "published"), [("story", 12), ("half", 8), ("slice", 21)])
def test_long_tail_row_reaches_the_published_delay(name, published):
    model = scenario(name)
    counts = draw_by_tier(model, 300, np.random.default_rng(1), stratified=True)
    assert abs(median_delay(row_c(model, counts), model.onset_day, 3600.0) - published) <= 1 + 0.1 * published


def test_unsplit_reviews_take_twice_as_long():
    model = scenario("story")
    counts = draw_unsplit(model, 300, np.random.default_rng(2))
    evidence = run_e_detector(log_bernoulli_bets(counts.flags, counts.n, counts.null_rate[:, None]))
    assert abs(median_delay(evidence, model.onset_day, 3600.0) - 24) <= 1


@pytest.mark.parametrize("name", ["story", "half", "slice"])
def test_onset_interval_covers_and_names_are_right(name):
    model = scenario(name)
    null = baseline(model)
    counts = draw_by_tier(model, 150, np.random.default_rng(3), stratified=True)
    day = first_crossing(row_c(model, counts), 7200.0)
    pooled = float(null.cells.by_stratum().mean())
    covered, wrong, named = [], [], []
    for run in np.flatnonzero(day >= model.onset_day):
        end = int(day[run]) + 1
        onset = estimate_onset(counts.flags[:end, run].sum((1, 2)), 140.0, pooled)
        covered.append(onset.low <= model.onset_day <= onset.high)
        parts = []
        for days in (slice(0, int(onset.day)), slice(int(onset.day), end)):
            for x in (counts.flags, counts.n):
                sums = x[days, run].sum(0).astype(float)
                parts.append(np.concatenate([sums.sum(0, keepdims=True), sums]))
        segment = segment_of_rise(*parts, keys=np.zeros(6))
        named.append(segment is not None)
        wrong.append(segment not in (None, model.worst_segment))
    assert np.mean(covered) >= 0.90
    assert np.mean(wrong) <= 0.05
    assert np.mean(named) >= 0.25


def test_self_calibrating_needs_little_more_than_knowing():
    rng = np.random.default_rng(4)
    rate = np.where(np.arange(100) < 28, 0.07, 0.14)
    k = rng.binomial(140, rate[:, None], (100, 200))
    known = run_e_detector(log_bernoulli_bets(k[28:], 140, 0.07))
    unknown = run_self_calibrating(k[..., None], 140.0, warmup=4)
    assert median_delay(unknown, 28, 7200.0) <= median_delay(known, 0, 7200.0) + 2
