"""What the audit needs from outside: sufficient statistics of a decision log joined to its signals.

An adapter (DuckDB today; Spark, ClickHouse and others later) implements `AuditSource`; the core never sees a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from undertow.ports.progress import Progress, silent
from undertow.records.cells import AuditCells


@dataclass(frozen=True, slots=True)
class OutcomeWindow:
    """How events of one outcome are attributed to decisions.

    Attributes:
        name: The outcome's name, `ticket` in `outcome.ticket`.
        attribution_days: An event counts for decisions of the same conversation or user at most this long before it.
        maturity_days: An exposure counts in a rate only once this much time has passed since it.
    """

    name: str
    attribution_days: float = 14.0
    maturity_days: float = 14.0


@dataclass(frozen=True, slots=True)
class CellOptions:
    """How rows are grouped into cells.

    Attributes:
        bucket_s: Seconds in a bucket, 86400 or 3600.
        segment_keys: Keys of the segment map to group by; None: every key with at most `max_segment_values` values.
        max_segment_values: Keys with more values than this are left out, and a note in the coverage says so.
        tier_order: Tier names, cheapest first; None: by mean cost per token in the log.
        tier_models: Tier name -> model name patterns (fnmatch); gives a tier to rows that name a model but no tier.
        outcomes: Attribution windows by outcome; outcomes not named here use the defaults of `OutcomeWindow`.
        max_strata: Most classes of inclusion probability kept apart per signal and day, where it does not name its strata.
        max_named_strata: Most strata kept apart that a signal names: a division into long tail and rest has two. What is not kept apart
            is counted together, in weighted estimates only.
    """

    bucket_s: int = 86_400
    segment_keys: tuple[str, ...] | None = None
    max_segment_values: int = 64
    tier_order: tuple[str, ...] | None = None
    tier_models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outcomes: tuple[OutcomeWindow, ...] = ()
    max_strata: int = 6
    max_named_strata: int = 24
    score_edges: tuple[float, ...] = ()
    """Ten equal shares of the scores that a calibration was fitted on (11 scores): scores of the log are counted by them. Empty: not at all."""
    now: datetime | None = None
    """The present: rows dated after it are used and counted as `dated_in_future`. None: not looked at."""
    money: bool = False
    """Count costs and outcomes by month, segment and policy version too (`AuditCells.money`); one more scan a segment key."""
    until: datetime | None = None
    """Leave out everything that the system did not have before this moment (replays and tests)."""


class AuditSource(Protocol):
    """A log that has been opened, checked and joined."""

    def cells(self, options: CellOptions, progress: Progress = silent) -> AuditCells:
        """All sufficient statistics of the log.

        Raises:
            LogError: nothing readable.
            DataError: no live decision with a tier is left after checking.
        """
        ...
