"""Prometheus Alertmanager, API v2. It takes an alert for over at its `endsAt`; so what is open is sent again and again with a later one."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from undertow.adapters.alerts.http import Caller
from undertow.ports.alerts import Sent
from undertow.records.alert import Message

PATH = "/api/v2/alerts"
LASTS_S = 600.0
"""An alert that is not sent again is over after so long; it is sent again every minute."""
_NAMES = {"alarm": "UndertowAlarm", "warning": "UndertowWarning", "watching_stopped": "UndertowWatchingStopped", "test": "UndertowTest"}  # fmt: skip


class AlertmanagerChannel:
    """Implements `undertow.ports.alerts.AlertChannel`.

    Args:
        caller: Calls the API.
        url: Address of the Alertmanager, without the API's path.
        now: The time, aware.
    """

    def __init__(self, caller: Caller, url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._caller, self._url, self._now = caller, url.rstrip("/") + PATH, now

    async def send(self, message: Message) -> Sent:
        """Raise an alert, or end it; a test ends by itself."""
        return await self._post((message,))

    async def hold(self, messages: Sequence[Message]) -> Sent:
        """Send alerts that are open again, so that they do not end."""
        return await self._post(messages)

    async def _post(self, messages: Sequence[Message]) -> Sent:
        documents = [alert_document(each, self._now()) for each in messages]
        return await self._caller.call(self._url, msgspec.json.encode(documents))


def alert_document(message: Message, now: datetime) -> dict[str, object]:
    """A message as Alertmanager takes it. Its labels are those of the episode alone: they are what makes it the same alert.

    Examples:
        >>> message = Message(id="e1:1", kind="alarm", severity="critical", at="2026-03-01T00:00:00Z", title="Loss", episode="e1",
        ...     labels={"kind": "alarm", "policy": "auto", "tier": "cheap"})
        >>> document = alert_document(message, datetime(2026, 3, 1, tzinfo=UTC))
        >>> document["labels"]["alertname"], document["endsAt"]
        ('UndertowAlarm', '2026-03-01T00:10:00+00:00')
    """
    kind = message.labels.get("kind", message.kind)
    severity = {"alarm": "critical", "warning": "warning", "watching_stopped": "critical"}.get(kind, "info")
    given = {name: value for name, value in message.labels.items() if name != "kind"}
    labels = {
        "alertname": _NAMES.get(kind, "UndertowAlert"),
        "episode": message.episode or message.id,
        "severity": severity,
        **given,
    }
    document: dict[str, object] = {
        "labels": labels,
        "annotations": {
            "summary": message.title,
            "description": "\n".join(f"{name}: {value}" for name, value in message.facts),
        },
        "endsAt": (now if message.resolves else now + timedelta(seconds=LASTS_S)).isoformat(),
    }
    if message.link:
        document["generatorURL"] = message.link
    return document
