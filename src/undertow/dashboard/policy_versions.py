"""The versions of policies that have served, as pages show them, and what differs between two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from undertow.dashboard.trail import read_moment
from undertow.errors import UsageError
from undertow.records.guard import Controls, PolicyVersion
from undertow.reports.names import plain
from undertow.services.policy_versions import differences, in_words

SHOWN = 50
"""Versions that a page lists, the latest ones."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version.

    Attributes:
        version: Its hash.
        policy: Name of the policy.
        since: When it first served, aware; None: not known.
        kind: Kind of the policy.
        tiers: Its tiers with their models.
        mark: `serves`, `rolled back`, or empty.
    """

    version: str
    policy: str
    since: datetime | None
    kind: str
    tiers: tuple[tuple[str, str], ...]
    mark: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two versions.

    Attributes:
        before, after: The versions.
        changes: Field, value before, value after.
    """

    before: str
    after: str
    changes: tuple[tuple[str, str, str], ...]


def version_rows(
    versions: Sequence[PolicyVersion], serving: Mapping[str, str], controls: Controls | None
) -> tuple[VersionRow, ...]:
    """Versions, the latest first.

    Args:
        versions: Oldest first.
        serving: Version by policy that serves now.
        controls: In force, or None.
    """
    bad = {name: each.pin.bad for name, each in ({} if controls is None else controls.policies).items() if each.pin}
    return tuple(
        VersionRow(
            each.version,
            each.policy.name,
            read_moment(each.first_served_at),
            each.policy.kind,
            tuple((name, in_words(tier.get("model"))) for name, tier in each.tiers.items()),
            "serves" if serving.get(each.policy.name) == each.version
            else "rolled back" if bad.get(each.policy.name) == each.version
            else "",
        )
        for each in reversed(versions)
    )  # fmt: skip


def difference(versions: Sequence[PolicyVersion], before: str, after: str) -> Difference | None:
    """What differs between two versions; by default the last two of the policy that changed last.

    Args:
        versions: Oldest first.
        before: Hash of the one, whole; empty: by default.
        after: Hash of the other, likewise.

    Returns:
        The differences; None: there are no two versions to compare.

    Raises:
        UsageError: There is no such version.
    """
    known = {each.version: each for each in versions}
    for asked in filter(None, (before, after)):
        if asked not in known:
            raise UsageError(f"{plain(asked)[:40]!r} is no version that has served")
    if not after and versions:
        after = versions[-1].version
    if not before and after:
        same = [each.version for each in versions if each.policy.name == known[after].policy.name]
        place = same.index(after)
        before = same[place - 1] if place > 0 else ""
    if not before or not after:
        return None
    changes = differences(known[before], known[after])
    return Difference(before, after, tuple((name, in_words(was), in_words(now)) for name, was, now in changes))
