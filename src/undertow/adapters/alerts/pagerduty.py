"""PagerDuty's Events API v2: an episode is one incident, triggered once and resolved at its end."""

import msgspec

from undertow.adapters.alerts.http import Caller
from undertow.ports.alerts import Sent
from undertow.records.alert import Message

URL = "https://events.pagerduty.com/v2/enqueue"
LONGEST_SUMMARY, LONGEST_KEY = 1024, 255
"""Characters that PagerDuty takes."""


class PagerDutyChannel:
    """Implements `undertow.ports.alerts.AlertChannel`.

    Args:
        caller: Calls the API.
        key: The service's routing key.
        url: The API's address.
    """

    def __init__(self, caller: Caller, key: str, url: str = URL) -> None:
        self._caller, self._key, self._url = caller, key, url

    async def send(self, message: Message) -> Sent:
        """Trigger or resolve an incident; a test does both."""
        sent = await self._post(pagerduty_document(message, self._key))
        if message.kind == "test" and sent.outcome == "delivered":
            return await self._post(pagerduty_document(msgspec.structs.replace(message, resolves=True), self._key))
        return sent

    async def hold(self, messages: object) -> None:
        """An incident stays open until it is resolved."""

    async def _post(self, document: dict[str, object]) -> Sent:
        return await self._caller.call(self._url, msgspec.json.encode(document))


def pagerduty_document(message: Message, key: str) -> dict[str, object]:
    """A message as PagerDuty takes it.

    Examples:
        >>> message = Message(id="e1:2", kind="alarm", severity="critical", at="2026-03-01T00:00:00Z", title="Loss", episode="e1")
        >>> document = pagerduty_document(message, "KEY")
        >>> document["event_action"], document["dedup_key"], document["payload"]["severity"]
        ('trigger', 'e1', 'critical')
    """
    dedup_key = (message.episode or message.id)[:LONGEST_KEY]
    if message.resolves:
        return {"routing_key": key, "event_action": "resolve", "dedup_key": dedup_key}
    return {
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "client": "Undertow",
        **(
            {"client_url": message.link, "links": [{"href": message.link, "text": "Look further"}]}
            if message.link
            else {}
        ),
        "payload": {
            "summary": message.title[:LONGEST_SUMMARY],
            "source": "undertow",
            "severity": message.severity,
            "timestamp": message.at,
            "component": message.labels.get("tier", "gateway"),
            "group": message.labels.get("policy", "undertow"),
            "class": message.kind,
            "custom_details": dict(message.facts),
        },
    }
