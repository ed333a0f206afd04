"""Thresholds as they were after any version of the history, for undoing."""

from collections.abc import Sequence
from dataclasses import dataclass

from undertow.records.calibration import GroupState
from undertow.records.tuning import TuningEntry

Place = tuple[str, str, str | None]
"""Policy, tier, and value of the group (None: the rest)."""


@dataclass(frozen=True, slots=True)
class Held:
    """What was in force for one group.

    Attributes:
        calibration_version: Of the artefact that it is about.
        state: Threshold, what vouches for it, and whether the certificate is void.
    """

    calibration_version: str
    state: GroupState


def latest_version(history: Sequence[TuningEntry]) -> int:
    """The highest version; 0 where nothing was ever changed."""
    return max((entry.version for entry in history), default=0)


def as_of(history: Sequence[TuningEntry], version: int) -> dict[Place, Held]:
    """What was in force after a version, for all groups that were changed by then; all others were as calibrated.

    Examples:
        >>> def entry(version, after):
        ...     return TuningEntry(
        ...         version=version, at="", who="keeper", policy="auto", tier="cheap", calibration_version="c", before=0.8, after=after, why=""
        ...     )
        >>> history = [entry(1, 0.9), entry(2, 0.95)]
        >>> as_of(history, 1)["auto", "cheap", None].state.threshold, as_of(history, 0)
        (0.9, {})
    """
    found: dict[Place, Held] = {}
    for entry in sorted(history, key=lambda one: one.version):
        if entry.version <= version:
            state = GroupState(
                value=entry.group,
                threshold=entry.after,
                is_void=entry.is_void,
                certified=entry.certified,
                commits=entry.commits,
                why=entry.why,
            )
            found[entry.policy, entry.tier, entry.group] = Held(entry.calibration_version, state)
    return found


def version_to_undo_to(history: Sequence[TuningEntry]) -> int | None:
    """The version before the last change that was not itself an undoing or undone; None: nothing is left to undo.

    Undoing twice goes two changes back.
    """
    last = latest_version(history)
    if last == 0:
        return None
    restored = next((entry.restores for entry in history if entry.version == last and entry.restores is not None), None)
    at = last if restored is None else restored
    return at - 1 if at > 0 else None
