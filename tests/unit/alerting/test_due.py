"""People are told once, again after a while, once of the end, never while a silence lasts, and always that nobody watches."""

from datetime import datetime, timedelta

import msgspec
import pytest

from alert_servers import DAY0, alarm, report
from undertow.alerting.due import (
    GIVE_UP_S,
    LEAST_TRIES,
    LONGEST_PAUSE_S,
    NOTHING_SETTLED,
    STALE_S,
    TAKES,
    due,
    is_due,
    is_given_up,
    next_try,
    silence_of,
    stop_due,
)
from undertow.alerting.episodes import episodes_of
from undertow.alerting.messages import of_stop, of_test
from undertow.records.alert import Delivery, Episodes, Silence, Telling, Told
from undertow.records.guard import TrailEntry
from undertow.records.moment import rfc3339
from undertow.records.segment import Segment

DAY_S = 86_400.0
OPEN = episodes_of(report(alarm(Segment("intent", "billing"))), Episodes(at=""), "auto", "")
WARNED = episodes_of(report(warnings=(alarm(monitor="input", kind="drift"),)), Episodes(at=""), "auto", "")
CLOSED = Episodes(at="", episodes=tuple(msgspec.structs.replace(e, closed_at=rfc3339(DAY0)) for e in OPEN.episodes))


def at(hours):
    return rfc3339(DAY0 + timedelta(hours=hours))


def tell(episodes, told=None, hours=0.0, trail=(), silences=(), repeat_h=24.0, settled=NOTHING_SETTLED):
    return due(
        episodes, trail, told or Told(), silences, now=at(hours), repeat_s=3600 * repeat_h, settled=settled
    )  # fmt: skip


def silence(**given):
    return Silence(**{"id": "s", "until": at(5), "who": "me", **given})


def entry(**given):
    return TrailEntry(**{"id": "a1", "at": at(0), "who": "guard", "kind": "route_back", **given})


def test_an_alarm_is_told_once_and_again_after_a_while_with_an_id_of_its_own():
    found = tell(OPEN)
    ids = [each.id for each in found.messages]
    for hours in range(1, 73):
        found = tell(OPEN, found.told, hours)
        ids += [each.id for each in found.messages]
    assert [each.split(":")[1] for each in ids] == ["1", "2", "3", "4"]


def test_a_warning_is_told_once():
    found = tell(WARNED)
    assert len(found.messages) == 1
    assert tell(WARNED, found.told, 500).messages == ()


def test_the_end_is_told_once_and_only_to_those_who_heard_of_the_begin():
    assert tell(CLOSED).messages == ()
    over = tell(CLOSED, tell(OPEN).told, 1)
    assert [each.resolves for each in over.messages] == [True]
    assert tell(CLOSED, over.told, 2).messages == ()


def test_what_opens_again_is_told_again():
    over = tell(CLOSED, tell(OPEN).told, 1)
    again = tell(OPEN, over.told, 2)
    assert [each.id.split(":")[1] for each in again.messages] == ["2"]
    assert len(tell(CLOSED, again.told, 3).messages) == 1


def test_a_clock_that_was_set_back_or_far_ahead_tells_nothing_twice_and_is_forgotten():
    found = tell(OPEN, hours=1000)
    back = tell(OPEN, found.told, 0)
    assert back.messages == ()
    assert tell(OPEN, back.told, 23).messages == ()
    assert len(tell(OPEN, back.told, 24).messages) == 1


def test_what_a_silence_covers_is_noted_once_and_told_when_it_ends():
    held = tell(OPEN, silences=(silence(),))
    assert (held.messages, len(held.silenced)) == ((), 1)
    later = tell(OPEN, held.told, 4, silences=(silence(),))
    assert (later.messages, later.silenced) == ((), ())
    ended = tell(OPEN, later.told, 5, silences=(silence(),))
    assert [each.id.split(":")[1] for each in ended.messages] == ["1"]


def test_a_silence_on_a_told_alarm_stops_its_repeats_and_not_its_end():
    told = tell(OPEN).told
    held = tell(OPEN, told, 30, silences=(silence(until=at(100)),))
    assert held.messages == ()
    assert len(tell(CLOSED, held.told, 31, silences=(silence(until=at(100)),)).messages) == 1


@pytest.mark.parametrize(
    ("given", "covers"),
    [
        ({}, True), ({"policy": "auto"}, True), ({"policy": "other"}, False), ({"tier": "cheap"}, True), ({"tier": "middle"}, False),
        ({"segment": "intent=billing"}, True), ({"segment": "intent=fraud"}, False), ({"kinds": ("alarm",)}, True),
        ({"kinds": ("warning",)}, False), ({"until": at(-1)}, False), ({"until": at(90 * 24)}, True), ({"until": at(92 * 24)}, False),
    ],
)  # fmt: skip
def test_a_silence_covers_what_it_names_as_long_as_it_lasts(given, covers):
    assert (tell(OPEN, silences=(silence(**given),)).messages == ()) is covers


def test_that_nobody_watches_is_never_silenced():
    for kinds in ((), ("watching_stopped",)):
        assert silence_of((silence(kinds=kinds),), "watching_stopped", "", "", "", at(0)) is None


def test_entries_are_told_once_but_no_dry_ones_no_holds_and_no_old_ones():
    trail = (
        entry(),
        entry(id="a2", kind="hold"),
        entry(id="a3", status="dry"),
        entry(id="a4", at=at(-STALE_S / 3600 - 1)),
        entry(id="a5", status="suggested"),
    )
    found = tell(Episodes(at=""), trail=trail)
    assert [each.id for each in found.messages] == ["entry:a1", "entry:a5"]
    assert tell(Episodes(at=""), found.told, 1, trail=trail).messages == ()
    without = tell(Episodes(at=""), found.told, 1)  # a look at which the trail could not be read
    assert tell(Episodes(at=""), without.told, 2, trail=trail).messages == ()


def test_what_was_done_is_told_with_the_episode():
    acted = entry(episode=OPEN.episodes[0].id)
    alarm_message = tell(OPEN, trail=(acted,)).messages[0]
    assert dict(alarm_message.facts)["done"].startswith("requests go to the capable tier")


def test_watching_that_stops_is_told_repeated_and_resolved():
    first, told = stop_due(Told(), "keeper_gone", at(0), now=at(1), repeat_s=DAY_S)
    assert first.kind == "watching_stopped"
    assert stop_due(told, "look_overdue", at(1), now=at(2), repeat_s=DAY_S) == (None, told)
    second, told = stop_due(told, "keeper_gone", at(20), now=at(25), repeat_s=DAY_S)
    assert (second.episode, second.id == first.id) == (first.episode, False)
    over, told = stop_due(told, None, at(0), now=at(26), repeat_s=DAY_S)
    assert over.resolves
    assert over.episode == first.episode
    assert stop_due(told, None, at(0), now=at(27), repeat_s=DAY_S) == (None, told)
    anew, _ = stop_due(told, "keeper_gone", at(30), now=at(31), repeat_s=DAY_S)
    assert anew.episode != first.episode


def test_messages_that_were_settled_stand_for_a_memory_that_is_lost():
    key = OPEN.episodes[0].id
    settled = {f"{key}:1": at(0), f"{key}:2": at(24)}
    early = tell(OPEN, hours=47, settled=settled)
    assert (early.messages, early.told.told[key]) == ((), Telling(at=at(24), times=2))
    assert [each.id for each in tell(OPEN, hours=48, settled=settled).messages] == [f"{key}:3"]
    assert [each.id for each in tell(CLOSED, hours=30, settled=settled).messages] == [f"{key}:2:resolved"]
    assert tell(CLOSED, hours=30, settled={**settled, f"{key}:2:resolved": at(29)}).messages == ()
    warning = WARNED.episodes[0].id
    assert tell(WARNED, hours=500, settled={f"{warning}:1": at(0)}).messages == ()


def test_watching_that_stopped_goes_on_being_told_though_the_memory_is_lost():
    first, told = stop_due(Told(), "keeper_gone", at(0), now=at(1), repeat_s=DAY_S)
    settled = {first.id: at(1)}
    assert stop_due(Told(), "keeper_gone", at(0), now=at(24), repeat_s=DAY_S, settled=settled) == (None, told)
    again, after = stop_due(Told(), "keeper_gone", at(0), now=at(25), repeat_s=DAY_S, settled=settled)
    assert again.id == first.id.replace(":1", ":2")
    assert after.told["watching"] == Telling(at=at(25), times=2, since=at(0))


def test_watching_that_stopped_is_not_told_again_by_a_clock_that_was_set_back():
    _, told = stop_due(Told(), "keeper_gone", at(1000), now=at(1000), repeat_s=DAY_S)
    message, told = stop_due(told, "keeper_gone", at(0), now=at(0), repeat_s=DAY_S)
    assert message is None
    assert stop_due(told, "keeper_gone", at(0), now=at(25), repeat_s=DAY_S)[0] is not None


def delivery(**given):
    return Delivery(**{"message": of_test(at(0), "me"), "channel": "slack", "due_at": at(0), **given})


def pause_s(made, now):
    return (datetime.fromisoformat(made.due_at) - datetime.fromisoformat(now)).total_seconds()


def test_pauses_grow_are_bounded_and_shaken():
    made, pauses = delivery(), []
    for _ in range(12):
        made = next_try(made, "status 500", at(0), 0.5)
        pauses.append(pause_s(made, at(0)))
    assert pauses[:4] == [30, 60, 120, 240]
    assert max(pauses) == LONGEST_PAUSE_S
    assert pause_s(next_try(delivery(), "", at(0), 0.0), at(0)) == 15
    assert pause_s(next_try(delivery(), "", at(0), 0.999), at(0)) == pytest.approx(45, abs=0.1)
    assert made.last_error == "status 500"
    assert made.attempts == 12


def test_a_wish_to_wait_is_granted_up_to_an_hour():
    assert pause_s(next_try(delivery(), "", at(0), 0.5, 600), at(0)) == 600
    assert pause_s(next_try(delivery(), "", at(0), 0.5, 1), at(0)) == 30
    assert pause_s(next_try(delivery(), "", at(0), 0.5, 1e9), at(0)) == LONGEST_PAUSE_S


def test_a_delivery_is_given_up_after_days_and_tries_and_one_jump_of_the_clock_is_not_enough():
    late = at(GIVE_UP_S / 3600 + 1)
    assert is_given_up(delivery(attempts=LEAST_TRIES), late)
    assert not is_given_up(delivery(attempts=LEAST_TRIES), at(1))
    assert not is_given_up(delivery(attempts=1), late)


def test_a_try_that_a_wrong_clock_put_years_off_is_due():
    assert is_due(delivery(due_at=at(24 * 365)), at(0))
    assert not is_due(delivery(due_at=at(0.5)), at(0))
    assert is_due(delivery(due_at="nonsense"), at(0))


def test_who_holds_incidents_open_hears_of_no_actions_and_everybody_that_nobody_watches():
    assert all("watching_stopped" in kinds for kinds in TAKES.values())
    assert "action" not in TAKES["pagerduty"]
    assert "action" in TAKES["slack"]
    assert of_stop("keeper_gone", at(0), 1, at(0)).kind in TAKES["alertmanager"]
