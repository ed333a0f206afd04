"""Sufficient statistics: all that crosses from an engine (DuckDB here, Spark or ClickHouse elsewhere) into the core.

Every table is columnar: a frozen dataclass of equally long one-dimensional NumPy arrays, one row a cell, plus the
vocabularies that its codes point into (`AuditCells`). All sums add, so cells of two partitions, days or machines may be
concatenated, or merged with `merge_cells`, in any order. Decision rows never cross.

Codes: `tier`, `segment`, `signal`, `model` point into the vocabularies of `AuditCells`; -1 means null.
Buckets: whole numbers of `bucket_s` seconds since 1970-01-01 UTC (days by default).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt

from undertow.records.label_rows import LabelRows, no_label_rows
from undertow.records.segment import Segment

if TYPE_CHECKING:
    from undertow.records.money import MoneyCells

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

ARM_TREATMENT, ARM_HOLDOUT, ARM_UNKNOWN = 0, 1, -1
NO, YES, UNKNOWN = 0, 1, -1
SELECTION_CODES: tuple[str, ...] = ("census", "sampled", "volunteered", "unknown")
BASIS_CODES: tuple[Literal["human", "exact", "judge", "behaviour"], ...] = ("human", "exact", "judge", "behaviour")
"""Who vouches for a label: a person, a check with a right answer, a model, or what the user did next."""

USER_BUCKETS = 1024
"""Users are hashed into this many clusters; sums over a cluster cross, users do not."""

CONFIDENCE_BINS = 40
"""Confidence and score histograms have this many equal bins over [0, 1] (scores: over their own range)."""


@dataclass(frozen=True, slots=True)
class Table:
    """A columnar table of cells: equally long one-dimensional arrays. Base of the tables below."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, mask: npt.NDArray[np.bool_] | IntArray) -> Self:
        """The cells at `mask` (boolean mask or positions), as a table of the same kind."""
        return type(self)(**{f.name: getattr(self, f.name)[mask] for f in fields(self)})

    def concat(self, other: Self) -> Self:
        """Cells of both tables, in order. Sums add, so nothing else is needed to merge two partitions."""
        return type(self)(
            **{f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)}
        )


AnyTable = TypeVar("AnyTable", bound=Table)


def no_cells(kind: type[AnyTable]) -> AnyTable:
    """A table of this kind without a cell: what a log has that does not say what the table is of."""
    empty: dict[str, Any] = {
        f.name: np.zeros(0, dtype=np.int64 if f.type == IntArray else np.float64) for f in fields(kind)
    }
    return kind(**empty)


@dataclass(frozen=True, slots=True)
class TrafficCells(Table):
    """Live decisions per bucket, served tier, segment, arm and eligibility.

    Segment 0 is the whole tier, so each decision is counted once there and once per `key=value` that it bears.
    `tier` -1: nothing was served.
    """

    bucket: IntArray
    tier: IntArray
    segment: IntArray
    arm: IntArray
    eligible: IntArray
    decisions: IntArray
    escalated: IntArray
    errors: IntArray
    """Decisions with status error or refused, or with no tier."""
    cost_n: IntArray
    """Decisions whose `cost_usd` is known."""
    cost_usd: FloatArray
    paired_cost_n: IntArray
    """Decisions for which both `cost_usd` and `baseline_cost_usd` are known: savings are computed on these."""
    paired_cost_usd: FloatArray
    baseline_cost_usd: FloatArray
    """Sum over the decisions counted in `paired_cost_n`."""
    saved_sq: FloatArray
    """Sum of squares of (baseline_cost_usd - cost_usd) over the same."""
    input_tokens: FloatArray
    output_tokens: FloatArray
    latency_ms: FloatArray
    latency_n: IntArray


@dataclass(frozen=True, slots=True)
class ConfidenceCells(Table):
    """Histogram of routing confidence (or of the raw score where there is no confidence) per bucket, tier and segment.

    All live decisions that carry one, whatever tier served them in the end (`first_tier`-independent): the distribution
    that the policy saw. `segment` as in `TrafficCells`; `tier` is the served tier.
    """

    bucket: IntArray
    tier: IntArray
    segment: IntArray
    bin: IntArray
    """0 .. CONFIDENCE_BINS - 1; bin i covers [i, i + 1) / CONFIDENCE_BINS of the range, the last one closed."""
    n: IntArray
    total: FloatArray
    total_sq: FloatArray


@dataclass(frozen=True, slots=True)
class BehaviourCells(Table):
    """How live decisions went, per bucket, served tier and segment: what drifts before quality is known to.

    Each quantity has the number of decisions of which the log says it, and its sum over those; a column that the log lacks is 0 in both.
    Refusals and hedging are of the answer that was held and judged, whichever tier served in the end (`features` of the record).
    """

    bucket: IntArray
    tier: IntArray
    segment: IntArray
    decisions: IntArray
    escalation_n: IntArray
    escalated: IntArray
    output_n: IntArray
    output_tokens: FloatArray
    refusal_n: IntArray
    refusals: FloatArray
    hedging_n: IntArray
    hedging: FloatArray
    novelty_n: IntArray
    novelty: FloatArray
    score_n: IntArray
    score: FloatArray


@dataclass(frozen=True, slots=True)
class BinCells(Table):
    """Histogram of one quantity per bucket, served tier and segment: novelty (`NOVELTY_BINS`), or the score by an artefact's ten shares."""

    bucket: IntArray
    tier: IntArray
    segment: IntArray
    bin: IntArray
    n: IntArray


NOVELTY_BINS = 40
"""Bin i of a novelty v covers [i, i + 1) / NOVELTY_BINS of v / (1 + v): novelty has no upper end, and its tail is what matters."""


@dataclass(frozen=True, slots=True)
class ModelCells(Table):
    """Live decisions per bucket, tier and (model, fingerprint), and per policy and prompt version: what changed when.

    `kind` points into `CHANGE_KINDS`, `value` into `AuditCells.change_values`.
    """

    bucket: IntArray
    tier: IntArray
    kind: IntArray
    value: IntArray
    decisions: IntArray


CHANGE_KINDS: tuple[str, ...] = (
    "model",
    "model_fingerprint",
    "policy",
    "policy_version",
    "calibration_version",
    "prompt_hash",
)


@dataclass(frozen=True, slots=True)
class LabelCells(Table):
    """Quality signals joined to live decisions, summed.

    A *failure* is `1 - value`, in [0, 1]. `weight` is 1 / inclusion_probability (1 for a census, volunteered or unknown).
    Strata are those that the signals name (the long tail first), else classes of (nearly) equal inclusion probability inside one
    signal; `stratum` counts from 0 = most heavily sampled; `weight_max` is the largest weight in the cell, which the weighted betting bounds need.

    `available` is the bucket in which the system had the label (the later of event_time and received_at, and never before
    its decision): what monitors use. `decided` is the bucket of the decision: what onset and mix use.
    Segment 0 is the whole tier; a label counts once there and once per `key=value` of its decision.
    A signal on a conversation or user counts once for each tier that served it, divided as `share` sums say in `n`.
    """

    available: IntArray
    decided: IntArray
    tier: IntArray
    segment: IntArray
    arm: IntArray
    eligible: IntArray
    signal: IntArray
    selection: IntArray
    basis: IntArray
    stratum: IntArray
    steered: IntArray
    """Segment to which steering alone drew these labels; 0: they belong to the plain sample; -1: a segment that is not counted.
    Steered labels describe no other segment, and not the tier, unless they are weighted."""
    n: FloatArray
    failures: FloatArray
    failures_sq: FloatArray
    weight: FloatArray
    """Sum of w = 1/p."""
    weight_sq: FloatArray
    weighted_failures: FloatArray
    """Sum of w y, y the failure."""
    weighted_failures_sq: FloatArray
    """Sum of (w y)^2."""
    weight_weighted_failures: FloatArray
    """Sum of w^2 y: with the two squares above it gives the variance of the Hajek mean."""
    weight_max: FloatArray
    pairs: FloatArray
    """Labels that carry a reference_value. d = reference_value - value, the paired loss in [-1, 1]."""
    loss_up: FloatArray
    """Sum of max(d, 0): 1 for each pair that the cheap answer lost outright."""
    loss_down: FloatArray
    """Sum of max(-d, 0)."""
    loss_sq: FloatArray
    weighted_loss: FloatArray
    """Sum of v d, v = 1 / pair_probability: a pair stands for more than its label where second answers are drawn more seldom."""
    weighted_loss_sq: FloatArray
    """Sum of (v d)^2."""
    pair_weight: FloatArray
    """Sum of v over the pairs."""
    weighted_loss_up: FloatArray
    """Sum of v max(d, 0)."""
    pair_weight_max: FloatArray
    """Largest v in the cell, 0 without pairs."""


@dataclass(frozen=True, slots=True)
class AnchorCells(Table):
    """Pairs of answers that a judge compared, and what people said of the same pairs: what the judge is corrected by.

    A loss d = reference_value - value in [-1, 1] is told by its sign: outcome 0 stands for -1, 1 for 0, 2 for +1, and a loss
    between two of them counts in both, in proportion, so that its mean stays what it is.

    `available` is the bucket in which the system had both verdicts (the judge's alone where no person gave one).
    """

    available: IntArray
    decided: IntArray
    tier: IntArray
    segment: IntArray
    stratum: IntArray
    steered: IntArray
    judge: IntArray
    """The judge's signal."""
    human: IntArray
    """The people's signal; -1: nobody judged these pairs."""
    judge_outcome: IntArray
    human_outcome: IntArray
    """-1 where nobody judged them."""
    n: FloatArray
    weight: FloatArray
    """Sum of 1 / inclusion probability of the judged pair."""
    human_weight: FloatArray
    """Sum of 1 / probability with which people saw the pair, 0 where nobody judged them."""
    weight_max: FloatArray
    """Largest 1 / inclusion probability of a judged pair."""
    ratio_max: FloatArray
    """Largest 1 / (probability that people judge a pair that the judge did), 0 where nobody judged them."""


@dataclass(frozen=True, slots=True)
class CalibrationCells(Table):
    """Labels of cheap-served decisions by confidence bin: for the reliability of the logged confidence.

    Pairs count with y = min(1, max(0, d)) (cheap not as good), other labels with y = failure.
    """

    bucket: IntArray
    tier: IntArray
    signal: IntArray
    bin: IntArray
    n: FloatArray
    failures: FloatArray
    weight: FloatArray
    weighted_failures: FloatArray
    weighted_confidence: FloatArray
    weight_max: FloatArray
    """Largest weight in the cell."""


@dataclass(frozen=True, slots=True)
class OutcomeCells(Table):
    """Outcome events (kind `outcome`) by name, bucket of the *exposure* (the decision, or the first decision of the conversation
    or user inside the window), arm, served tier and user cluster. Non-events are in `ExposureCells`.
    """

    name: IntArray
    """Points into `AuditCells.outcome_names`."""
    bucket: IntArray
    available: IntArray
    arm: IntArray
    tier: IntArray
    cluster: IntArray
    """0 .. USER_BUCKETS - 1: hash of the user, else the conversation, else the decision."""
    events: FloatArray
    value: FloatArray


@dataclass(frozen=True, slots=True)
class ExposureCells(Table):
    """Live decisions by bucket, arm, served tier, eligibility and user cluster: the denominators of outcome rates."""

    bucket: IntArray
    arm: IntArray
    tier: IntArray
    eligible: IntArray
    cluster: IntArray
    decisions: IntArray


@dataclass(frozen=True, slots=True)
class CallCells(Table):
    """Upstream calls by bucket, tier of the call, purpose and fate: what watching, checking and thrown-away answers cost."""

    bucket: IntArray
    tier: IntArray
    purpose: IntArray
    """Points into `CALL_PURPOSES`."""
    fate: IntArray
    """Points into `CALL_FATES`."""
    calls: IntArray
    timeouts: IntArray
    """Calls among them that no answer came to in time; all of them have the fate `failed`."""
    cost_n: IntArray
    """Calls whose cost is known."""
    cost_usd: FloatArray
    output_tokens: FloatArray


CALL_PURPOSES: tuple[str, ...] = ("serve", "classify", "self_check", "race", "shadow", "judge", "other")

CALL_FATES: tuple[str, ...] = ("used", "discarded", "cancelled", "abandoned", "failed")
"""What became of a call: its answer was used; it was whole and not served; it was stopped since another tier answered; the
caller went away; it failed. A call without a status counts as used."""


@dataclass(frozen=True, slots=True)
class WatchingCells(Table):
    """Calls made to watch after the decisions' records were written, by bucket and purpose: their costs are in no decision's."""

    bucket: IntArray
    purpose: IntArray
    """Points into `CALL_PURPOSES`."""
    calls: IntArray
    """Calls that were made, failed ones included."""
    cost_n: IntArray
    """Calls whose cost is known."""
    cost_usd: FloatArray
    not_made: IntArray
    """Requests for which one was drawn and not made: the budget was spent, too many waited, the segment forbids it."""


@dataclass(frozen=True, slots=True)
class ReviewTimeCells(Table):
    """Votes of people by bucket, and the time that they took where it is known."""

    bucket: IntArray
    votes: IntArray
    timed: IntArray
    """Votes of which the time is known."""
    seconds: FloatArray


@dataclass(frozen=True, slots=True)
class LatencyCells(Table):
    """Histogram of the latency of live decisions that were answered, by served tier and by the way they came to it.

    Decisions of which the log does not say whether they were escalated are left out, unless they were skipped: they are neither. Empty
    where nothing was escalated or skipped, since there is nothing to compare then. No bucket of time: a tier's latency is that of
    the whole log.
    """

    tier: IntArray
    way: IntArray
    """Points into `LATENCY_WAYS`."""
    bin: IntArray
    """0 .. LATENCY_BINS - 1; bin i covers [i, i + 1) / LATENCY_BINS_PER_DECADE powers of ten of a millisecond, from
    LATENCY_FIRST_MS; what lies outside is in the first or the last one."""
    n: IntArray


LATENCY_WAYS: tuple[str, ...] = ("direct", "escalated", "skipped")
"""How a decision came to the tier that served it: at once; after a cheap answer had been withheld; at once, since the cheap answer was
predicted hopeless and not asked for."""

LATENCY_FIRST_MS = 0.1
LATENCY_BINS_PER_DECADE = 40
"""A bin is 5.9 % wide, so a quantile read off the histogram is within 3 % of the exact one."""
LATENCY_BINS = 8 * LATENCY_BINS_PER_DECADE
"""From a tenth of a millisecond to almost three hours."""


@dataclass(frozen=True, slots=True)
class SkippedCells(Table):
    """Live decisions whose cheap answer was predicted hopeless and not asked for, by bucket and served tier."""

    bucket: IntArray
    tier: IntArray
    decisions: IntArray


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was read, joined and set aside. `reasons` counts every row that was not used as given, by reason.

    `decisions` and `signals` count accepted, de-duplicated rows; `joined + unjoined == signals` (outcomes included);
    `duplicates` counts repeated ids of both files; `rejected` rows that were set aside.
    """

    decisions: int = 0
    signals: int = 0
    joined: int = 0
    unjoined: int = 0
    duplicates: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    missing_columns: tuple[str, ...] = ()
    """Canonical columns that the log lacks or that hold nothing but nulls."""
    notes: tuple[str, ...] = ()
    """Sentences for the reader: a file that grew, segment keys left out, tiers inferred from prices."""
    tier_source: Literal["logged", "mapped", "inferred"] = "logged"
    rejects_file: str | None = None


@dataclass(frozen=True, slots=True)
class AuditCells:
    """All sufficient statistics of one audit, with the vocabularies of their codes.

    Attributes:
        bucket_s: Seconds in a bucket: 86400 or 3600.
        tiers: Tier names in order of cost, cheapest first.
        segments: Segments by code; code 0 is `WHOLE`.
        signals: Signal names `kind.name` by code.
        first_event, last_event: UTC seconds since 1970 of the first and last live decision.
        last_available: UTC seconds of the last label or decision, whichever is later: how far the log has been seen.
    """

    bucket_s: int
    tiers: tuple[str, ...]
    segments: tuple[Segment, ...]
    signals: tuple[str, ...]
    outcome_names: tuple[str, ...]
    change_values: tuple[str, ...]
    first_event: float
    last_event: float
    last_available: float
    traffic: TrafficCells
    confidence: ConfidenceCells
    confidence_column: Literal["confidence", "score"] | None
    confidence_range: tuple[float, float]
    models: ModelCells
    labels: LabelCells
    calibration: CalibrationCells
    outcomes: OutcomeCells
    exposure: ExposureCells
    calls: CallCells
    coverage: Coverage
    latency: LatencyCells = field(default_factory=lambda: no_cells(LatencyCells))
    skipped: SkippedCells = field(default_factory=lambda: no_cells(SkippedCells))
    anchors: AnchorCells = field(default_factory=lambda: no_cells(AnchorCells))
    watching: WatchingCells = field(default_factory=lambda: no_cells(WatchingCells))
    review_time: ReviewTimeCells = field(default_factory=lambda: no_cells(ReviewTimeCells))
    money: "MoneyCells | None" = None
    """Costs and outcomes by month and place; None where they were not asked for."""
    behaviour: BehaviourCells = field(default_factory=lambda: no_cells(BehaviourCells))
    novelty: BinCells = field(default_factory=lambda: no_cells(BinCells))
    scores: BinCells = field(default_factory=lambda: no_cells(BinCells))
    """Scores by the ten shares of the calibration artefact that `CellOptions.score_edges` is of; empty without one."""
    rows: LabelRows = field(default_factory=no_label_rows)
    """Labels one by one, for finding where a tier loses; empty where the engine sends none."""
    strata: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """By signal code, the names of its strata (without what steering adds) in the order of their codes; signals that name none are not in it."""
    merged: Mapping[int, int] = field(default_factory=dict)
    """By signal code, the stratum in which all those are counted that were too many to be kept apart. Its labels are drawn at different
    rates, and what they are made of may move, so they enter weighted estimates only and are never tested as one stream."""
    topics: Mapping[int, int] = field(default_factory=dict)
    """Segment codes that are no labels of the log but topics of its texts, with the bucket from which each was known; see
    `undertow.services.topics`. They stand after all others."""
