from dataclasses import replace

import numpy as np
import pytest

from cells_factory import DAY, FIRST, build, labels, served
from undertow.detectors.quality_gap import SegmentData, StreamOptions, unit_streams
from undertow.records.label_grid import label_grid, own_steered, signal_units
from undertow.records.traffic_grid import bucket_range, traffic_grid

PRE, DAYS = 10, 50


def streams(*parts, tiers=("cheap", "capable"), routing_start=PRE, baseline_until=None, unit=0, names=(), merged=None):
    cells = replace(
        build(*parts, tiers=tiers), strata={0: names} if names else {}, merged={} if merged is None else {0: merged}
    )
    first, buckets = bucket_range(cells)
    chosen = signal_units(cells)[unit]
    data = []
    for code in range(len(cells.segments)):
        grid = label_grid(cells, chosen, code, first_bucket=first, buckets=buckets)
        before = label_grid(cells, chosen, code, by="decided", first_bucket=first, buckets=routing_start)
        if grid.n.sum() > 0:
            plain = label_grid(cells, chosen, code, first_bucket=first, buckets=buckets, plain=True)
            traffic = traffic_grid(cells, code, first_bucket=first, buckets=buckets)
            own = own_steered(cells, chosen, code, plain) if code else None
            data.append(SegmentData(code, grid, plain, before, traffic, own))
    assert first == FIRST
    return unit_streams(chosen, data, StreamOptions(DAY, routing_start, baseline_until, 0.02, 0.0125))


def named(found):
    return {(s.role, s.kind, s.monitor, s.tier, s.segment): s for s in found}


BEFORE = [served("capable", 200, days=PRE), labels("capable", 40, 2, days=PRE)]
ROUTED = [served("cheap", 150, days=DAYS - PRE, start=PRE), labels("cheap", 40, 2, days=DAYS - PRE, start=PRE)]
REST = [served("capable", 50, days=DAYS - PRE, start=PRE), labels("capable", 20, 1, days=DAYS - PRE, start=PRE)]
HELD = [
    served("capable", 20, days=DAYS - PRE, start=PRE, arm="holdout"),
    labels("capable", 10, 0.5, days=DAYS - PRE, start=PRE, arm="holdout"),
]
TIER, CAPABLE, LEVEL = (
    ("tier", "change", "quality", 0, 0), ("capable", "change", "quality", 1, 0), ("level", "level", "quality", 0, 0),
)  # fmt: skip


def test_a_cheaper_tier_is_watched_for_change_and_level_and_the_capable_one_for_change():
    found = named(streams(*BEFORE, *ROUTED, *REST, *HELD))
    assert found.keys() == {TIER, CAPABLE, LEVEL}
    assert found[TIER].first_seen == PRE


def test_a_change_begins_in_a_streams_second_week_or_after_the_named_baseline():
    assert named(streams(*BEFORE, *ROUTED))[TIER].earliest == PRE + 7
    assert named(streams(*BEFORE, *ROUTED, baseline_until=30))[TIER].earliest == 30
    early = named(streams(*BEFORE, *ROUTED, baseline_until=3))[TIER]
    assert early.earliest == PRE + 3, "three days train before anything may begin"


def test_the_capable_tiers_served_traffic_is_not_watched():
    worse = labels("capable", 40, 30, days=20, start=30)
    found = named(streams(*BEFORE, *ROUTED, *HELD, worse))
    assert found[CAPABLE].evidence[-1] < DAYS, "the policy chose that traffic"
    fallen = labels("capable", 10, 8, days=20, start=30, arm="holdout")
    assert named(streams(*BEFORE, *ROUTED, *HELD, fallen))[CAPABLE].evidence[-1] > 1e4


def test_a_holdout_that_comes_later_counts_from_then_on():
    later = [
        labels("capable", 10, 0, days=10, start=40, arm="holdout"),
        served("capable", 9, days=10, start=40, arm="holdout"),
    ]
    found = named(streams(*ROUTED, served("capable", 1, days=PRE), *later))
    assert found[CAPABLE].first_seen == 40
    assert found[LEVEL].first_seen == 41, "two days bring the twenty labels that a reference needs"


def test_no_reference_gives_no_level():
    assert named(streams(served("capable", 9, days=PRE), *ROUTED)).keys() == {TIER}


def test_a_fixed_reference_must_have_labels_enough():
    thin = [served("capable", 200, days=PRE), labels("capable", 4, 0, days=PRE)]
    assert LEVEL not in named(streams(*thin, *ROUTED))


@pytest.mark.parametrize("reference", [[], HELD])
def test_a_tier_that_was_bad_from_its_first_day_shows_in_its_level_alone(reference):
    bad = [ROUTED[0], labels("cheap", 40, 12, days=DAYS - PRE, start=PRE)]
    found = named(streams(*BEFORE, *bad, *REST, *reference))
    assert found[LEVEL].evidence[-1] > 1e4
    assert found[TIER].evidence[-1] < DAYS


def test_easy_requests_do_not_hide_a_level():
    """The cheap tier fails less than the holdout, and yet four points more than it should."""
    found = named(streams(
        *BEFORE[:1],
        served("cheap", 100, days=90, start=PRE), served("capable", 100, days=90, start=PRE),
        labels("cheap", 100, 10, days=90, start=PRE), labels("capable", 100, 30, days=90, start=PRE),
        labels("capable", 100, 16, days=90, start=PRE, arm="holdout"),
    ))  # fmt: skip
    harmless = named(streams(
        *BEFORE[:1],
        served("cheap", 100, days=90, start=PRE), served("capable", 100, days=90, start=PRE),
        labels("cheap", 100, 2, days=90, start=PRE), labels("capable", 100, 30, days=90, start=PRE),
        labels("capable", 100, 16, days=90, start=PRE, arm="holdout"),
    ))  # fmt: skip
    assert found[LEVEL].evidence[-1] > 1e4
    assert harmless[LEVEL].evidence[-1] < 90


def test_the_most_heavily_sampled_stratum_is_the_tail():
    tail = labels("cheap", 20, np.where(np.arange(40) < 20, 2, 10), days=40, start=PRE)
    rest = labels("cheap", 20, 1, days=30, start=PRE + 10, stratum=1, weight=6.0)
    found = named(streams(served("capable", 9, days=PRE), ROUTED[0], tail, rest))
    stream = found["tail", "change", "quality", 0, 0]
    assert stream.first_seen == PRE + 10, "there is no tail before there is a rest"
    assert stream.n.shape[1] == 1
    assert stream.n.sum() == 600, "days on which all labels were drawn alike show no tail"
    assert stream.evidence[-1] > 1e4


def test_the_day_on_which_sampling_by_risk_begins_is_no_loss():
    """While the quota exceeds the traffic all are drawn alike; then the tail, which always failed more, is drawn apart."""
    alike = [labels("cheap", 40, 8, days=15, start=PRE), labels("cheap", 40, 8, days=15, start=PRE, segment="x=a")]
    apart = [
        labels("cheap", 20, failing, days=25, start=PRE + 15, stratum=stratum, weight=weight, segment=segment)
        for stratum, (failing, weight) in enumerate(((7, 1.0), (1, 5.0)))
        for segment in (None, "x=a")
    ]
    found = streams(served("capable", 9, days=PRE), ROUTED[0], *alike, *apart)
    assert {s.role for s in found} == {"tier", "tail", "segment"}
    assert max(s.evidence.max() for s in found) < DAYS


def test_one_stratum_has_no_tail():
    assert not any(s.role == "tail" for s in streams(*BEFORE, *ROUTED))


def test_a_segment_counts_once_it_has_labels_enough():
    big = labels("cheap", 40, 2, days=40, start=PRE, segment="x=big")
    small = labels("cheap", 1, 0, days=40, start=PRE, segment="x=small")
    rare = labels("cheap", 1, 0, days=5, start=PRE, segment="x=rare")
    found = named(streams(served("capable", 9, days=PRE), ROUTED[0], big, small, rare))
    seen = {segment: s.first_seen for (role, *_, segment), s in found.items() if role == "segment"}
    assert seen == {1: PRE, 2: PRE + 9}


def test_volunteered_labels_have_no_level():
    voluntary = [labels(p.tier, 40, 2, days=len(p.columns["n"]), start=s, selection="volunteered", arm=a) for p, s, a in (
        (BEFORE[1], 0, "treatment"), (ROUTED[1], PRE, "treatment"), (HELD[1], PRE, "holdout"))]  # fmt: skip
    assert not any(s.kind == "level" for s in streams(BEFORE[0], ROUTED[0], HELD[0], *voluntary))


def test_pairs_are_a_monitor_of_their_own_from_the_first_pair_on():
    pairs = labels("cheap", 10, 1, days=20, start=30, pairs=True, lost=3)
    found = named(streams(*ROUTED, served("capable", 9, days=PRE), pairs))
    stream = found["level", "level", "shadow", 0, 0]
    assert stream.first_seen == 30
    assert stream.evidence[-1] > 1e4


def test_pairs_of_unequal_weight_count_as_their_effective_number():
    often = labels("cheap", 10, 1, days=40, start=PRE, pairs=True, lost=3)
    seldom = labels("cheap", 10, 1, days=40, start=PRE, pairs=True, lost=0, stratum=1, weight=20.0)
    both = named(streams(ROUTED[0], served("capable", 9, days=PRE), often, seldom))["level", "level", "shadow", 0, 0]
    assert both.evidence[-1] < DAYS, "one pair in seven is lost in a twenty-first of the traffic: inside the margin"


STEERED = (
    # Small segments fail six times as often as the big one. From day 30 on steering looks at the big one's tail, and
    # the rest of the sample is a quarter of what it was, but small segments keep their least number.
    labels("cheap", 60, 3, days=20, start=PRE, segment="x=big", weight=10.0),
    labels("cheap", 20, 6, days=20, start=PRE, segment="x=small", weight=10.0),
    labels("cheap", 15, 0.75, days=40, start=30, segment="x=big", weight=40.0),
    labels("cheap", 20, 6, days=40, start=30, segment="x=small", weight=10.0),
)


def test_steering_elsewhere_makes_no_change_of_the_mix_that_it_leaves():
    found = named(streams(served("capable", 9, days=PRE), ROUTED[0], *STEERED, names=("common",)))
    assert found[TIER].evidence.max() < DAYS
    worse = labels("cheap", 15, 4, days=20, start=50, segment="x=big", weight=40.0)
    assert named(streams(served("capable", 9, days=PRE), ROUTED[0], *STEERED, worse, names=("common",)))[
        TIER
    ].evidence[-1] > 1e3  # fmt: skip


def test_what_steering_draws_for_a_segment_is_counted_there_in_full():
    one = "x=one"
    base = labels("cheap", 10, 1, days=30, start=PRE, segment=one, weight=20.0)
    seen = labels("cheap", 60, 20, days=10, start=PRE + 20, segment=one, weight=2.0, steered=1)
    other = labels("cheap", 10, 1, days=30, start=PRE, segment="x=other", weight=20.0)
    found = named(streams(served("capable", 9, days=PRE), ROUTED[0], base, seen, other, names=("common",)))
    assert found["segment", "change", "quality", 0, 1].evidence[PRE + 23] > 1e4
    assert found[TIER].evidence[PRE + 23] < 1e3, "in the tier they are as few as the requests that they stand for"


def test_pairs_that_steering_drew_are_not_the_tier():
    """The tail of one segment loses a quarter of its pairs: a hundredth of the traffic. Steering shows little else."""
    usual = labels("cheap", 40, 1, days=40, start=PRE, pairs=True, lost=0.2, weight=50.0, segment="x=b")
    lost = labels("cheap", 20, 5, days=40, start=PRE, pairs=True, lost=5, weight=1.0, segment="x=a", steered=1)
    found = named(streams(ROUTED[0], served("capable", 9, days=PRE), lost, usual, names=("tail",)))
    assert found["level", "level", "shadow", 0, 0].evidence[-1] < DAYS
    assert found["level_segment", "level", "shadow", 0, 1].evidence[-1] > 1e4


def test_three_tiers_are_each_set_against_the_reference():
    tiers = ("cheap", "middle", "capable")
    held = labels("capable", 10, 0.5, days=40, start=PRE, arm="holdout")
    middle = labels("middle", 40, 10, days=40, start=PRE)
    found = named(streams(*BEFORE, ROUTED[0], ROUTED[1], middle, held, tiers=tiers))
    assert found["level", "level", "quality", 1, 0].evidence[-1] > 1e4
    assert found["level", "level", "quality", 0, 0].evidence[-1] < DAYS
    assert ("capable", "change", "quality", 2, 0) in found


def test_days_that_swing_are_worth_less():
    """Failures of 4 and 16 in 40 by turns, then six more: a rise that independent labels would show at once."""
    day = np.arange(DAYS - PRE)
    rise = np.where(day < 33, 0.0, 6.0)
    swinging, steady = (
        named(streams(*BEFORE[:1], ROUTED[0], labels("cheap", 40, k + rise, days=DAYS - PRE, start=PRE)))[TIER]
        for k in (np.where(day % 2, 4.0, 16.0), np.full(len(day), 10.0))
    )
    assert swinging.evidence[-1] < 50
    assert steady.evidence[-1] > 1e3


def test_the_tails_of_all_divisions_are_one_stream_and_named_strata_need_no_setting_apart():
    """First undivided, then a tail, then another one: each has a baseline of its own, and none is a change of another."""
    parts = [
        labels("cheap", 40, 4, days=15, start=PRE, stratum=3),
        labels("cheap", 20, 4, days=10, start=PRE + 15, stratum=0), labels("cheap", 20, 1, days=25, start=PRE + 15, stratum=2),
        labels("cheap", 20, 8, days=15, start=PRE + 25, stratum=1),
    ]  # fmt: skip
    names = ("tail", "tail@2", "common", "whole")
    found = named(streams(*BEFORE, ROUTED[0], *parts, *HELD, names=names))
    tail, tier = found["tail", "change", "quality", 0, 0], found[TIER]
    assert tail.n.sum(0).tolist() == [200.0, 300.0]
    assert tier.n.sum(0).tolist() == [200.0, 300.0, 500.0, 600.0]
    assert max(tail.evidence.max(), tier.evidence.max()) < 10.0


@pytest.mark.parametrize("names", [("tail", "common"), ()])
@pytest.mark.parametrize("segments", [False, True])
def test_strata_that_are_counted_together_are_no_stream_of_constant_rate(names, segments):
    """Two strata beyond the most, that fail at 5 and 50 %: from day 30 on most labels come of the second. Neither has changed."""
    days = DAYS - PRE
    parts = [served("capable", 9, days=PRE)]
    for segment in ("intent=a", "intent=b") if segments else (None,):
        parts += [served("cheap", 150, days=days, start=PRE, segment=segment)]
        for stratum in (0, 1):
            parts.append(labels("cheap", 20, 1, days=days, start=PRE, stratum=stratum, segment=segment))
        for few, rate, weight in ((False, 0.05, 4.0), (True, 0.5, 2.0)):
            n = np.where((np.arange(days) >= 20) == few, 36, 4)
            parts.append(labels("cheap", n, rate * n, days=days, start=PRE, stratum=2, weight=weight, segment=segment))
    told = named(streams(*parts, names=(*names, "tail@2") if names else ()))
    assert max(stream.evidence.max() for key, stream in told.items() if key[1] == "change") > 1e4, (
        "as one stream it looks like one"
    )
    found = named(streams(*parts, names=names, merged=2))
    changes = [stream for key, stream in found.items() if key[1] == "change"]
    assert {stream.role for stream in changes} == {"tier", "tail", *(("segment",) if segments else ())}
    for stream in changes:
        assert stream.evidence.max() < DAYS
        assert stream.n.sum() in {40.0 * days, 20.0 * days, 80.0 * days}, "labels of the other strata alone"


def test_a_change_in_a_stratum_that_is_kept_apart_is_seen_beside_those_that_are_not():
    days = DAYS - PRE
    rate = np.where(np.arange(days) >= 20, 0.3, 0.05)
    parts = [
        served("capable", 9, days=PRE), ROUTED[0], labels("cheap", 40, 40 * rate, days=days, start=PRE),
        labels("cheap", 40, 2, days=days, start=PRE, stratum=2),
    ]  # fmt: skip
    assert named(streams(*parts, names=("tail", "common"), merged=2))[TIER].evidence[-1] > 1e4


def test_pairs_that_are_seen_more_seldom_than_their_answers_are_reviewed_count_by_their_own_weight():
    """Nine tenths of the traffic lose nothing and have few second answers; in the rest three of ten pairs are lost."""
    lost = labels("cheap", 10, 1, days=40, start=PRE, pairs=True, lost=3)

    def evidence(**weights):
        sound = labels("cheap", 10, 1, days=40, start=PRE, pairs=True, lost=0, stratum=1, **weights)
        (found,) = (s for s in streams(*ROUTED, served("capable", 9, days=PRE), lost, sound) if s.monitor == "shadow")
        return found.evidence

    np.testing.assert_allclose(evidence(weight=1.0, pair_weight=20.0), evidence(weight=20.0))
    assert evidence(weight=1.0, pair_weight=20.0)[-1] < DAYS < 1e4 < evidence(weight=1.0)[-1]
