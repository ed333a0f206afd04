"""Metadata, tags and properties of foreign records -> segment labels.

Only what looks like a label passes: short text under a plain key. Ids, hashes, addresses, times and free text are left out,
because a segment with one value a request says nothing, and personal data has no place in a report. How many values a key may
have is the engine's decision, not taken here.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

MAX_LABELS = 32
MAX_VALUE = 64
TIER_KEYS = ("undertow.tier", "undertow_tier", "router_tier", "routing_tier", "model_tier", "tier")
TIER_WORDS = frozenset({"cheap", "capable"})
_KEY = re.compile(r"[A-Za-z][\w.\-/ ]{0,63}")
_KEY_OF_ID = re.compile(
    r"(^|[_.\- ])(id|ids|uuid|guid|hash|sha\d*|md5|key|token|secret|password|email|e-mail|mail|ip|url|uri|href|time|timestamp|date|datetime|ts|phone"
    r"|address|username|user|query|prompt|message|text|content|body|error|traceback|version_id|session|trace|span|request|call)$",
    re.IGNORECASE,
)
_ID_TAIL = re.compile(r"[a-z](Id|ID|Uuid|UUID|Url|URL|Hash|Key|Token|Email)$")
_VALUE_OF_ID = re.compile(
    r"[0-9a-f]{12,}|[0-9a-f]{8}-[0-9a-f]{4}-.*|\d{5,}|\d{4}-\d\d-\d\d.*|.*://.*|.*@.*|(?=.*\d)(?=.*[a-zA-Z])[\w\-]{24,}",
    re.IGNORECASE,
)


def is_label(key: str, value: str) -> bool:
    """Whether `key=value` looks like a label of many requests and not like the identity of one.

    Examples:
        >>> is_label("intent", "billing"), is_label("session_id", "abc"), is_label("customer", "someone@example.com")
        (True, False, False)
    """
    return (
        0 < len(value) <= MAX_VALUE
        and _KEY.fullmatch(key) is not None
        and _KEY_OF_ID.search(key) is None
        and _ID_TAIL.search(key) is None
        and _VALUE_OF_ID.fullmatch(value) is None
        and "\n" not in value
    )


def labels(source: Mapping[str, Any] | None, *, skip: Iterable[str] = ()) -> dict[str, str]:
    """The labels among the entries of a metadata object: text and booleans; numbers, lists and objects are left out.

    Examples:
        >>> labels({"intent": "billing", "trace_id": "77aa", "n": 3, "beta": True})
        {'intent': 'billing', 'beta': 'true'}
    """
    found: dict[str, str] = {}
    if not source:
        return found
    skipped = set(skip)
    for key, value in source.items():
        if len(found) >= MAX_LABELS:
            break
        if not isinstance(key, str) or key in skipped:
            continue
        if isinstance(value, bool):
            value = "true" if value else "false"  # noqa: PLW2901
        if isinstance(value, str) and is_label(key, value.strip()):
            found[key] = value.strip()
    return found


def tag_labels(tags: Iterable[Any] | None) -> dict[str, str]:
    """Labels from a list of tags: `key:value` and `key=value` are split, any other becomes `tag.NAME=yes`.

    Examples:
        >>> tag_labels(["support", "intent:billing", "User-Agent: curl/8"])
        {'tag.support': 'yes', 'intent': 'billing'}
    """
    found: dict[str, str] = {}
    for tag in tags or ():
        if not isinstance(tag, str) or len(found) >= MAX_LABELS:
            continue
        key, separator, value = tag.partition(":") if ":" in tag else tag.partition("=")
        key, value = key.strip(), value.strip()
        if separator:
            if is_label(key, value) and not key.lower().startswith("user-agent"):
                found[key] = value
        elif is_label(f"tag.{key}", "yes") and is_label("tag", key):
            found[f"tag.{key}"] = "yes"
    return found


def tier_label(source: Mapping[str, Any] | None, known: Iterable[str] = ()) -> str | None:
    """The routing tier that a metadata object names, or None.

    `tier` is also a common word for a customer's plan. So only Undertow's own key is trusted with any value; the others only
    where the value is a tier name that the user configured, or `cheap` or `capable`.

    Examples:
        >>> tier_label({"tier": "cheap"}), tier_label({"tier": "gold"}), tier_label({"undertow.tier": "mid"})
        ('cheap', None, 'mid')
    """
    if not source:
        return None
    names = TIER_WORDS | set(known)
    for key in TIER_KEYS:
        value = source.get(key)
        if isinstance(value, str) and value and (key.startswith("undertow") or value in names):
            return value[:MAX_VALUE]
    return None
