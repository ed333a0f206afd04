"""What pulling outcomes needs from outside: rows of a source, the index of what is known, and how outcomes meet decisions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from undertow.records.outcome import KnownOutcome, OutcomeRow, SetAside, SourceState


@dataclass(frozen=True, slots=True)
class Place:
    """Something to read whole: a file, or a query.

    Attributes:
        name: As people know it: the path below the source's folder, or `query`.
        fingerprint: Changes when what is to be read changes; None: it is read each time.
        rows: Reads it, in batches. Errors: `LogError` that it cannot be read, `StillWritten` that it changed meanwhile.
    """

    name: str
    fingerprint: str | None
    rows: Iterable[Sequence[OutcomeRow]]


class StillWritten(Exception):  # noqa: N818 (no error: it is read the next time)
    """A file changed while it was read, or ends in the midst of a row: it is left for the next time."""


class OutcomeSource(Protocol):
    """One source of `[sources.NAME]`."""

    def places(self, since: datetime | None) -> Iterator[Place | tuple[str, str]]:
        """What there is to read, oldest first; a pair is a place that cannot be read now, with why.

        Args:
            since: For queries: the time from which on rows are wanted; None: all.

        Raises:
            LogError: The source itself cannot be read.
        """
        ...


class OutcomeBook(Protocol):
    """The index of a store's pulled outcomes."""

    def locked(self) -> AbstractContextManager[bool]:
        """Keep all others from pulling; False: another is at it.

        Raises:
            OSError: The store cannot be written.
        """
        ...

    def state(self, source: str) -> SourceState:
        """Where a source stands."""
        ...

    def seen(self, source: str, place: str) -> str | None:
        """Fingerprint under which a place was last read, or None: never."""
        ...

    def known(self, ids: Sequence[str]) -> dict[str, KnownOutcome]:
        """What is known of signals, by id; those that are unknown are left out."""
        ...

    def note(self, outcomes: Sequence[KnownOutcome], set_aside: Sequence[SetAside], source: str) -> None:
        """Remember what was written and what was set aside.

        Raises:
            OSError: The index cannot be written.
        """
        ...

    def begin(self, source: str, place: str) -> None:
        """Forget what was set aside at a place, which is read anew."""
        ...

    def finish(self, source: str, place: str, fingerprint: str | None) -> None:
        """A place was read to its end."""
        ...

    def close_pull(self, source: str, state: SourceState) -> str | None:
        """Note where a source stands; the path of its file of rejects, or None without any."""
        ...

    def set_aside(self, source: str) -> Mapping[str, int]:
        """Rows that are set aside now, by reason."""
        ...
