"""What an audit says: the values behind the terminal report, the JSON contract and the HTML page.

Field names are those of the JSON contract `undertow.audit/1` (docs/reference/json.md); absent is None, never NaN; times are
aware datetimes in UTC. Renderers read these and compute nothing of their own.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from undertow.records.cells import Coverage
from undertow.records.segment import Segment

Verdict = Literal["healthy", "quality_loss", "pareto_trap", "inconclusive"]
Cause = Literal["routing", "provider", "mix", "unknown"]
Basis = Literal["human", "exact", "anchored", "judge", "behaviour"]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Settings that change what an audit concludes; every one is in the report.

    Attributes:
        alpha: Probability of any false alarm over `horizon_days`, all monitors together. Half is for alarms, the rest for
            baseline bounds, levels and the ledger.
        margin: `monitors.margin`: largest accepted loss per cheap-served decision, in [0, 1].
        segment_margin: Largest accepted loss in a segment for the verdict `healthy`.
        min_share: Segments with at least this share of a tier's traffic must be shown inside `segment_margin`.
        horizon_days: Days over which `alpha` is spent.
        level: Confidence level of the intervals shown.
        baseline_until: End of the reference period, or None: chosen from the log.
        trust_judge: Let judge-only evidence raise alarms.
        review_usd: Cost of one review for the ledger; 0: they are paid for already.
        review_usd_minute: Cost of a reviewer's minute, likewise.
    """

    alpha: float = 0.05
    margin: float = 0.02
    segment_margin: float = 0.10
    min_share: float = 0.05
    horizon_days: int = 180
    level: float = 0.95
    baseline_until: datetime | None = None
    trust_judge: bool = False
    review_usd: float = 0.0
    review_usd_minute: float = 0.0


@dataclass(frozen=True, slots=True)
class SignalEstimate:
    """Mean quality (1 is best) by one signal with its anytime-valid interval; `mean` None where nothing is defined."""

    n: int
    mean: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """All tiers together: what a plain dashboard shows."""

    decisions: int
    cost_usd: float | None
    signals: dict[str, SignalEstimate]


@dataclass(frozen=True, slots=True)
class LatencyEstimate:
    """How long answers took, in milliseconds: number of decisions, median and 95th percentile (None where there are none)."""

    n: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class TierLatency:
    """Latency of what one tier served: after a cheaper answer had been withheld, and at once.

    Attributes:
        escalated: A cheaper answer was waited for first.
        direct: None was, for any other reason than those of `skipped`.
        skipped: None was, since it was predicted hopeless; None where the tier served no such request.
    """

    escalated: LatencyEstimate
    direct: LatencyEstimate
    skipped: LatencyEstimate | None = None

    @property
    def ways(self) -> tuple[tuple[str, LatencyEstimate], ...]:
        """What there is to show, in the words for it: ways on which at least one request came."""
        every = (("escalated", self.escalated), ("direct", self.direct), ("skipped", self.skipped))
        return tuple((way, found) for way, found in every if found is not None and found.n)

    @property
    def is_compared(self) -> bool:
        """Whether some request came on another way than at once."""
        return self.escalated.n > 0 or self.skipped is not None


@dataclass(frozen=True, slots=True)
class TierReport:
    """One tier."""

    tier: str
    decisions: int
    share: float
    cost_usd: float | None
    baseline_cost_usd: float | None
    signals: dict[str, SignalEstimate]
    models: tuple[str, ...] = ()
    latency_ms: TierLatency | None = None
    """None where nothing was escalated or skipped, or the log does not say that or how long requests took."""


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """Loss of one tier in one segment against the reference; `state` in words for people."""

    tier: str
    segment: Segment
    share: float
    signal: str
    n: int
    loss: float | None
    interval: Interval | None
    quality: float | None = None
    reference_quality: float | None = None
    reference_n: int | None = None
    state: Literal["inside", "beyond", "open", "suspect", "no_data"] = "open"
    """inside: shown below the margin; beyond: shown above it; open: neither; suspect: the labels look broken."""


@dataclass(frozen=True, slots=True)
class SegmentPart:
    """What happened inside one segment, as a part of the tier's rise of failures."""

    segment: Segment | None
    """None: all segments with few labels."""
    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class LossParts:
    """A tier's rise of failures since the onset, divided: `mix + within = change`.

    Attributes:
        change: Rate of failures since the onset minus the rate before it.
        mix: Part made by traffic that moved between segments.
        mix_interval: Its interval.
        within: Part that happened inside segments.
        within_interval: Its interval.
        key: Key of those segments.
        segments: The largest parts of `within`.
    """

    change: float
    mix: float
    mix_interval: Interval
    within: float
    within_interval: Interval
    key: str
    segments: tuple[SegmentPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm or warning. All fields are as known at `detected_at`, except `latest_*` (the whole log)."""

    monitor: str
    signal: str
    tier: str
    segment: Segment
    cause: Cause
    basis: Basis
    detected_at: datetime
    onset: datetime | None
    onset_interval: tuple[datetime, datetime] | None
    loss: float | None
    interval: Interval | None
    evidence: float | None
    """log10 of the summed e-detector when it crossed the line; None for drift, which is no e-process."""
    kind: Literal["level", "change", "drift"] = "change"
    """level: against the reference plus the margin; change: against the tier's own earlier period."""
    beyond_margin: bool | None = None
    latest_loss: float | None = None
    latest_interval: Interval | None = None
    note: str = ""
    changed_nearby: tuple[str, ...] = ()
    """What else changed near the onset: model, policy, prompt versions."""
    parts: LossParts | None = None
    """How much of the rise is traffic that moved, and where the rest lies; of the whole tier, by all data."""
    incidents: tuple[str, ...] = ()
    """Days near the onset on which an upstream failed unusually often, in words."""
    story: str = ""
    """Since when, and what changed then, as a person would say it; empty where there is no onset."""


@dataclass(frozen=True, slots=True)
class AnchoredReport:
    """Loss of a tier in a segment on pairs: people's verdicts, narrowed by those of a judge on many more pairs.

    Attributes:
        tier, segment: Where.
        signal, judge: Whose verdicts count, and whose narrow them.
        loss: Mean paired loss, positive is bad.
        interval: Its anytime-valid interval.
        human_interval: The interval of the same labels without the judge.
        judge_loss: What the judge alone would say, biased as it is.
        labelled, judged: Pairs with people's verdicts; pairs that the judge compared.
        worth: How many times as many labels would have been needed without the judge.
    """

    tier: str
    segment: Segment
    signal: str
    judge: str
    loss: float
    interval: Interval
    human_interval: Interval
    judge_loss: float
    labelled: int
    judged: int
    worth: float


@dataclass(frozen=True, slots=True)
class SliceReport:
    """Where a tier loses: requests that the search after an alarm found, and that other labels than those it was found by bear out.

    Attributes:
        tier, signal: Whose failures, by what.
        segments: Labels of the log that the slice is a conjunction of.
        topics: Topics of the texts that it is a conjunction of, by name.
        words: Words that set its texts apart.
        examples: Typical texts of failures in it, redacted as the store's setting says; only where the log keeps text. Untrusted.
        share, share_before: Estimated share of the tier's requests, since `since` and before (None: no labels then).
        failures, interval: Failure rate in it since then.
        failures_before: The same before.
        rest, rest_interval: Failure rate of the rest of the tier since then.
        part_of_failures, part_before: Part of the tier's failures that falls into it.
        n: Labels in it since then.
        evidence: log10 of the e-value that confirms it.
        contrast: `before`: its part of the failures grew; `rest`: it fails more often than the rest of the tier.
        since: Onset of the alarm that the search followed.
    """

    tier: str
    signal: str
    segments: tuple[Segment, ...]
    topics: tuple[str, ...]
    words: tuple[str, ...]
    examples: tuple[str, ...]
    share: float
    share_before: float | None
    failures: float | None
    interval: Interval | None
    failures_before: float | None
    rest: float | None
    rest_interval: Interval | None
    part_of_failures: float
    part_before: float | None
    n: int
    evidence: float
    contrast: Literal["before", "rest"]
    since: datetime


@dataclass(frozen=True, slots=True)
class LedgerItem:
    """One line of the ledger, USD per month: what is saved for `savings`, what it costs for the other kinds.

    `wasted` (answers thrown away) and `checking` (calls that decided which answer to serve) are inside the savings, which have them
    taken off already: they belong to no sum. Nor does `skipped` (cheap answers that were not asked for), of which the savings hold the gain
    already: it is an amount saved, not a cost. `causal`: from the randomised holdout.
    """

    name: str
    kind: Literal["savings", "watching", "downstream", "wasted", "checking", "skipped"]
    tier: str | None
    usd_month: float
    interval: Interval | None
    causal: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Net value = savings - watching - downstream, each positive as its name says, USD per month of 30.4375 days.

    None: not known from this log. Negative downstream cost means that routing did good.
    """

    savings_usd_month: float | None
    watching_usd_month: float | None
    downstream_usd_month: float | None
    net_usd_month: float | None
    interval: Interval | None
    items: tuple[LedgerItem, ...] = ()
    since: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReferenceReport:
    """What the tiers are compared with and how far it can be trusted."""

    kind: Literal["holdout", "pairs", "pre_routing", "own_first_period", "none"]
    causal: bool
    note: str


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """One point of a time series: start of its period, mean, interval, sample size."""

    at: datetime
    mean: float | None
    interval: Interval | None
    n: float


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart. `tier` None is the aggregate over tiers."""

    name: str
    tier: str | None
    segment: Segment
    signal: str | None
    points: tuple[SeriesPoint, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Distribution of routing confidence (or score) in the baseline and now, as shares per bin; edges has one more entry."""

    column: str
    edges: tuple[float, ...]
    baseline: tuple[float, ...]
    now: tuple[float, ...]
    baseline_period: tuple[datetime, datetime]
    now_period: tuple[datetime, datetime]
    psi: float | None = None
    wasserstein: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A model, policy or prompt version that began to serve: a mark on the time axis of the charts.

    Attributes:
        at: Start of the bucket in which the new value first held a real share of the tier's traffic.
        kind: One of `CHANGE_KINDS` (records/cells.py).
        tier: The tier concerned, or None: all of them.
        value: What it became.
        before: What it was, or empty.
    """

    at: datetime
    kind: str
    tier: str | None
    value: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The whole audit."""

    verdict: Verdict
    headline: str
    """One sentence, verdict first, for people."""
    period: tuple[datetime, datetime]
    settings: AuditSettings
    reference: ReferenceReport
    coverage: Coverage
    aggregate: Aggregate
    tiers: tuple[TierReport, ...]
    alarms: tuple[Alarm, ...]
    warnings: tuple[Alarm, ...]
    segments: tuple[SegmentReport, ...]
    ledger: Ledger
    next: tuple[str, ...]
    quality_series: tuple[Series, ...] = ()
    """Quality per tier over time, the aggregate first, the alarmed segments last."""
    share_series: tuple[Series, ...] = ()
    """Routing share per tier over time."""
    evidence_series: tuple[Series, ...] = ()
    """log10 of the summed e-detector over time; `mean` holds it."""
    alarm_line: float = 0.0
    """log10 of the evidence at which an alarm is raised."""
    confidence: Histogram | None = None
    reasons: tuple[str, ...] = ()
    """Why this verdict, one sentence each."""
    suspects: tuple[SegmentReport, ...] = field(default_factory=tuple)
    """Segments whose labels look broken (a grader fault), kept out of the comparison."""
    main_signal: str | None = None
    """The signal that the charts and the verdict rest on."""
    anchored: tuple[AnchoredReport, ...] = ()
    """Losses on pairs, people's verdicts narrowed by a judge's; whole tiers first."""
    slices: tuple[SliceReport, ...] = ()
    """Where the tiers lose, by the search that follows an alarm; strongest evidence first."""
    changes: tuple[Change, ...] = ()
    """Dated changes of model, policy or prompt, in order of time."""
    whole: tuple[SegmentReport, ...] = ()
    """Loss of each cheaper tier as a whole."""
