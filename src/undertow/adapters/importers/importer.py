"""What every importer is: a pure function from one foreign record to rows, and what people should know about it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from undertow.adapters.importers.fields import BadTime, Fields
from undertow.adapters.importers.mapping import MappingFile, SignalRule
from undertow.adapters.importers.rows import Rejected, Row


@dataclass(slots=True)
class Reading:
    """What an importer is given besides the record: how to read values, and where to leave remarks.

    Attributes:
        fields: Reads cells; knows the time zone.
        tier_names: Names of configured tiers.
        mapping: The mapping file, or an empty one.
        remarks: Sentence with `{n}` -> how often it applies; shown as notes.
        unattached_usd: Spend of calls that no request can be named for, by purpose.
        taken: Canonical column -> column of a plain table that was taken for it.
        plans: The same for each set of columns that has been met.
    """

    fields: Fields
    tier_names: frozenset[str] = frozenset()
    mapping: MappingFile = field(default_factory=MappingFile)
    remarks: Counter[str] = field(default_factory=Counter)
    unattached_usd: dict[str, float] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    plans: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)

    @property
    def rules(self) -> Mapping[str, SignalRule]:
        """Rules for scores, by the score's own name."""
        return self.mapping.signals

    def remark(self, sentence: str) -> None:
        """Leave a remark; `{n}` in it becomes the number of times it was left."""
        self.remarks[sentence] += 1

    def moment(self, value: Any, **how: Any) -> datetime | Rejected:
        """A required time, or the rejection of the record."""
        try:
            return self.fields.time(value, **how)
        except BadTime as bad:
            return Rejected(bad.reason)


Rows = Callable[[Mapping[str, Any], Reading], Iterator[Row]]
Recogniser = Callable[[Mapping[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class Importer:
    """One foreign format.

    Attributes:
        format: Name as in `--format`.
        rows: Record -> rows. Must not raise, whatever the record holds.
        recognise: Record -> by what it was recognised, or None.
        sources: Canonical column -> foreign field.
        hints: Canonical column -> what to switch on or export to get it.
        naive_is_utc: The tool documents that its times are UTC even where they don't say so.
        latest_wins: The same id may come several times (updates, overlapping export windows): the latest is kept.
    """

    format: str
    rows: Rows
    recognise: Recogniser
    sources: Mapping[str, str]
    hints: Mapping[str, str] = field(default_factory=dict)
    naive_is_utc: bool = False
    latest_wins: bool = False
