"""One episode for each trouble, however many monitors see it, however often it is read, and whatever the clock says."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_servers import alarm, day, report
from undertow.alerting.episodes import QUIET_S, WARNING_S, alarm_key, answered, episodes_of
from undertow.records.alert import Episodes
from undertow.records.guard import TrailEntry
from undertow.records.moment import rfc3339
from undertow.records.report import LedgerItem
from undertow.records.segment import Segment

NOW = "2026-03-13T00:00:00.000Z"
NONE = Episodes(at="")
BILLING, FRAUD = Segment("intent", "billing"), Segment("intent", "fraud")
WITHIN, BEYOND = (-0.01, 0.015), (0.03, 0.09)


def look(made, previous=NONE, policy="auto", now=NOW):
    return episodes_of(made, previous, policy, now)


def test_several_monitors_of_one_trouble_are_one_episode_at_its_finest_place():
    found = look(
        report(
            alarm(monitor="quality", detected=10),
            alarm(BILLING, monitor="shadow", detected=11, onset=(7, 9)),
            alarm(monitor="shadow", kind="change", detected=12),
        )
    ).episodes
    assert len(found) == 1
    assert found[0].segment == "intent=billing"
    assert found[0].monitors == ("quality", "shadow")
    assert found[0].detected_at == rfc3339(day(10))
    assert found[0].loss_interval == BEYOND
    assert (found[0].net_usd_month, found[0].net_interval) == (-500.0, (-900.0, -100.0))


def test_a_finer_place_that_is_found_later_keeps_the_id():
    first = look(report(alarm()))
    second = look(report(alarm(), alarm(BILLING, detected=13), until=14), first)
    assert [each.id for each in second.episodes] == [each.id for each in first.episodes]
    assert (first.episodes[0].segment, second.episodes[0].segment) == ("", "intent=billing")


def test_two_segments_are_one_trouble_only_where_their_onsets_overlap():
    apart = look(report(alarm(BILLING, onset=(1, 2)), alarm(FRAUD, onset=(5, 6))))
    together = look(report(alarm(BILLING, onset=(1, 5)), alarm(FRAUD, onset=(5, 6))))
    unknown = look(report(alarm(BILLING, onset=None), alarm(FRAUD, onset=(5, 6))))
    assert [len(each.episodes) for each in (apart, together, unknown)] == [2, 1, 2]


def test_tiers_kinds_and_policies_are_never_joined():
    found = look(report(alarm(), alarm(tier="middle"), warnings=(alarm(monitor="input", kind="drift"),)))
    assert len(found.episodes) == 3
    assert sorted(each.kind for each in found.episodes) == ["alarm", "alarm", "warning"]
    assert len({each.id for each in found.episodes}) == 3
    other = look(report(alarm()), found, policy="other")
    assert len(other.episodes) == 4
    later = look(report(until=60), other, policy="other")
    assert all((each.quiet_since is None) == (each.policy == "auto") for each in later.episodes)


def test_the_id_is_the_same_whoever_computes_it():
    made = report(alarm(BILLING), alarm(FRAUD, onset=(1, 2)))
    assert look(made) == look(made)
    assert look(report(*reversed(made.alarms))) == look(made)


def test_reading_again_changes_nothing_whatever_the_clock_says():
    made = report(alarm(), alarm(BILLING, detected=11), warnings=(alarm(monitor="input", kind="drift"),))
    first = look(made)
    for now in (NOW, "2020-01-01T00:00:00.000Z", "2036-01-01T00:00:00.000Z"):
        assert look(made, first, now=now) is first
    closing = report(alarm(latest=WITHIN), until=13)
    once = look(closing, first)
    assert look(closing, once, now="2036-01-01T00:00:00.000Z") is once


def test_it_closes_a_day_of_event_time_after_the_labels_show_the_loss_to_be_accepted():
    opened = look(report(alarm()))
    quiet = look(report(alarm(latest=WITHIN), until=20), opened)
    assert quiet.episodes[0].closed_at is None
    almost = look(report(alarm(latest=WITHIN), until=20 + QUIET_S / 86_400 - 0.01), quiet)
    assert almost.episodes[0].closed_at is None
    closed = look(report(alarm(latest=WITHIN), until=21), almost)
    assert closed.episodes[0].closed_at == rfc3339(day(21))


def test_what_falls_back_within_the_day_does_not_flap():
    found = look(report(alarm()))
    for step in range(40):
        latest = WITHIN if step % 2 else BEYOND
        found = look(report(alarm(latest=latest), until=20 + step / 3), found)
        assert found.episodes[0].closed_at is None


def test_a_closed_one_opens_again_only_when_the_loss_is_shown_beyond_nothing_and_the_margin():
    found = look(report(alarm()))
    for until in (20, 21):
        found = look(report(alarm(latest=WITHIN), until=until), found)
    assert found.episodes[0].closed_at is not None
    unsure = look(report(alarm(latest=(-0.01, 0.05)), until=22), found)
    assert unsure.episodes[0].closed_at is not None
    again = look(report(alarm(latest=BEYOND), until=23), unsure)
    assert again.episodes[0].closed_at is None
    assert again.episodes[0].id == found.episodes[0].id


def test_an_alarm_that_the_audit_no_longer_shows_closes_its_episode_after_the_same_day():
    opened = look(report(alarm()))
    gone = look(report(until=20), opened)
    assert gone.episodes[0].closed_at is None
    assert look(report(until=21), gone).episodes[0].closed_at is not None


def test_what_was_over_before_it_was_first_seen_is_not_told():
    assert look(report(alarm(latest=WITHIN))).episodes == ()
    old = alarm(monitor="input", kind="drift", detected=1)
    assert look(report(warnings=(old,), until=1 + WARNING_S / 86_400)).episodes == ()


def test_a_warning_ends_two_weeks_and_a_day_after_it_was_seen():
    drift = alarm(monitor="input", kind="drift", detected=10)
    found = look(report(warnings=(drift,)))
    ends = 10 + WARNING_S / 86_400
    found = look(report(warnings=(drift,), until=ends), found)
    assert found.episodes[0].closed_at is None
    assert look(report(warnings=(drift,), until=ends + 1), found).episodes[0].closed_at is not None


def entry(**given):
    return TrailEntry(**{"id": "a1", "at": rfc3339(day(12)), "who": "guard", "kind": "route_back", **given})


def test_an_action_that_took_the_requests_off_closes_it_after_a_day_and_the_alarm_opens_it_no_more():
    opened = look(report(alarm(BILLING)))
    acted = entry(segment="intent=billing", episode=opened.episodes[0].id)
    early = answered(opened, (acted,), day(12.9), NOW)
    assert early.episodes[0].actions == ("a1",)
    assert early.episodes[0].closed_at is None
    closed = answered(early, (acted,), day(13), NOW)
    assert (closed.episodes[0].closed_at, closed.episodes[0].closed_by) == (rfc3339(day(13)), "a1")
    assert look(report(alarm(BILLING), until=14), closed) is closed
    assert answered(closed, (acted,), day(30), NOW) is closed


@pytest.mark.parametrize(
    "changed",
    [
        {"segment": "intent=fraud"}, {"kind": "tighten"}, {"status": "suggested"}, {"status": "failed"}, {"status": "dry"},
        {"policy": "other"}, {"at": "2026-03-05T00:00:00.000Z"},
    ],
)  # fmt: skip
def test_what_leaves_requests_on_the_tier_closes_nothing(changed):
    opened = look(report(alarm(BILLING)))
    given = entry(**{"segment": "intent=billing", **changed})
    assert answered(opened, (given,), day(30), NOW).episodes[0].closed_at is None


def test_an_action_that_was_released_closes_nothing_and_one_of_everything_closes_all():
    opened = look(report(alarm(BILLING)))
    released = entry(id="r1", kind="release", of="a1", at=rfc3339(day(12.5)))
    assert answered(opened, (entry(), released), day(30), NOW).episodes[0].closed_at is None
    assert answered(opened, (entry(),), day(30), NOW).episodes[0].closed_by == "a1"


def test_a_later_alarm_of_the_same_place_is_a_new_episode_after_an_action_closed_the_first():
    opened = look(report(alarm(BILLING)))
    closed = answered(opened, (entry(),), day(14), NOW)
    later = look(report(alarm(BILLING, detected=40, onset=(36, 38)), until=41), closed)
    assert len(later.episodes) == 2
    assert later.episodes[1].closed_at is None


def test_another_alarm_of_a_trouble_that_closed_is_of_that_trouble():
    found = look(report(alarm(BILLING)))
    for until in (20, 21):
        found = look(report(alarm(BILLING, latest=WITHIN), until=until), found)
    again = look(report(alarm(BILLING, kind="change"), until=22), found)
    assert [(each.id, each.closed_at) for each in again.episodes] == [(found.episodes[0].id, None)]
    closed = answered(look(report(alarm(BILLING))), (entry(),), day(14), NOW)
    quiet = look(report(alarm(BILLING), alarm(BILLING, kind="change"), until=15), closed)
    assert [each.closed_by for each in quiet.episodes] == ["a1"]


def test_a_second_trouble_with_an_onset_on_the_day_of_the_first_has_an_id_of_its_own():
    closed = answered(look(report(alarm(BILLING))), (entry(),), day(14), NOW)
    later = look(report(alarm(BILLING, detected=20), until=21), closed)
    assert len({each.id for each in later.episodes}) == 2


def test_closed_ones_are_forgotten_once_they_are_old_and_the_report_shows_them_no_more():
    closed = answered(look(report(alarm(BILLING))), (entry(),), day(14), NOW)
    assert look(report(alarm(BILLING), until=200), closed).episodes
    assert look(report(until=200), closed).episodes == ()


def test_money_of_one_of_several_cheaper_tiers_is_its_savings_less_its_damage():
    items = (
        LedgerItem("s", "savings", "cheap", 100.0, None, causal=True),
        LedgerItem("s", "savings", "middle", 70.0, None, causal=True),
        LedgerItem("t", "downstream", "cheap", 130.0, None, causal=True),
    )
    found = look(report(alarm(), items=items)).episodes[0]
    assert (found.net_usd_month, found.net_interval) == (-30.0, None)


def test_keys_tell_alarms_apart_by_what_they_are_of_and_not_by_what_they_say():
    assert alarm_key(alarm()) == alarm_key(alarm(detected=30, latest=WITHIN))
    assert (
        len(
            {alarm_key(alarm()), alarm_key(alarm(BILLING)), alarm_key(alarm(kind="change")), alarm_key(alarm(tier="x"))}
        )
        == 4
    )


ALARMS = st.builds(
    alarm,
    st.sampled_from([BILLING, FRAUD, Segment("", "")]),
    detected=st.integers(8, 20).map(float),
    onset=st.sampled_from([None, (1, 2), (2, 6), (6, 8)]),
    latest=st.sampled_from([None, WITHIN, BEYOND]),
    kind=st.sampled_from(["level", "change"]),
)


@settings(max_examples=400)
@given(st.lists(st.tuples(st.lists(ALARMS, max_size=4), st.integers(20, 60)), max_size=6))
def test_whatever_comes_nothing_is_told_twice_and_a_second_reading_is_the_first(looks):
    found = NONE
    for alarms, until in sorted(looks, key=lambda each: each[1]):
        made = report(*{alarm_key(each): each for each in alarms}.values(), until=until)
        found = look(made, found)
        assert look(made, found, now="2040-01-01T00:00:00.000Z") is found
        ids = [each.id for each in found.episodes]
        assert len(ids) == len(set(ids))
        still = [(each.tier, each.segment) for each in found.episodes if each.closed_at is None]
        assert len(still) == len(set(still))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Episodes) == found


def test_numbers_of_an_audit_can_be_written_down():
    """An audit computes with NumPy, whose numbers no file of ours can hold."""
    given = replace(alarm(), loss=np.float64(0.05), latest_loss=np.float64(0.06), latest_interval=(np.float64(0.03), np.float64(0.09)))  # fmt: skip
    found = look(report(given, net=tuple(np.array([-500.0, -900.0, -100.0]))))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Episodes) == found
