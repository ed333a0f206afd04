"""Where texts, votes and claims of reviewers are kept, and the log from which a day is drawn. Implemented in `undertow.adapters.reviews`."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Protocol, TypeVar

from undertow.records.review import Claim, DayFrame, DrawRow, ImportNote, KeptDraws, Material, SeededCase
from undertow.records.watched import Vote

Answer = TypeVar("Answer")


class ReviewStore(Protocol):
    """What reviewing needs of a store. Every call may wait for a disk, so keep them off an event loop."""

    def material(self) -> Material:
        """All that is there now, other processes' votes included.

        Raises:
            OSError: It cannot be read.
        """
        ...

    def add_votes(self, votes: tuple[Vote, ...]) -> None:
        """Keep votes, all or none.

        Raises:
            OSError: They could not be written; nothing was.
        """
        ...

    def change_claims(self, change: Callable[[tuple[Claim, ...]], tuple[tuple[Claim, ...], Answer]]) -> Answer:
        """Replace the claims by what `change` makes of them, alone: no two reviewers take the same item.

        Args:
            change: Given the claims, gives the new ones and an answer. It may be long only as reading the store is.

        Returns:
            The answer.

        Raises:
            OSError: They cannot be read or written.
        """
        ...

    def claims(self) -> tuple[Claim, ...]:
        """The claims as they are."""
        ...

    def add_seeds(self, seeds: tuple[SeededCase, ...]) -> None:
        """Keep seeded cases.

        Raises:
            OSError: They could not be written.
        """
        ...

    def note_import(self, note: ImportNote) -> None:
        """Keep what became of an import.

        Raises:
            OSError: It could not be written.
        """
        ...


class DayLog(Protocol):
    """A log from which decisions of a day are drawn for review."""

    def read(self, day: date, segment_key: str | None) -> DayFrame:
        """The decisions of a UTC day.

        Args:
            day: The day.
            segment_key: Key of the segments that divide it; None: the one that most decisions have.

        Raises:
            LogError: The log cannot be read.
        """
        ...

    def keep(self, day: date, rows: Sequence[DrawRow], at: str) -> KeptDraws:
        """Write the draws of a day, and the texts of what was chosen.

        Args:
            day: The day that was read.
            rows: A row for each candidate, chosen or not.
            at: When it was drawn, RFC 3339.

        Raises:
            OSError: They could not be written.
        """
        ...
