"""A kept prompt as people read it."""

import json
from typing import Any


def readable(kept: str) -> str:
    r"""The conversation in words: of messages as JSON, as logs keep them, a paragraph each with who speaks; other text is as it is.

    Examples:
        >>> print(readable('[{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}]'))
        system: Be brief.
        <BLANKLINE>
        user: Hi
        >>> readable("Where is it?"), readable('[1, 2]')
        ('Where is it?', '[1, 2]')
    """
    if kept.lstrip()[:1] not in {"[", '"', "{"}:
        return kept
    try:
        value = json.loads(kept)
    except (ValueError, RecursionError):
        return kept
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        value = value.get("messages")
    if not isinstance(value, list) or not value or not all(isinstance(m, dict) and "role" in m for m in value):
        return kept
    return "\n\n".join(f"{message['role']}: {_content(message.get('content'))}" for message in value)


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else json.dumps(content, ensure_ascii=False)
    parts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) else part
        parts.append(
            text if isinstance(text, str) else f"[{part.get('type', 'part') if isinstance(part, dict) else 'part'}]"
        )
    return "\n".join(parts)
