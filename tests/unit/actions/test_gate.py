"""The gate's verdict over places."""

import numpy as np
import pytest

from gate_factory import place, rows
from undertow.actions.gate import GateRules, judge_places, no_rows, verdict_of, without_loss_by_judge
from undertow.records.segment import Segment

RULES = GateRules()


def judged(*places, rules=RULES):
    return judge_places(places, rules)


def test_a_shown_loss_fails_and_a_shown_safe_place_passes():
    assert verdict_of(judged(place(rows(3_000, 0.08)))) == "loss"
    assert verdict_of(judged(place(rows(3_000, 0.0)))) == "pass"
    assert verdict_of(judged(place(rows(30, 0.0)))) == "hole"


def test_a_loss_in_one_segment_fails_though_the_tier_does_not():
    whole = place(rows(6_000, 0.005))
    bad = place(rows(1_000, 0.15), segment=Segment("intent", "billing"), share=0.1)
    found = judged(whole, bad)
    assert [one.state for one in found] == ["pass", "loss"]
    assert verdict_of(found) == "loss"


def test_small_segments_are_shown_and_decide_nothing():
    small = place(rows(1_000, 0.15), segment=Segment("intent", "rare"), share=0.01)
    found = judged(place(rows(6_000, 0.001)), small)
    assert found[1].state == "loss"
    assert not found[1].is_watched
    assert verdict_of(found) == "pass"


def test_a_hole_says_how_many_labels_are_missing():
    [hole] = judged(place(rows(60, 0.0)))
    assert hole.state == "hole"
    assert 100 < hole.labels_missing < 600
    assert "may lose" in hole.why


def test_what_is_served_as_before_needs_no_label():
    [same] = judged(place(no_rows(), changed=0.0))
    assert (same.state, same.loss, same.interval) == ("pass", 0.0, (0.0, 0.0))


def test_what_is_only_taken_off_needs_no_label():
    [less] = judged(place(no_rows(), changed=0.4, newly=0.0))
    assert less.state == "pass"
    assert "taken off" in less.why


def test_what_cannot_be_said_is_a_hole_with_its_reason():
    [blocked] = judged(place(rows(5_000, 0.0), blocked="no overlap"))
    assert (blocked.state, blocked.why) == ("hole", "no overlap")


def test_fewer_labels_than_asked_for_are_a_hole_whatever_the_interval():
    compared = rows(3_000, 0.0)
    assert judged(place(compared))[0].state == "pass"
    [hole] = judged(place(compared), rules=GateRules(min_labels=5_000))
    assert (hole.state, hole.labels_missing) == ("hole", 2_000)


def test_the_error_is_shared_by_watched_segments():
    compared = rows(400, 0.09, rng=np.random.default_rng(5))
    alone = judged(place(compared, segment=Segment("a", "1"), share=0.5))
    many = judged(*(place(compared, segment=Segment("a", str(number)), share=0.05) for number in range(20)))
    assert many[0].interval[0] < alone[0].interval[0]
    assert many[0].interval[1] == pytest.approx(alone[0].interval[1])


def test_a_judges_word_alone_neither_fails_nor_passes():
    found = without_loss_by_judge(judged(place(rows(3_000, 0.2)), place(rows(3_000, 0.0), tier="middle")))
    assert {one.state for one in found} == {"hole"}
    same = without_loss_by_judge(judged(place(no_rows(), changed=0.0)))
    assert same[0].state == "pass"


def test_the_worst_comes_first():
    found = judged(
        place(rows(2_000, 0.0), segment=Segment("i", "fine"), share=0.3),
        place(rows(2_000, 0.2), segment=Segment("i", "bad"), share=0.3),
        place(rows(20, 0.0), segment=Segment("i", "open"), share=0.3),
        place(rows(6_000, 0.0)),
    )
    assert [str(one.segment) for one in found] == ["whole tier", "i=bad", "i=open", "i=fine"]
