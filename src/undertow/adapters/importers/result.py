"""What goes into an import and what comes out of it: options, detection, result and explanation. Values only.

The command line renders these; nothing here reads a file or draws a table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from undertow.adapters.importers.mapping import MappingFile

TierSource = Literal["logged", "mapped", "inferred"]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user said about a foreign log.

    Attributes:
        timezone: IANA name (`Europe/Berlin`), `UTC` or an offset (`+02:00`) for times that name no zone; None: such rows are
            set aside, except in formats whose tool documents UTC.
        tier_models: Tier name -> patterns (fnmatch, case ignored) of model, deployment, router-tier or variant names.
        mapping: The mapping file of `--map`, for plain tables and for the scale and kind of scores in any format.
        max_record_bytes: A longer record is set aside unread.
        max_document_bytes: A JSON file that is one object (and no array or lines) must fit in memory; this is the limit.
    """

    timezone: str | None = None
    tier_models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mapping: MappingFile | None = None
    max_record_bytes: int = 64 * 1024 * 1024
    max_document_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Detection:
    """Which format a file is in, and by what it was recognised."""

    format: str
    why: str


@dataclass(frozen=True, slots=True)
class ExplainedColumn:
    """One canonical column: where it comes from and how much of it is there.

    Attributes:
        column: Canonical column.
        source: The foreign field or rule that fills it.
        share: Share of the imported rows in which it is not null, in [0, 1].
        note: What to know about it, or empty.
    """

    column: str
    source: str
    share: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class MissingColumn:
    """A canonical column that holds nothing, and what would fill it."""

    column: str
    hint: str


@dataclass(frozen=True, slots=True)
class TierModel:
    """One model of a tier as the log has it.

    Attributes:
        tier: Tier it was put in, or None: no price and no name to go by.
        model: Model name as logged.
        rows: Decisions that it served.
        price_usd_per_mtok: Price per million tokens, blended at the log's own ratio of input to output tokens; None: unknown.
        price_source: `list` (genai-prices), `log` (cost per token in the log) or empty.
        rule: Why it is in that tier.
    """

    tier: str | None
    model: str
    rows: int
    price_usd_per_mtok: float | None
    price_source: str
    rule: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which field became which column, what is missing, and how models became tiers."""

    format: str
    columns: tuple[ExplainedColumn, ...]
    missing: tuple[MissingColumn, ...]
    tiers: tuple[TierModel, ...]
    signals: Mapping[str, int] = field(default_factory=dict)
    """Number of signals by `kind.name`."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Canonical files that an import wrote, and everything that a reader should know about them.

    `read` counts foreign records (spans, observations, table rows). `reasons` counts every record that was not used as given.
    """

    decisions: Path
    signals: Path | None
    draws: Path | None
    read: int
    reasons: Mapping[str, int]
    notes: tuple[str, ...]
    explanation: Explanation
    tier_source: TierSource
    tier_order: tuple[str, ...] | None
    segment_keys: tuple[str, ...]
    rows: int = 0
    signal_rows: int = 0
