"""What tuning needs from outside: labels, the book of thresholds, and whether an alarm is open."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from undertow.records.calibration import ThresholdStates
from undertow.records.labelled_answers import LabelledAnswers
from undertow.records.tuning import TuningEntry, TuningMemory


class AnswerSource(Protocol):
    """Labelled answers of a log."""

    def read(self, tier: str, capable_tier: str, since: datetime) -> LabelledAnswers:
        """Labelled answers of a tier to requests from `since` on."""
        ...


class ThresholdBook(Protocol):
    """Thresholds in force, their history, and where each controller stands."""

    def locked(self) -> AbstractContextManager[bool]:
        """Keep all others from writing; False: another holds it."""
        ...

    def states(self) -> ThresholdStates | None:
        """What is in force instead of what was calibrated; None: nothing."""
        ...

    def memory(self) -> TuningMemory | None:
        """Where each controller stands; None: none has begun."""
        ...

    def history(self) -> tuple[TuningEntry, ...]:
        """All changes, oldest first."""
        ...

    def write(self, states: ThresholdStates | None, memory: TuningMemory, entries: Sequence[TuningEntry]) -> None:
        """Note a run. `states` None: what is in force has not changed."""
        ...


@dataclass(frozen=True, slots=True)
class OpenAlarm:
    """An alarm whose loss the labels since have not shown to be within the margin.

    Attributes:
        tier: Tier that it is about.
        segment: Labels that it is about; empty: the whole tier.
    """

    tier: str
    segment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlarmView:
    """What is known of alarms.

    Attributes:
        open: Those that are open.
        unknown: Why none could be looked for; None: they were.
    """

    open: tuple[OpenAlarm, ...] = ()
    unknown: str | None = None
