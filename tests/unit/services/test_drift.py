"""Drift as a whole: what is warned of, and when not."""

import numpy as np

from cells_factory import day
from drift_logs import AT, MOVED, SETTINGS, log, monitors
from undertow.services.confidence_histogram import WINDOW_DAYS
from undertow.services.drift import drift_warnings


def test_a_steady_router_is_quiet():
    assert monitors(log()) == []


def test_falling_confidence_is_warned_of():
    (warning,) = drift_warnings(log(centre=np.where(MOVED, 0.6, 0.7)), SETTINGS)
    assert (warning.monitor, warning.signal, warning.kind) == ("confidence", "confidence", "drift")
    assert day(AT) < warning.detected_at <= day(AT + 8)
    assert "low confidence rose from 6." in warning.note or "the mean confidence fell from 0.7" in warning.note
    assert "no loss is measured" in warning.note
    assert "draws more reviews" in warning.note
    assert (warning.evidence, warning.loss, warning.basis) == (None, None, "behaviour"), "drift proves no harm"


def test_a_routing_share_that_moves_is_warned_of():
    (warning,) = drift_warnings(log(share=np.where(MOVED, 0.75, 0.6)), SETTINGS)
    assert (warning.monitor, warning.signal) == ("share", "routing share")
    assert day(AT) < warning.detected_at <= day(AT + 8)
    assert "rose from 60." in warning.note


def test_a_short_log_has_no_baseline():
    assert monitors(log(np.where(np.arange(WINDOW_DAYS) < 7, 0.7, 0.3), 0.6, WINDOW_DAYS)) == []
