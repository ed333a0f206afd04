"""The book of the guard: what is in force, why, and every version of a policy that has served."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from undertow.records.guard import Controls, GuardMemory, PolicyVersion, TrailEntry


class GuardBook(Protocol):
    """Where the guard of one store reads and writes. Everything is kept twice, in the store and beside it."""

    def locked(self) -> AbstractContextManager[bool]:
        """Keep all others from writing; False: another holds it. The lock ends with its process.

        Raises:
            OSError: The store cannot be written.
        """
        ...

    def controls(self) -> Controls | None:
        """What is in force: of the two copies the one with the higher version; None: nothing ever was.

        Raises:
            ConfigError: There are copies, and none can be read.
        """
        ...

    def trail(self) -> tuple[TrailEntry, ...]:
        """The audit trail, oldest first, both copies put together; a last line that a dying process cut is left out.

        Raises:
            ConfigError: A line before the last is no entry.
        """
        ...

    def memory(self) -> GuardMemory | None:
        """Where the guard stands; None: it has not begun.

        Raises:
            ConfigError: The file is there and cannot be used.
        """
        ...

    def write(self, controls: Controls | None, memory: GuardMemory, entries: Sequence[TrailEntry]) -> None:
        """Note what was done; only while `locked`. The trail is written first, and the controls last: what is in force was always said.

        Args:
            controls: What is in force from now on; None: as before.
            memory: Where the guard stands.
            entries: New lines of the trail.

        Raises:
            OSError: Neither copy could be written. One alone that fails is retried at the next write, and logged.
        """
        ...

    def versions(self) -> tuple[PolicyVersion, ...]:
        """All versions of policies that have served, oldest first. Files that are none are left out and logged."""
        ...
