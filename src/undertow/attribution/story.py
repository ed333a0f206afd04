"""Since when something is worse and what changed then, in one sentence as a person would say it."""

from collections.abc import Sequence
from datetime import datetime

MOST_CHANGES = 3


def story(
    onset: datetime,
    changes: Sequence[str] = (),
    parts: str = "",
    incidents: Sequence[str] = (),
    segments: Sequence[str] = (),
) -> str:
    """The sentence.

    Args:
        onset: When the change is estimated to have begun.
        changes: Versions that began to serve about then, in words.
        parts: How the loss divides, in words, or empty.
        incidents: What upstreams did about then, in words.
        segments: Segments that appeared, vanished or were renamed about then, in words.

    Examples:
        >>> from datetime import UTC
        >>> story(datetime(2026, 3, 14, tzinfo=UTC), ["calibration v3 began on 13 March"], "80 % of the loss lies within billing")
        'Since 14 March; what changed then: calibration v3 began on 13 March; 80 % of the loss lies within billing.'
        >>> story(datetime(2026, 3, 14, tzinfo=UTC))
        'Since 14 March; no version, upstream or segment is known to have changed then.'
    """
    shown = list(changes[:MOST_CHANGES])
    if len(changes) > MOST_CHANGES:
        shown.append(f"{len(changes) - MOST_CHANGES} more versions")
    said = [part for part in (", ".join(shown), parts, *incidents, *segments) if part]
    since = f"Since {onset.day} {onset:%B}"
    if not (changes or incidents or segments):
        nothing = "no version, upstream or segment is known to have changed then"
        return f"{since}; {'; '.join([nothing, *said])}."
    return f"{since}; what changed then: {'; '.join(said)}."
