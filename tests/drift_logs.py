"""Logs in which what the router sees or does moves from some day on."""

import numpy as np

from cells_factory import build, confidence, labels, model, served, stated
from undertow.records.report import AuditSettings
from undertow.services.drift import drift_warnings

BINS = 40
DAYS = 70
AT = 40
SETTINGS = AuditSettings()
SEGMENTS = tuple(f"intent={name}" for name in "abcdef")
MOVED = np.arange(DAYS) >= AT


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


def monitors(cells, trained=None):
    return [(w.monitor, w.signal) for w in drift_warnings(cells, SETTINGS, trained)]


def step(before, after, n=1000, seed=5):
    """Draws of a rate that moves, one a day."""
    return np.random.default_rng(seed).binomial(n, np.where(MOVED, after, before)).astype(float)


def promised(before, after, *more):
    k = step(before, after, n=60)
    return build(
        served("cheap", 1000, days=DAYS),
        model("cheap", "c1", 1000, days=DAYS, kind="calibration_version"),
        labels("cheap", 60, k, days=DAYS),
        stated("cheap", 60, k, 0.9, days=DAYS),
        *more,
    )


def in_segments(moved, n=400):
    """Confidence that falls in the segments named."""
    parts = []
    for i, name in enumerate(SEGMENTS):
        centre = np.where(MOVED & (name in moved), 0.6, 0.7)
        parts += [
            served("cheap", n, days=DAYS, segment=name),
            confidence("cheap", histograms(DAYS, centre, seed=20 + i, n=n), segment=name),
        ]
    return build(*parts)
