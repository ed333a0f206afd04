"""A calibration that no longer keeps its word."""

from cells_factory import build, day, labels, served, stated
from drift_logs import AT, DAYS, SETTINGS, promised, step
from undertow.services.drift import drift_warnings


def test_a_confidence_that_no_longer_keeps_its_word_is_warned_of():
    (warning,) = drift_warnings(promised(0.1, 0.25), SETTINGS)
    assert (warning.monitor, warning.signal, warning.basis) == ("calibration", "review.accuracy", "human")
    assert day(AT) < warning.detected_at <= day(AT + 14)
    assert warning.evidence > 4
    assert "whose confidence says 10.0 %" in warning.note
    assert "calibrate anew" in warning.note


def test_a_calibration_that_holds_is_quiet():
    assert drift_warnings(promised(0.1, 0.1), SETTINGS) == ()


def test_an_uncalibrated_confidence_promises_nothing():
    k = step(0.1, 0.5, n=60)
    cells = build(
        served("cheap", 1000, days=DAYS), labels("cheap", 60, k, days=DAYS), stated("cheap", 60, k, 0.9, days=DAYS)
    )
    assert drift_warnings(cells, SETTINGS) == ()


def test_people_are_asked_before_the_judge():
    judged = [
        labels("cheap", 500, 250, days=DAYS, signal="judge.pairwise", basis="judge"),
        stated("cheap", 500, 250, 0.9, days=DAYS, signal="judge.pairwise"),
    ]
    assert drift_warnings(promised(0.1, 0.1, *judged), SETTINGS) == ()
