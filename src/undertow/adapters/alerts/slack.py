"""A Slack-compatible webhook: blocks for Slack, and the same as plain text for whatever else takes its format."""

import msgspec

from undertow.adapters.alerts.http import Caller
from undertow.ports.alerts import Sent
from undertow.records.alert import Message

_SIGNS = {"critical": ":red_circle:", "warning": ":large_yellow_circle:", "info": ":information_source:"}
_DONE = ":large_green_circle:"
LONGEST_TITLE, LONGEST_SECTION = 150, 2900
"""Characters that Slack takes in a header and in a section."""


class SlackChannel:
    """Implements `undertow.ports.alerts.AlertChannel`.

    Args:
        caller: Calls the address.
        url: The webhook's address, which is its secret.
    """

    def __init__(self, caller: Caller, url: str) -> None:
        self._caller, self._url = caller, url

    async def send(self, message: Message) -> Sent:
        """Post the message."""
        return await self._caller.call(self._url, msgspec.json.encode(slack_document(message)))

    async def hold(self, messages: object) -> None:
        """What was posted stays."""


def slack_document(message: Message) -> dict[str, object]:
    r"""A message as Slack takes it.

    Examples:
        >>> message = Message(id="1", kind="test", severity="info", at="", title="<!channel> & co", facts=(("where", "x"),))
        >>> slack_document(message)["text"]
        ':information_source: &lt;!channel&gt; &amp; co\n*where*: x'
    """
    sign = _DONE if message.resolves else _SIGNS[message.severity]
    lines = [f"*{_escaped(name)}*: {_escaped(value)}" for name, value in message.facts]
    link = f"<{_escaped(message.link)}|Look further>" if message.link else ""
    blocks: list[dict[str, object]] = [
        # A header is plain text, in which nothing is read as a mention or a link.
        {"type": "header", "text": {"type": "plain_text", "text": _cut(message.title, LONGEST_TITLE), "emoji": False}}
    ]
    if lines:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": _cut("\n".join(lines), LONGEST_SECTION)}})
    if link:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": link}]})
    text = "\n".join(filter(None, (f"{sign} {_escaped(message.title)}", *lines, link)))
    return {"text": text, "blocks": blocks}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    # Half an escape would show as garbage.
    return cut[: cut.rfind("&")] + "…" if "&" in cut[-5:] and ";" not in cut[cut.rfind("&") :] else cut + "…"
