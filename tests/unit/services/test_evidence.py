from dataclasses import replace

import numpy as np
import pytest

from cells_factory import DAY, FIRST, build, day, labels, served, whole_numbers
from undertow.estimators.periods import find_periods
from undertow.records.label_grid import SignalUnit
from undertow.records.report import AuditSettings
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.evidence import gather, raises_alarms, unit_name, watched_segments

PRE, DAYS = 14, 60


def evidence(*parts, alarms=True, chosen=AuditSettings(), **given):  # noqa: B008
    cells = build(*parts, **given)
    first, buckets = bucket_range(cells)
    traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
    until = chosen.baseline_until.timestamp() if chosen.baseline_until else None
    return gather(cells, chosen, find_periods(traffic, cells.bucket_s, until), alarms=alarms)


def log(rate_after=0.3, **given):
    rng = np.random.default_rng(1)
    days = DAYS - PRE
    before, after = (
        whole_numbers(rng, 40, 0.05, PRE),
        whole_numbers(rng, 40, np.where(np.arange(days) < 20, 0.05, rate_after), days),
    )
    return [
        served("capable", 100, days=PRE), served("cheap", 100, days=days, start=PRE),
        labels("capable", *before, days=PRE, **given), labels("cheap", *after, days=days, start=PRE, **given),
    ]  # fmt: skip


def unit(basis, selection="sampled"):
    return SignalUnit(0, "review.accuracy", selection, basis, 10.0, 0.0)


def test_people_and_checks_raise_alarms_and_a_judge_only_if_trusted():
    assert raises_alarms(unit("human"), AuditSettings())
    assert raises_alarms(unit("exact"), AuditSettings())
    assert not raises_alarms(unit("judge"), AuditSettings())
    assert raises_alarms(unit("judge"), AuditSettings(trust_judge=True))
    assert not raises_alarms(unit("behaviour"), AuditSettings(trust_judge=True))
    assert unit_name(unit("human")) != unit_name(unit("judge")) != unit_name(unit("judge", "census"))


def test_evidence_grows_after_a_loss_and_stays_low_before():
    found = evidence(*log())
    assert found.line == 7200
    assert found.armed_from == PRE + 7
    assert found.summed[PRE + 19] < DAYS
    assert found.summed[-1] > found.line


def test_the_sum_is_the_weighted_evidence_of_streams_that_count():
    found = evidence(*log())
    for bucket in (3, PRE + 8, DAYS - 1):
        assert float(found.at(bucket) @ found.weights) == pytest.approx(found.summed[bucket])
    late = [s for s in found.streams if s.first_seen > 3]
    assert late
    assert all(found.at(3)[found.streams.index(s)] == 0.0 for s in late)


def test_weights_spend_at_most_the_budget():
    found = evidence(*log(), *log(signal="thumb.helpful", selection="volunteered"))
    assert 0.85 < found.weights.sum() <= 1.0, "signals, roles and streams keep a twentieth each for late comers"
    by_signal = {}
    for stream, weight in zip(found.streams, found.weights, strict=True):
        by_signal[stream.unit.name] = by_signal.get(stream.unit.name, 0.0) + weight
    assert by_signal["review.accuracy"] == pytest.approx(5 * by_signal["thumb.helpful"], rel=0.1), (
        "volunteers get a fifth"
    )


def test_a_judges_streams_are_kept_apart():
    parts = [*log(), *log(signal="judge.score", basis="judge")]
    assert {s.unit.basis for s in evidence(*parts).streams} == {"human"}
    assert {s.unit.basis for s in evidence(*parts, alarms=False).streams} == {"judge"}
    trusting = AuditSettings(trust_judge=True)
    assert {s.unit.basis for s in evidence(*parts, chosen=trusting).streams} == {"human", "judge"}
    assert evidence(*parts, alarms=False, chosen=trusting).streams == ()


def test_no_labels_are_no_evidence():
    found = evidence(served("capable", 10, days=PRE), served("cheap", 10, days=20, start=PRE))
    assert (found.streams, found.summed.tolist()) == ((), [0.0] * (PRE + 20))


def test_labels_count_when_they_become_known():
    found = evidence(*log(delay=5))
    at_once = evidence(*log())
    assert np.argmax(found.summed >= found.line) == np.argmax(at_once.summed >= at_once.line) + 5


def test_hourly_restarts_weigh_an_hour():
    """A line in days of evidence is the same whatever the bucket: an hourly restart weighs 1/24."""
    hours = 24 * 30
    parts = [
        served("capable", 9, days=24 * 7),
        served("cheap", 9, days=hours, start=24 * 7),
        labels("cheap", 2, 0.1, days=hours, start=24 * 7),
    ]
    found = evidence(*parts, bucket_s=3600)
    assert found.armed_from == 24 * 14
    assert found.summed[-1] <= 37 + 1e-9
    daily = evidence(
        served("capable", 216, days=7),
        served("cheap", 216, days=30, start=7),
        labels("cheap", 48, 2.4, days=30, start=7),
    )
    assert found.summed[-1] < 30
    assert daily.summed[-1] < 30


def test_a_named_baseline_moves_the_first_start():
    chosen = AuditSettings(baseline_until=day(PRE + 30))
    assert {s.earliest for s in evidence(*log(), chosen=chosen).streams if s.role == "tier"} == {PRE + 30}


def test_a_routed_baseline_is_no_reference_for_levels():
    assert any(s.kind == "level" for s in evidence(*log()).streams)
    chosen = AuditSettings(baseline_until=day(PRE + 30))
    assert not any(s.kind == "level" for s in evidence(*log(), chosen=chosen).streams)


def test_signals_share_the_error_of_their_bounds():
    """A second signal makes the bound of the first one wider, and one that comes later does not."""

    def level(*more, **given):
        found = evidence(*log(0.2), *more, **given)
        (stream,) = [s for s in found.streams if s.kind == "level" and s.unit.name == "review.accuracy" and s.tier == 0]
        return stream.evidence[-1]

    alone = level()
    assert level(*log(0.05, signal="rating.stars")) < alone
    assert level(labels("cheap", 30, 2, days=20, start=DAYS - 20, signal="rating.stars")) == alone


def test_segments_with_labels_are_watched_and_the_whole_comes_first():
    cells = build(*log(segment="x=a"), served("cheap", 5, days=DAYS, segment="x=silent"), segments=("x=silent", "x=a"))
    assert watched_segments(cells) == [0, 2]
    assert watched_segments(replace(cells, labels=cells.labels.take(np.zeros(len(cells.labels), bool)))) == [0]
    assert cells.first_event == DAY * FIRST


def test_strata_that_are_counted_together_change_no_evidence_of_change():
    """The part that the second of two merged strata has in them grows from a tenth to nine tenths; it always failed more often."""
    days = DAYS - PRE
    grown = np.where(np.arange(days) >= 20, 36, 4)
    parts = [
        served("capable", 100, days=PRE), served("cheap", 100, days=days, start=PRE), labels("cheap", 40, 2, days=days, start=PRE),
        labels("cheap", 40 - grown, 0.05 * (40 - grown), days=days, start=PRE, stratum=1),
        labels("cheap", grown, 0.5 * grown, days=days, start=PRE, stratum=1),
    ]  # fmt: skip

    def found(merged):
        cells = replace(build(*parts), merged=merged)
        first, buckets = bucket_range(cells)
        traffic = traffic_grid(cells, 0, first_bucket=first, buckets=buckets)
        streams = gather(cells, AuditSettings(), find_periods(traffic, cells.bucket_s, None), alarms=True).streams
        return max(stream.evidence.max() for stream in streams if stream.kind == "change")

    assert found({}) > 1e4
    assert found({0: 1}) < DAYS


def test_warnings_have_a_line_of_their_own_so_that_the_judges_change_fits_into_their_budget():
    parts = [*log(), *log(signal="judge.score", basis="judge")]
    assert evidence(*parts).line == 7200
    assert evidence(*parts, alarms=False).line == 180 / (0.05 * 5 / 16)
