import numpy as np
import pytest

from cells_factory import behaved, binned, build, confidence, day, labels, model, served, stated
from undertow.detectors.ewma import FIRST_DAYS
from undertow.records.cells import NOVELTY_BINS
from undertow.records.report import AuditSettings
from undertow.records.segment import WHOLE, Segment
from undertow.records.trained import TrainedScores
from undertow.services.drift import (
    WINDOW_DAYS,
    confidence_histogram,
    drift_warnings,
    place_weights,
    watched_places,
)

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


def promised(before, after, *more):
    k = step(before, after, n=60)
    return build(
        served("cheap", 1000, days=DAYS),
        model("cheap", "c1", 1000, days=DAYS, kind="calibration_version"),
        labels("cheap", 60, k, days=DAYS),
        stated("cheap", 60, k, 0.9, days=DAYS),
        *more,
    )


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


@pytest.mark.parametrize(("kind", "centre", "share"), [("calibration_version", 0.5, 0.6), ("policy_version", 0.7, 0.9)])
def test_a_new_version_moves_things_on_purpose(kind, centre, share):
    versions = [
        model("cheap", "v1", 100, days=AT, kind=kind), model("cheap", "v2", 100, days=DAYS - AT, start=AT, kind=kind),
    ]  # fmt: skip
    args = (np.where(MOVED, centre, 0.7), np.where(MOVED, share, 0.6))
    assert monitors(log(*args, DAYS, *versions)) == []
    assert monitors(log(*args)) != []


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


def test_a_drift_in_one_segment_is_told_there():
    (warning,) = drift_warnings(in_segments(["intent=c"]), SETTINGS)
    assert warning.segment == Segment("intent", "c")


def test_a_drift_everywhere_is_told_once():
    (warning,) = drift_warnings(in_segments(SEGMENTS), SETTINGS)
    assert warning.segment == WHOLE
    assert "in 6 of 6 segments by themselves too" in warning.note


def test_small_segments_are_watched_together():
    rest = [f"intent=s{i}" for i in range(8)]
    parts = [
        served("cheap", 500, days=DAYS, segment="intent=big"),
        confidence("cheap", histograms(DAYS, 0.7), segment="intent=big"),
    ]
    for i, name in enumerate(rest):
        centre = np.where(MOVED, 0.55, 0.7)
        parts += [
            served("cheap", 20, days=DAYS, segment=name),
            confidence("cheap", histograms(DAYS, centre, seed=40 + i, n=20), segment=name),
        ]
    cells = build(*parts)
    places = watched_places(cells, int(cells.traffic.bucket.min()), DAYS)
    assert [(p.segment, p.rest_of) for p in places] == [
        (WHOLE, ""), (Segment("intent", "big"), ""), (WHOLE, "intent")
    ]  # fmt: skip
    assert len(places[2].codes) == 8
    (warning,) = drift_warnings(cells, SETTINGS)
    assert warning.segment == WHOLE


def test_the_budget_is_shared_out_and_a_later_segment_changes_no_part_of_it():
    cells = build(
        served("cheap", 500, days=DAYS, segment="intent=a"), served("cheap", 500, days=DAYS, segment="intent=b"),
        served("cheap", 500, days=20, start=50, segment="intent=late"),
    )  # fmt: skip
    places = watched_places(cells, int(cells.traffic.bucket.min()), DAYS)
    weights = dict(zip([p.segment.value for p in places], place_weights(places), strict=True))
    assert sum(weights.values()) <= 1.0
    early = [p for p in places if p.segment.value != "late"]
    assert dict(zip([p.segment.value for p in early], place_weights(early), strict=True)) == {
        name: weight for name, weight in weights.items() if name != "late"
    }
    assert 0 < weights["late"] < weights["a"]


def test_a_segment_that_is_renamed_does_not_drift():

    def of(name, n, centre, start, days, seed):
        return [
            served("cheap", n, days=days, start=start, segment=name),
            confidence("cheap", histograms(days, centre, seed=seed, n=n), start=start, segment=name),
        ]

    cells = build(
        *of("intent=a", 600, 0.7, 0, DAYS, 1),
        *of("intent=old", 300, 0.5, 0, AT, 2),
        *of("intent=new", 300, 0.5, AT, DAYS - AT, 3),
    )
    assert drift_warnings(cells, SETTINGS) == ()


def test_what_changed_just_before_is_named():
    swap = [model("cheap", "m1", 100, days=AT), model("cheap", "m2", 100, days=DAYS - AT, start=AT)]
    (warning,) = drift_warnings(log(np.where(MOVED, 0.6, 0.7), 0.6, DAYS, *swap), SETTINGS)
    assert warning.changed_nearby == ("model m2 began on 10 February",)


def test_a_short_log_has_no_baseline():
    assert monitors(log(np.where(np.arange(WINDOW_DAYS) < 7, 0.7, 0.3), 0.6, WINDOW_DAYS)) == []


def test_a_log_that_one_tier_serves_alone_has_no_share():
    cells = build(served("cheap", 100, days=DAYS))
    assert drift_warnings(cells, SETTINGS) == ()
    assert confidence_histogram(cells) is None


def test_the_histogram_sets_the_first_fortnight_against_the_last():
    found = confidence_histogram(log(centre=np.where(np.arange(DAYS) < 56, 0.7, 0.5)))
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
