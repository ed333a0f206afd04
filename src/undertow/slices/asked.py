"""What a conversation asks: its last message of the user, from any of the forms in which logs keep prompts."""

import re
from typing import Any

import msgspec

from undertow.records.unreadable import UNREADABLE

MOST_PARSED = 200_000
"""Longer texts are not taken apart: their end will do."""

_TURN = re.compile(r"(?:\A|\n\n)(system|developer|user|assistant|tool)(?: \([^\n)]*\))?: ")
_QUOTED_USER = re.compile(r'"role"\s*:\s*"user"\s*,\s*"content"\s*:\s*("(?:[^"\\]|\\.)*")')


def asked(prompt: str) -> str:
    r"""The last message of the user; the text itself where it is no conversation.

    Understands a JSON list of messages (`prompt` of a log that keeps text) and `user: ...` turns with an empty line between them (texts
    drawn for review).

    Examples:
        >>> asked('[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my card?"}]')
        'Where is my card?'
        >>> asked("system: Be brief.\n\nuser: Hi\n\nassistant: Hello!\n\nuser: Where is my card?")
        'Where is my card?'
        >>> asked("Where is my card?")
        'Where is my card?'
    """
    if prompt.startswith(("[", '"')) and len(prompt) <= MOST_PARSED:
        try:
            found = _last_user(msgspec.json.decode(prompt.encode("utf-8", "replace")))
        except UNREADABLE:
            found = None
        if found is not None:
            return found
    if (quoted := list(_QUOTED_USER.finditer(prompt))) and prompt.endswith("]"):
        return _unquoted(quoted[-1][1])  # a list of messages whose beginning was cut off
    turns = list(_TURN.finditer(prompt))
    if turns and turns[0].start() == 0:
        for place in range(len(turns) - 1, -1, -1):
            if turns[place][1] == "user":
                end = turns[place + 1].start() if place + 1 < len(turns) else len(prompt)
                return prompt[turns[place].end() : end].strip()
    return prompt


def _unquoted(text: str) -> str:
    try:
        return msgspec.json.decode(text.encode("utf-8", "replace"), type=str)
    except UNREADABLE:
        return text


def _last_user(said: Any) -> str | None:
    """Text of the last message of the user in decoded messages."""
    if isinstance(said, str):
        return said
    if not isinstance(said, list):
        return None
    for item in reversed(said):
        if isinstance(item, dict) and item.get("role") == "user":
            return _text(item.get("content"))
    return None


def _text(content: Any) -> str | None:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
        return "\n".join(parts) if parts else None
    return None
