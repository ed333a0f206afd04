"""The last version of a policy that nothing was alarmed about."""

from collections.abc import Sequence
from dataclasses import dataclass

from undertow.records.alert import Episode


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version of a policy that has served.

    Attributes:
        policy: Name of the policy.
        version: Its hash.
        first_served_at: RFC 3339, UTC.
    """

    policy: str
    version: str
    first_served_at: str


def last_good(
    versions: Sequence[KnownVersion],
    episode: Episode,
    episodes: Sequence[Episode],
    serving: str,
    rolled_back: frozenset[str] = frozenset(),
) -> str | None:
    """The version to go back to where a new version may have caused an episode, or None.

    Args:
        versions: All that have served.
        episode: Open, with an onset.
        episodes: All that are known: a version under which one began is not good.
        serving: Version that serves now: the one that would be rolled back.
        rolled_back: Versions that were rolled back before.

    Returns:
        The latest earlier version that is good; None where the serving one did not begin within the onset's interval, or there is none.

    Examples:
        >>> known = [KnownVersion("auto", "v1", "2026-03-01T00:00:00Z"), KnownVersion("auto", "v2", "2026-04-10T00:00:00Z")]
        >>> trouble = Episode(
        ...     id="e", policy="auto", tier="cheap", segment="", cause="routing", detected_at="2026-04-20T00:00:00Z",
        ...     onset_interval=("2026-04-08T00:00:00Z", "2026-04-13T00:00:00Z"),
        ... )
        >>> last_good(known, trouble, [trouble], "v2"), last_good(known, trouble, [trouble], "v1")
        ('v1', None)
    """
    mine = sorted((v for v in versions if v.policy == episode.policy), key=lambda v: v.first_served_at)
    now = next((v for v in mine if v.version == serving), None)
    if now is None or episode.onset_interval is None:
        return None
    begin, end = episode.onset_interval
    if not begin <= now.first_served_at <= end:
        return None
    bad = {serving, *rolled_back}
    for other in episodes:
        if other.policy == episode.policy and other.cause == "routing" and other.kind == "alarm":
            until = other.onset_interval[1] if other.onset_interval is not None else other.detected_at
            under = [v.version for v in mine if v.first_served_at <= until]
            bad |= set(under[-1:])
    earlier = [v.version for v in mine if v.first_served_at < now.first_served_at and v.version not in bad]
    return earlier[-1] if earlier else None
