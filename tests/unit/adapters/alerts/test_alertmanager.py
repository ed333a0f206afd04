import asyncio
from datetime import UTC, datetime, timedelta

from alert_servers import OK, hook
from undertow.adapters.alerts.alertmanager import LASTS_S, AlertmanagerChannel, alert_document
from undertow.adapters.alerts.http import Caller
from undertow.keeper.alerts import HOLD_S
from undertow.records.alert import Message

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def message(**given):
    return Message(
        **{
            "id": "e1:1", "kind": "alarm", "severity": "critical", "at": "2026-03-01T00:00:00Z", "title": "Loss", "episode": "e1",
            "labels": {"kind": "alarm", "policy": "auto", "tier": "cheap"}, "facts": (("where", "tier cheap"),), **given,
        }
    )  # fmt: skip


def test_it_is_posted_where_the_api_is_and_held_open_together():
    with hook(OK) as receiver:
        channel = AlertmanagerChannel(Caller(allow_internal=True), f"http://127.0.0.1:{receiver.port}/am/", lambda: NOW)
        assert asyncio.run(channel.send(message())).outcome == "delivered"
        assert asyncio.run(channel.hold((message(), message(episode="e2")))).outcome == "delivered"
    assert [first for first, _, _ in receiver.requests] == ["POST /am/api/v2/alerts"] * 2
    assert [len(document) for document in receiver.documents] == [1, 2]


def test_the_begin_a_repeat_and_the_end_are_the_same_alert():
    begin = alert_document(message(), NOW)
    later = alert_document(message(id="e1:2", title="still: Loss"), NOW)
    end = alert_document(message(id="e1:2:resolved", kind="resolved", severity="info", resolves=True), NOW)
    assert begin["labels"] == later["labels"] == end["labels"]
    assert begin["labels"]["severity"] == "critical"
    assert end["endsAt"] == NOW.isoformat()


def test_what_is_open_lasts_much_longer_than_until_it_is_sent_again():
    ends = datetime.fromisoformat(alert_document(message(), NOW)["endsAt"])
    assert ends - NOW == timedelta(seconds=LASTS_S)
    assert LASTS_S >= 5 * HOLD_S


def test_kinds_have_names_and_labels_are_valid():
    kinds = {"alarm": "UndertowAlarm", "warning": "UndertowWarning", "watching_stopped": "UndertowWatchingStopped"}
    for kind, name in kinds.items():
        labels = alert_document(message(labels={"kind": kind}), NOW)["labels"]
        assert labels["alertname"] == name
        assert all(key.isidentifier() and value for key, value in labels.items())
