"""What people are told says what, where, how much, since when and what was done, and no word of a user."""

import msgspec
import pytest

from alert_servers import alarm, day, report
from undertow.alerting.episodes import episodes_of
from undertow.alerting.messages import QUIET_KINDS, of_end, of_entry, of_episode, of_resumption, of_stop, of_test
from undertow.records.alert import Episodes
from undertow.records.guard import TrailEntry
from undertow.records.moment import rfc3339
from undertow.records.segment import Segment

AT = "2026-03-13T08:30:00.000Z"
BILLING = Segment("intent", "billing")


def episode(made=None, **changed):
    found = episodes_of(
        made or report(alarm(BILLING, changed=("model of cheap: a -> b",))), Episodes(at=""), "auto", AT
    )
    return msgspec.structs.replace(found.episodes[0], **changed)


def entry(**given):
    return TrailEntry(
        **{"id": "a1", "at": AT, "who": "guard", "kind": "route_back", "segment": "intent=billing", **given}
    )


def test_an_alarm_says_verdict_place_size_money_since_when_what_changed_and_what_was_done():
    one = episode()
    message = of_episode(
        one, 1, AT, link="https://u.example/ui/", actions=(entry(episode=one.id), entry(id="x", episode="other"))
    )
    facts = dict(message.facts)
    assert (
        message.title == "Pareto trap: routing costs more than it saves (tier cheap, intent=billing, 6.0 points worse)"
    )
    assert facts["since"] == "2026-03-08 00:00 UTC (between 2026-03-07 00:00 UTC and 2026-03-09 00:00 UTC)"
    assert facts["where"] == "policy auto, tier cheap, intent=billing"
    assert facts["loss"] == "6.0 points per request (95 % interval 3.0 to 9.0)"
    assert facts["net value"] == "-$500 a month (interval -$900 to -$100)"
    assert facts["changed about then"] == "model of cheap: a -> b"
    assert facts["done"] == "requests go to the capable tier (intent=billing), 2026-03-13 08:30 UTC"
    assert message.link == f"https://u.example/ui#episode-{one.id}"
    assert (message.id, message.episode, message.severity) == (f"{one.id}:1", one.id, "critical")
    assert list(facts) == ["since", "seen", "where", "loss", "net value", "cause", "changed about then", "done"]


def test_without_a_loss_in_money_it_is_a_quality_loss_and_the_cause_names_the_verdict():
    assert of_episode(episode(net_interval=(-10.0, 20.0)), 1, AT).title.startswith("Quality loss (")
    assert of_episode(episode(cause="provider"), 1, AT).title.startswith("A model got worse on all tiers (")
    assert of_episode(episode(cause="something new"), 1, AT).title.startswith("Quality fell, cause not known (")


def test_a_repeat_says_so_and_has_an_id_of_its_own():
    assert of_episode(episode(), 3, AT).title.startswith("still: ")
    assert of_episode(episode(), 3, AT).id.endswith(":3")


def test_a_warning_is_none_of_harm():
    message = of_episode(episode(report(warnings=(alarm(monitor="confidence", kind="drift"),))), 1, AT)
    assert message.title == "Warning: routing confidence drifts (tier cheap)"
    assert message.severity == "warning"
    assert "done" not in dict(message.facts)


def test_the_end_tells_since_when_and_why():
    message = of_end(episode(closed_at=rfc3339(day(20))), 2, AT)
    assert message.resolves
    assert message.kind == "resolved"
    assert message.title.startswith("Over: ")
    assert dict(message.facts)["over since"] == "2026-03-21 00:00 UTC"
    by_action = of_end(episode(closed_at=rfc3339(day(20)), closed_by="a1"), 2, AT)
    assert "kept on the capable tier" in dict(by_action.facts)["why"]


@pytest.mark.parametrize("key", ["topic", "text topic"])
def test_no_name_of_a_topic_and_no_story_leaves_the_house(key):
    words = Segment(key, "lawsuit hans müller")
    one = episode(report(alarm(words, story="lawsuit hans müller grew", changed=(f"{words} grew",))))
    acted = entry(
        segment=str(words),
        before=f"{words} at 100 %",
        after=f"{words} at 0 %",
        why="hans müller? lawsuit hans müller",
        episode=one.id,
    )
    for message in (
        of_episode(one, 1, AT, actions=(acted,)),
        of_end(one, 1, AT, actions=(acted,)),
        of_entry(acted, AT),
    ):
        said = msgspec.json.encode(message).decode()
        assert "lawsuit hans" not in said
        assert "a topic" in said


def test_a_story_is_never_told():
    assert "secret" not in msgspec.json.encode(of_episode(episode(story="secret words"), 1, AT)).decode()


def test_what_the_log_says_is_one_clean_line():
    evil = Segment("intent", "a\r\nBcc: x@y\x1b[2J\u202e" + "z" * 500)
    message = of_episode(episode(report(alarm(evil))), 1, AT)
    for text in (message.title, *(value for _, value in message.facts)):
        assert text.isprintable()
        assert len(text) < 600


def test_entries_of_the_trail_say_what_and_what_is_to_do():
    assert of_entry(entry(), AT).kind == "action"
    assert of_entry(entry(kind="advance"), AT).kind == "rollout"
    suggested = of_entry(entry(status="suggested"), AT)
    assert suggested.title.startswith("Suggested, waits for a person: requests go to the capable tier")
    assert dict(suggested.facts)["to do"] == "undertow guard approve a1, or reject it"
    assert suggested.severity == "warning"
    assert of_entry(entry(status="failed"), AT).severity == "warning"
    assert "hold" in QUIET_KINDS


def test_the_end_of_watching_and_its_going_on_are_one_episode():
    stop, again, over = of_stop("keeper_gone", AT, 1, AT), of_stop("look_overdue", AT, 2, AT), of_resumption(AT, 2, AT)
    assert stop.episode == again.episode == over.episode
    assert len({stop.id, again.id, over.id}) == 3
    assert stop.severity == "critical"
    assert over.resolves
    assert stop.labels == over.labels


def test_a_test_is_no_trouble():
    message = of_test(AT, "me\n")
    assert (message.kind, message.severity, message.episode) == ("test", "info", None)
    assert dict(message.facts)["sent by"] == "me"
