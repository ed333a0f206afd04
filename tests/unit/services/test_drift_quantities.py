"""Each quantity and its monitor."""

import numpy as np
import pytest

from cells_factory import behaved, binned, build, day, served
from drift_logs import AT, DAYS, MOVED, SETTINGS, monitors, step
from undertow.detectors.ewma import FIRST_DAYS
from undertow.records.cells import NOVELTY_BINS
from undertow.records.trained import TrainedScores
from undertow.services.confidence_histogram import confidence_histogram
from undertow.services.drift import drift_warnings

QUANTITIES = {
    ("share", "escalation rate"): {"escalated": step(0.1, 0.16)},
    ("answer", "answer length"): {"output_tokens": np.where(MOVED, 230.0, 200.0) * 1000},
    ("answer", "refusals"): {"refusals": step(0.02, 0.05)},
    ("answer", "hedging"): {"hedging": step(0.03, 0.06)},
}


@pytest.mark.parametrize(("what", "sums"), QUANTITIES.items())
def test_each_quantity_is_watched_by_its_monitor(what, sums):
    moved = build(served("cheap", 1000, days=DAYS), behaved("cheap", 1000, days=DAYS, **sums))
    (warning,) = drift_warnings(moved, SETTINGS)
    assert (warning.monitor, warning.signal) == what
    assert day(AT) < warning.detected_at <= day(AT + 9)
    assert " rose from " in warning.note
    before = {name: np.where(MOVED, np.roll(values, DAYS - AT), values) for name, values in sums.items()}
    calm = build(served("cheap", 1000, days=DAYS), behaved("cheap", 1000, days=DAYS, **before))
    assert monitors(calm) == []


def novelty(shift):
    rng = np.random.default_rng(7)
    values = rng.normal(0.4 + np.where(MOVED, shift, 0.0)[:, None], 0.1, (DAYS, 800)).clip(0, 0.99)
    counts = np.stack([np.histogram(v, NOVELTY_BINS, (0, 1))[0] for v in values])
    return [
        binned("novelty", "cheap", counts),
        behaved("cheap", 800, days=DAYS, novelty=(values / (1 - values)).sum(1)),
    ]


def test_requests_unlike_the_earlier_ones_are_warned_of():
    (warning,) = drift_warnings(build(served("cheap", 800, days=DAYS), *novelty(0.03)), SETTINGS)
    assert (warning.monitor, warning.signal) == ("input", "novelty")
    assert monitors(build(served("cheap", 800, days=DAYS), *novelty(0.0))) == []


def test_scores_are_held_against_those_of_training():
    rng = np.random.default_rng(8)
    trained = TrainedScores(tuple(range(11)), 2000, "cheap", "calibration.json")
    low = binned("scores", "cheap", rng.multinomial(900, np.linspace(0.15, 0.05, 10), DAYS))
    alike = binned("scores", "cheap", rng.multinomial(900, [0.1] * 10, DAYS))
    (warning,) = drift_warnings(build(served("cheap", 900, days=DAYS), low), SETTINGS, trained)
    assert (warning.monitor, warning.signal) == ("confidence", "score against training")
    assert warning.detected_at <= day(FIRST_DAYS + 6), "it was so from the first day"
    assert "that calibration.json was fitted on" in warning.note
    assert monitors(build(served("cheap", 900, days=DAYS), alike), trained) == []
    assert monitors(build(served("cheap", 900, days=DAYS), low)) == [], "nothing is known of training"


def test_a_log_that_one_tier_serves_alone_has_no_share():
    cells = build(served("cheap", 100, days=DAYS))
    assert drift_warnings(cells, SETTINGS) == ()
    assert confidence_histogram(cells) is None
