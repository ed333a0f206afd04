"""What decides in a version of a policy, by name, and what differs between two."""

import json
from typing import Any

import msgspec

from undertow.records.guard import PolicyVersion

LONGEST = 300
"""Characters of a value that are shown."""


def differences(one: PolicyVersion, other: PolicyVersion) -> list[tuple[str, Any, Any]]:
    """Field, value in the one, value in the other, of all fields that differ; None where a version has no such field.

    Examples:
        >>> from undertow.records.serving import PolicyPlan
        >>> def version(threshold):
        ...     policy = PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap",), threshold=threshold)
        ...     return PolicyVersion(version="v", first_served_at="2026-03-01T00:00:00Z", policy=policy, tiers={})
        >>> differences(version(0.7), version(0.8))
        [('policy.threshold', 0.7, 0.8)]
    """
    before, after = fields_of(one), fields_of(other)
    names = dict.fromkeys((*before, *after))
    return [(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def fields_of(version: PolicyVersion) -> dict[str, Any]:
    """What decides, by dotted name. Files are named by their hashes: two of one content are one."""
    policy = msgspec.to_builtins(version.policy)
    for name in ("name", "version"):
        policy.pop(name)
    policy["artefact"] = _file(policy["artefact"])
    policy["predictive"] = _file(policy["predictive"])
    policy["calibrations"] = [_file(path) for path in policy["calibrations"]]
    fields = {f"policy.{name}": value for name, value in policy.items()}
    for name, tier in version.tiers.items():
        for part in ("model", "parameters", "context_tokens"):
            fields[f"tiers.{name}.{part}"] = tier.get(part)
    for section in ("constraints", "holdout"):
        fields |= {f"{section}.{name}": value for name, value in msgspec.to_builtins(getattr(version, section)).items()}
    return fields


def in_words(value: Any) -> str:
    r"""A value for people; on one line and free of control characters, whatever stood in the settings.

    Examples:
        >>> in_words(None), in_words(True), in_words([]), in_words(["a", 2]), in_words("a\x1b[2J"), in_words({"k": 0.5})
        ('none', 'yes', 'none', 'a, 2', 'a?[2J', '{"k": 0.5}')
    """
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list() | tuple() | dict() if not value:
            return "none"
        case list() | tuple():
            return ", ".join(map(in_words, value))
        case str():
            return clean(value)
        case _:
            return clean(json.dumps(value, ensure_ascii=True, sort_keys=True))


def clean(text: str) -> str:
    """A text on one line, without control characters, of at most `LONGEST` characters."""
    return "".join(char if char.isprintable() else "?" for char in text)[:LONGEST]


def _file(path: str | None) -> str | None:
    # The guard's folder names each file by its hash.
    return None if path is None else f"sha256 {path.replace(chr(92), '/').rpartition('/')[2].partition('.')[0][:12]}"
