"""What restricts the policies of one process, as the guard's files tell it: see `undertow.records.guard`."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from undertow.adapters.guard.controls import controls_files, find_controls
from undertow.policies.exposure import CLOSED, Restrictions, restrictions_of
from undertow.records.guard import Controls
from undertow.records.serving import PolicyPlan

log = logging.getLogger("undertow.gateway")

LOOK_AGAIN_S = 2.0
"""A restriction is in force after so long at the latest, in every worker."""

Seen = tuple[tuple[int, int, int] | None, ...]


class ControlsFile:
    """Puts restrictions in force as the two copies of the controls tell them.

    Of two copies the one with the higher version holds. One that cannot be read, or that is gone after it was there, changes nothing: what was
    restricted stays so. Where there are copies at the start and none can be read, nobody knows what is restricted, so the capable
    tier answers everything until one can.

    Args:
        store: The store's root folder.
        policies: Those that this process serves.

    Attributes:
        version: Of the controls in force; 0: there are none.
        are_unreadable: There were copies at the start, and none could be read since.

    Examples:
        >>> ControlsFile("/nowhere", ()).restrictions
        {}
    """

    def __init__(self, store: str | os.PathLike[str], policies: tuple[PolicyPlan, ...]) -> None:
        self._store = store
        self._files = controls_files(store)
        self._policies = policies
        self._looked_s = float("-inf")
        self._seen: Seen = (None, None)
        self._in_force: Controls | None = None
        self._told: Mapping[str, str] = {}
        self.are_unreadable = False
        self.restrictions: dict[str, Restrictions] = {}
        self._read(is_start=True)

    @property
    def version(self) -> int:
        """Of the controls in force; 0: there are none."""
        return 0 if self._in_force is None else self._in_force.version

    def refresh(self, now_s: float) -> bool:
        """Look at the files if it is time to, and read them if one has changed.

        Returns:
            Whether `restrictions` has changed.
        """
        if now_s - self._looked_s < LOOK_AGAIN_S:
            return False
        self._looked_s = now_s
        return _seen(self._files) != self._seen and self._read()

    def _read(self, *, is_start: bool = False) -> bool:
        self._seen = _seen(self._files)
        found = find_controls(self._store)
        self._complain(found.problems)
        if is_start and found.are_unreadable:
            self.are_unreadable = True
            self.restrictions = {policy.name: CLOSED for policy in self._policies}
            log.error("controls_unreadable", extra={"path": " and ".join(found.problems)})
            return True
        if found.controls is None or not self._is_later(found.controls):
            return False
        self._in_force = found.controls
        self.are_unreadable = False
        self.restrictions = {
            policy.name: restrictions
            for policy in self._policies
            if (restrictions := restrictions_of(found.controls.policies.get(policy.name), policy.version)) is not None
        }
        log.info("controls_in_force", extra={"version": found.controls.version})
        return True

    def _is_later(self, controls: Controls) -> bool:
        """A copy with a lower version is an old one, unless it was written later: then both were lost, and the guard began anew."""
        held = self._in_force
        return held is None or controls.version > held.version or controls.at > held.at

    def _complain(self, problems: Mapping[str, str]) -> None:
        for path, why in problems.items():
            if self._told.get(path) != why:
                log.warning("controls_copy_unreadable", extra={"path": path, "why": why})
        self._told = problems


def _seen(files: tuple[Path, ...]) -> Seen:
    found: list[tuple[int, int, int] | None] = []
    for path in files:
        try:
            stat = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)
