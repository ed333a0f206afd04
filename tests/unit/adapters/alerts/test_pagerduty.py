import asyncio

from alert_servers import answer, hook
from undertow.adapters.alerts.http import Caller
from undertow.adapters.alerts.pagerduty import URL, PagerDutyChannel, pagerduty_document
from undertow.records.alert import Message

ACCEPTED = answer(202)


def message(**given):
    return Message(
        **{
            "id": "e1:1", "kind": "alarm", "severity": "critical", "at": "2026-03-01T00:00:00Z", "title": "Loss", "episode": "e1",
            "labels": {"kind": "alarm", "policy": "auto", "tier": "cheap"}, **given,
        }
    )  # fmt: skip


def sent(*messages):
    with hook(ACCEPTED) as receiver:
        channel = PagerDutyChannel(Caller(allow_internal=True), "KEY", receiver.url)
        for each in messages:
            assert asyncio.run(channel.send(each)).outcome == "delivered"
        assert asyncio.run(channel.hold(messages)) is None
    return receiver.documents


def test_an_episode_is_one_incident_from_trigger_to_resolve():
    first, again, over = sent(
        message(), message(id="e1:2"), message(id="e1:2:resolved", kind="resolved", resolves=True)
    )
    assert [each["event_action"] for each in (first, again, over)] == ["trigger", "trigger", "resolve"]
    assert {each["dedup_key"] for each in (first, again, over)} == {"e1"}
    assert first["payload"]["component"] == "cheap"
    assert first["payload"]["severity"] in {"critical", "error", "warning", "info"}


def test_a_test_leaves_no_incident_open():
    first, second = sent(message(id="test:1", kind="test", severity="info", episode=None, labels={"kind": "test"}))
    assert (first["event_action"], second["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == second["dedup_key"] == "test:1"


def test_what_is_too_long_is_cut():
    document = pagerduty_document(message(title="t" * 5000, episode="e" * 500), "KEY")
    assert len(document["payload"]["summary"]) == 1024
    assert len(document["dedup_key"]) == 255


def test_a_link_stands_where_it_is_shown():
    assert pagerduty_document(message(link="https://u.example"), "KEY")["client_url"] == "https://u.example"
    assert "links" not in pagerduty_document(message(), "KEY")
    assert URL.startswith("https://")
