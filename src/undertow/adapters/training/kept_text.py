"""From the text that a log kept of a request to what a classifier is asked about: the last user message."""

import msgspec

from undertow.adapters.wire.content import last_user_text, read_messages
from undertow.ports.wire import WireError


def asked_text(kept: str) -> str:
    """The last user message of a kept prompt: of a conversation as JSON, as the gateway keeps it; other text is one already.

    The message is read by the same code that reads it for the classifier when it serves.

    Examples:
        >>> asked_text('[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is it?"}]')
        'Where is it?'
        >>> asked_text("Where is it?")
        'Where is it?'
    """
    start = kept.lstrip()[:1]
    if start == "[":
        try:
            return last_user_text(read_messages({"messages": msgspec.Raw(kept.encode("utf-8", "replace"))}))[0]
        except (WireError, ValueError, RecursionError):
            return kept
    if start == '"':
        try:
            return msgspec.json.decode(kept, type=str)
        except ValueError:
            return kept
    return kept
