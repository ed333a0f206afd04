import numpy as np
import pytest

from cells_factory import build, confidence, day, model, served
from undertow.records.report import AuditSettings
from undertow.services.drift import WINDOW_DAYS, confidence_histogram, drift_warnings

BINS = 40
DAYS = 60


def histograms(days, centre, seed=1, n=2000, spread=0.1):
    rng = np.random.default_rng(seed)
    return np.stack([
        np.histogram(np.clip(rng.normal(c, spread, n), 0, 1), bins=BINS, range=(0, 1))[0]
        for c in np.broadcast_to(np.asarray(centre, float), days)
    ])  # fmt: skip


def log(centre=0.7, share=0.6, days=DAYS, *more, seed=3):
    rng = np.random.default_rng(seed)
    cheap = rng.binomial(1000, np.broadcast_to(np.asarray(share, float), days))
    return build(
        served("cheap", cheap, days=days),
        served("capable", 1000 - cheap, days=days),
        confidence("cheap", histograms(days, centre)),
        *more,
    )


def monitors(cells):
    return [(w.monitor, w.signal) for w in drift_warnings(cells, AuditSettings())]


def test_a_steady_router_is_quiet():
    assert monitors(log()) == []


def test_falling_confidence_is_warned_of():
    (warning,) = drift_warnings(log(centre=np.where(np.arange(DAYS) < 35, 0.7, 0.6)), AuditSettings())
    assert (warning.monitor, warning.signal, warning.kind) == ("confidence", "confidence", "drift")
    assert day(35) < warning.detected_at <= day(42)
    assert "down by 0.0" in warning.note or "down by 0.1" in warning.note
    assert (warning.evidence, warning.loss) == (None, None), "drift proves no harm"


def test_a_routing_share_that_moves_is_warned_of():
    (warning,) = drift_warnings(log(share=np.where(np.arange(DAYS) < 35, 0.6, 0.75)), AuditSettings())
    assert (warning.monitor, warning.signal) == ("share", "routing share")
    assert day(35) < warning.detected_at <= day(42)


@pytest.mark.parametrize(("kind", "centre", "share"), [("calibration_version", 0.5, 0.6), ("policy_version", 0.7, 0.9)])
def test_a_new_version_moves_things_on_purpose(kind, centre, share):
    moved = np.arange(DAYS) < 30
    versions = [model("cheap", "v1", 100, days=30, kind=kind), model("cheap", "v2", 100, days=30, start=30, kind=kind)]
    args = (np.where(moved, 0.7, centre), np.where(moved, 0.6, share))
    assert monitors(log(*args, DAYS, *versions)) == []
    assert monitors(log(*args)) != []


def test_a_short_log_has_no_baseline():
    assert monitors(log(days=WINDOW_DAYS + 5)) == []


def test_a_log_that_one_tier_serves_alone_has_no_share():
    cells = build(served("cheap", 100, days=DAYS))
    assert drift_warnings(cells, AuditSettings()) == []
    assert confidence_histogram(cells) is None


def test_the_histogram_sets_the_first_fortnight_against_the_last():
    found = confidence_histogram(log(centre=np.where(np.arange(DAYS) < 46, 0.7, 0.5)))
    assert len(found.edges) == BINS + 1
    assert sum(found.baseline) == pytest.approx(1.0)
    assert sum(found.now) == pytest.approx(1.0)
    centres = (np.arange(BINS) + 0.5) / BINS
    assert centres @ found.baseline == pytest.approx(0.7, abs=0.02)
    assert centres @ found.now == pytest.approx(0.5, abs=0.02)
    assert found.baseline_period == (day(0), day(WINDOW_DAYS))
    assert found.now_period == (day(DAYS - WINDOW_DAYS), day(DAYS))
    assert found.psi > 0.2
    assert found.wasserstein == pytest.approx(0.2, abs=0.03)


def test_a_short_log_is_halved():
    found = confidence_histogram(log(days=6))
    assert found.baseline_period == (day(0), day(3))
    assert found.now_period == (day(3), day(6))
