"""Single decisions of a log, for a person who looks at them. Implemented in `undertow.adapters.duckdb.exploring`."""

from datetime import date
from typing import Protocol

from undertow.records.exploring import Cursor, DecisionFilter, DecisionPage, FoundDecision


class DecisionBook(Protocol):
    """Finds decisions. Every call reads files, within bounds on time and memory: keep it off an event loop."""

    def page(self, wanted: DecisionFilter, after: Cursor | None, limit: int, *, with_text: bool) -> DecisionPage:
        """Decisions that are like that, newest first.

        Args:
            wanted: What they are like.
            after: Where the page before ended; None: begin with the newest.
            limit: Most rows.
            with_text: Also how their prompts begin, where the log keeps text.

        Raises:
            LogError: The log cannot be read, or too many look at it at once.
        """
        ...

    def one(self, decision_id: str, day: date | None) -> FoundDecision | None:
        """One decision, or None: there is none, or it was not found in the time that a look may take.

        Args:
            decision_id: Its id.
            day: Day of its request (UTC), where it is known: it is found at once then.

        Raises:
            LogError: The log cannot be read, or too many look at it at once.
        """
        ...
