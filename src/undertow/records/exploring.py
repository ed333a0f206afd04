"""Single decisions as the dashboard lists and shows them: what is asked for, and what was found."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from undertow.records.decision import DecisionRecord
from undertow.records.segment import Segment

LabelFilter = Literal["", "failed", "ok", "none"]
"""Any; a signal of quality below `FAILED_BELOW`; signals and none below it; no signal at all."""

FAILED_BELOW = 0.5
"""A value of a quality signal under this says that the answer failed; 1 is best."""

UNSERVED = "(none)"
"""Asks for decisions without a tier: nothing was served."""


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """What a decision must be like; empty and None: anything.

    Attributes:
        tier: Tier that served it, or `UNSERVED`.
        segment: Label that it bears.
        first_day, last_day: Days of its request (UTC), both included.
        arm, reason: As in its record.
        label: What signals of quality say of it.
    """

    tier: str = ""
    segment: Segment | None = None
    first_day: date | None = None
    last_day: date | None = None
    arm: str = ""
    reason: str = ""
    label: LabelFilter = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: decisions that come after it are older, or as old with a smaller id.

    Attributes:
        at: Time of the last decision, aware.
        decision_id: Its id; empty: none that is as old was seen.
    """

    at: datetime
    decision_id: str = ""


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision in a list; fields as in its record, None where the log does not say.

    Attributes:
        signals: Signals of quality joined to it, by its id or its conversation.
        worst: Their smallest value, or None: there are none.
        excerpt: Beginning of the prompt, where the log keeps text and it was asked for. Untrusted.
    """

    decision_id: str
    event_time: datetime
    tier: str | None
    first_tier: str | None
    escalated: bool | None
    segment: dict[str, str]
    arm: str | None
    reason: str | None
    confidence: float | None
    threshold: float | None
    cost_usd: float | None
    latency_ms: float | None
    status: str | None
    signals: int = 0
    worst: float | None = None
    excerpt: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """Some decisions, newest first.

    Attributes:
        rows: The decisions.
        after: Where to go on; None: there is nothing older that is like that.
        stopped_at: The search ran out of time and has looked at everything down to here; None: it did not.
    """

    rows: tuple[DecisionRow, ...]
    after: Cursor | None = None
    stopped_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class JoinedSignal:
    """A signal that tells of a decision.

    Attributes:
        kind, name, value: What it says.
        event_time: When it was observed.
        source: Who gave it, or None.
        selection, inclusion_probability, reference_value: As in its row.
        by: What it is joined by: `decision`, `conversation` or `user`.
    """

    kind: str
    name: str
    value: float | None
    event_time: datetime | None
    source: str | None
    selection: str | None
    inclusion_probability: float | None
    reference_value: float | None
    by: Literal["decision", "conversation", "user"]


@dataclass(frozen=True, slots=True)
class FoundDecision:
    """One decision with what is joined to it.

    Attributes:
        record: Its record.
        signals: Latest last, those about the decision itself first.
        more: Signals that are not among them: there were too many.
    """

    record: DecisionRecord = field(repr=False)
    signals: tuple[JoinedSignal, ...] = ()
    more: int = 0
