"""Business outcomes on their way in: rows of other systems, what is known of each, and what became of them.

An outcome is a signal of kind `outcome` (docs/reference/signals.md). A row of a source is the same signal each time it is read; a row that
has changed is the same signal in a higher revision, and one that was cancelled is a revision that is `deleted`. All revisions stay in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from undertow.records.signal import SignalRecord

FOLDER = "state/outcomes"
"""Folder below a store's with what pulls leave: the index, the lock and the rows that were set aside."""

INDEX = f"{FOLDER}/index.sqlite"
LOCK = f"{FOLDER}/pull.lock"
REJECTS = f"{FOLDER}/rejects"

SOURCE_PREFIX = "outcomes:"
"""Before a source's name in the column `source` of its signals."""


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One row of a source, in canonical columns.

    Attributes:
        number: Its place, from 1; a table's header does not count.
        key: What tells it from other rows at the same place: where places are not stable, a digest of its content.
        columns: Canonical columns of a signal, as read: `signal_id` is unique within the source alone, times are RFC 3339.
        currency: Currency that the row names, or None.
        version: When the row was last changed, RFC 3339, or None: it does not say.
        is_deleted: The row says that the outcome was cancelled or deleted.
        reason: Why it cannot be used, in one word, or None.
        column: The column that this is about, or None.
    """

    number: int
    key: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    currency: str | None = None
    version: str | None = None
    is_deleted: bool = False
    reason: str | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a row is set aside: one word, and the column that it is about. Never a value."""

    reason: str
    column: str | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that was set aside, as the rejects file has it; `place` is the file, or `query`."""

    place: str
    key: str
    number: int
    reason: str
    column: str | None


class KnownOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a signal that was pulled.

    Attributes:
        record: Its latest revision.
        version: When its row was last changed, RFC 3339, or None.
    """

    record: SignalRecord
    version: str | None = None


class SourceState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a source stands, all pulls together.

    Attributes:
        pulls: Times it was pulled.
        read: Rows read. A file that changed is read again, so a row may count more than once.
        accepted: Signals that were new.
        duplicates: Rows that were known as they are, or in a later version.
        corrected: Rows that replaced what was known.
        deleted: Rows that took an outcome back.
        tried_at: When it was last pulled, to its end or not, RFC 3339.
        last_pull_at: When it was last pulled to its end, RFC 3339.
        last_event: Latest time of an outcome of it, RFC 3339.
        cursor: From when on a query asks, RFC 3339.
        error: Why the last pull failed, or None: it did not.
    """

    pulls: int = 0
    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    corrected: int = 0
    deleted: int = 0
    tried_at: str | None = None
    last_pull_at: str | None = None
    last_event: str | None = None
    cursor: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one pull of a source did.

    Attributes:
        source: Its name.
        places: Files read, or 1 for a query.
        unchanged: Files that had been read as they are.
        left: Files left for the next time, since they are still being written; with the reason.
        read: Rows read.
        accepted: Signals that were new.
        duplicates: Rows that were known as they are, or in a later version.
        corrected: Rows that replaced what was known.
        deleted: Rows that took an outcome back.
        set_aside: Rows that cannot be used, by reason.
        failed: Files, or the query, that could not be read: name and sentence.
        rejects: File with the rows set aside, or None: there are none.
    """

    source: str
    places: int = 0
    unchanged: int = 0
    left: Mapping[str, str] = field(default_factory=dict)
    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    corrected: int = 0
    deleted: int = 0
    set_aside: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    rejects: str | None = None


JOIN_KEYS = ("decision", "conversation", "user")

UNJOINED: Mapping[str, str] = {
    "unknown_decision": "no decision has its decision_id; it is joined once one does",
    "unknown_conversation": "no decision has its conversation_id; it is joined once one does",
    "unknown_user": "no decision has its user_id; it is joined once one does",
    "signal_before_decision": "the first decision of its conversation or user is later than the outcome",
    "outside_attribution_window": "the last decision before it is further back than attribution_days",
    "not_live": "its decision is a suite's or a replay's, not live traffic",
}
"""Why an outcome belongs to no decision, with what that means."""

WAITING = ("unknown_decision", "unknown_conversation", "unknown_user")
"""Reasons that a decision may still take away."""


@dataclass(frozen=True, slots=True)
class OutcomeJoins:
    """How the outcomes of one source and name meet the decisions of the log.

    Attributes:
        source: As it stands in the signals; empty: none is named.
        name: Of the outcome.
        outcomes: Outcomes in force: latest revisions that are not deleted.
        deleted: Outcomes that were taken back.
        corrected: Earlier revisions, which do not count.
        joined: Outcomes by the key that joined them: `decision`, `conversation`, `user`.
        unjoined: Outcomes that belong to no decision, by reason.
        ineligible: Joined ones whose decision no policy could have sent to a cheaper tier: they tell nothing of routing.
        last_event: Time of the latest, RFC 3339, or None.
        attribution_days: Window of this outcome.
        maturity_days: How old a decision must be for its rate.
        mature: Joined ones whose decision is that old.
        is_priced: `[outcomes.NAME]` says what it costs.
    """

    source: str
    name: str
    outcomes: int
    deleted: int
    corrected: int
    joined: Mapping[str, int]
    unjoined: Mapping[str, int]
    ineligible: int
    last_event: str | None
    attribution_days: float
    maturity_days: float
    mature: int
    is_priced: bool

    @property
    def waiting(self) -> int:
        """Outcomes that a decision to come may still join."""
        return sum(self.unjoined.get(reason, 0) for reason in WAITING)


@dataclass(frozen=True, slots=True)
class UnjoinedOutcome:
    """One outcome that belongs to no decision. Ids are pseudonyms where the store has an id key."""

    signal_id: str
    source: str
    name: str
    event_time: str
    key: str
    id: str
    reason: str
