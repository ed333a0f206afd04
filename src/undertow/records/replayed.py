"""What a replay says: when things were seen, as a log was watched and as it would have been under other settings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from undertow.records.report import Verdict

Happening = Literal["onset", "alarm", "warning"]


@dataclass(frozen=True, slots=True)
class Rerouting:
    """Other decisions than those that were taken, as far as a log tells what they would have been.

    Attributes:
        capable: Name of the capable tier.
        cheap: Tier that a request goes down to where the log does not say which one was asked first.
        policy: Name of the policy whose decisions are taken anew; None: of every one.
        threshold: Confidence from which on a cheap answer is served, in [0, 1]; None: as it was.
        never_cheap: `key=value` labels whose requests go to the capable tier.
    """

    capable: str
    cheap: str = "cheap"
    policy: str | None = None
    threshold: float | None = None
    never_cheap: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether every decision stays as it was."""
        return self.threshold is None and not self.never_cheap


@dataclass(frozen=True, slots=True)
class Rerouted:
    """What became of a log under other decisions.

    Attributes:
        decisions: Live decisions.
        moved_up, moved_down: Of those, requests that the capable tier answers now, and that a cheaper one does.
        labels_kept: Labels that still say something: of decisions that stayed, and pairs, which know both answers.
        labels_lost: Labels of an answer that is not served any more, or of another one than is served now.
        reviews_left_out: Reviews beyond the smaller budget.
    """

    decisions: int
    moved_up: int = 0
    moved_down: int = 0
    labels_kept: int = 0
    labels_lost: int = 0
    reviews_left_out: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """Something on a time line.

    Attributes:
        at: When, aware.
        what: The change began (`onset`), or was seen (`alarm`, `warning`).
        place: Tier, segment and signal, in words.
        text: One sentence; names in it come from the log and are untrusted.
    """

    at: datetime
    what: Happening
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class TimeLine:
    """What was known when, under one set of settings.

    Attributes:
        name: `as it was` or `as it would have been`.
        moments: In order of time.
        verdict: At the end of the log.
        known_at: When the first alarm that is laid to routing was raised, or None: none was.
        onset: Estimated beginning of what it is about, or None.
        net_usd_month: Net value at the end, USD a month, or None: not known.
        net_interval: Its interval, or None.
        cheap_share: Share of the decisions that cheaper tiers answered, in [0, 1].
    """

    name: str
    moments: tuple[Moment, ...]
    verdict: Verdict
    known_at: datetime | None
    onset: datetime | None
    net_usd_month: float | None
    net_interval: tuple[float, float] | None
    cheap_share: float

    @property
    def days_to_know(self) -> float | None:
        """Days from the onset to the alarm, or None."""
        if self.known_at is None or self.onset is None:
            return None
        return (self.known_at - self.onset).total_seconds() / 86_400.0


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting that differs.

    Attributes:
        name: Dotted, as `monitors.margin`.
        before, after: As they would be written.
        is_replayed: The replay follows it.
        why: Why it does not.
    """

    name: str
    before: str
    after: str
    is_replayed: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class Replay:
    """Both time lines side by side.

    Attributes:
        was: As the log was watched.
        would_be: As it would have been.
        changes: What differs between the two.
        rerouted: What became of the log; None: its decisions and labels are as they were.
        notes: Sentences for the reader.
    """

    was: TimeLine
    would_be: TimeLine
    changes: tuple[SettingChange, ...]
    rerouted: Rerouted | None = None
    notes: tuple[str, ...] = ()
