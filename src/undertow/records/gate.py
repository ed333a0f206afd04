"""What `undertow check` compares and finds: a candidate against what is live, place by place."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from undertow.records.segment import Segment

FloatArray = npt.NDArray[np.float64]

GateMethod = Literal["replay", "off_policy", "none"]
"""`replay`: labelled answers of a tier, sorted anew by either policy. `off_policy`: labels of served answers, weighted by logged propensities.
`none`: nothing had to be compared, or nothing could be."""

PlaceState = Literal["loss", "hole", "pass"]
GateVerdict = Literal["loss", "hole", "pass"]

DifferenceKind = Literal["routing", "stricter", "answers", "unseen", "none"]
"""`routing`: which requests go where, and the log tells; `stricter`: fewer go below the capable tier, whatever they are; `answers`: another
model or other parameters, of which logged answers say nothing; `unseen`: what the log cannot answer for; `none`: decides nothing."""


@dataclass(frozen=True, slots=True)
class ChoiceRule:
    """How a policy chooses by what the log holds of every request, whichever tier answered it.

    Attributes:
        kind: `threshold`: the cheap tier where the logged confidence reaches `threshold`; `rules`: where a request bears one of
            `cheap_segments`; `share`: with the probability `share`, whatever is asked.
        threshold: In [0, 1].
        cheap_segments: `key=value` labels.
        share: In [0, 1]; 0 and 1 stand for a fixed tier.
        never_cheap: `key=value` labels of requests that only the capable tier answers.
        holdout: Share of the traffic that is held out, in [0, 1).
    """

    kind: Literal["threshold", "rules", "share"]
    threshold: float = 0.0
    cheap_segments: tuple[str, ...] = ()
    share: float = 0.0
    never_cheap: tuple[str, ...] = ()
    holdout: float = 0.0


@dataclass(frozen=True, slots=True)
class PlaceCounts:
    """Decisions of one place, whether labelled or not.

    Attributes:
        n: Eligible decisions with a known propensity.
        before, after: Of these, how many the two policies would serve cheaply, by expectation.
        changed: Of these, how many they serve differently.
        newly: Of these, how many the candidate serves cheaply, and the live policy does not, or less often.
        without_overlap: Of the changed ones, those that the logged policy would never have served as the candidate or the live policy would.
    """

    n: float
    before: float
    after: float
    changed: float
    newly: float
    without_overlap: float


@dataclass(frozen=True, slots=True, eq=False)
class OffPolicyLog:
    """A log with propensities, under two choices.

    Attributes:
        rows: Labelled requests.
        segments: Label map of each row.
        counts: By place: `key=value`, and empty for all.
        source: `kind.name` of the labels, or empty: none.
        unknown: Eligible decisions that were left out since their propensity or what either policy would do is not known.
        by_tier: Tier -> requests that its labels stand for, as a share of those it answered.
        saved_usd: What the candidate saves more on these decisions, or None: not known.
        period: First and last decision, RFC 3339, or None.
    """

    rows: "ComparedRows"
    segments: tuple[dict[str, str], ...]
    counts: dict[str, PlaceCounts]
    source: str
    unknown: int
    by_tier: dict[str, float]
    saved_usd: float | None
    period: tuple[str, str] | None


@dataclass(frozen=True, slots=True, eq=False)
class ComparedRows:
    """Labelled requests under both policies, as columns. A row is a draw that stands for `weight` requests.

    Attributes:
        low, high: What the candidate adds to the losses of this request, between these two; equal where the row has a label. Shape (n,).
        least, most: The smallest and the largest value that it could have had, whatever the label and whichever tier had answered. Shape (n,).
        cheap: Probability that the candidate serves it below the capable tier, in [0, 1]. Shape (n,).
        weight: Requests that it stands for, up to a common factor. Shape (n,).
        labelled: It has a label. Shape (n,).
    """

    low: FloatArray
    high: FloatArray
    least: FloatArray
    most: FloatArray
    cheap: FloatArray
    weight: FloatArray
    labelled: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """How many rows."""
        return len(self.weight)

    def where(self, chosen: npt.NDArray[np.bool_]) -> "ComparedRows":
        """Some of the rows."""
        return ComparedRows(
            self.low[chosen], self.high[chosen], self.least[chosen], self.most[chosen], self.cheap[chosen],
            self.weight[chosen], self.labelled[chosen],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class GatePlace:
    """What is known of one tier in one segment.

    Attributes:
        tier: Tier below the capable one.
        segment: Segment, or the whole tier.
        share: Of what the candidate serves by this tier, the share that is here, in [0, 1].
        cheap_before, cheap_after: Of the requests here, the share that the live policy and the candidate serve by this tier.
        labels: Labelled requests.
        changed: Of these, requests that the two policies serve differently.
        unlabelled: Of the requests that the candidate newly serves here, the share that no label could be of.
        loss: Estimate of what the candidate adds to the losses, per request that it serves by this tier, in [-1, 1]; None: not known.
        interval: Of that loss.
        margin: Loss that may not be exceeded: shown above it fails the gate.
        bar: The upper end must lie below it for a pass.
        state: What follows.
        is_watched: Large enough to decide; of a smaller one nothing is asked.
        labels_missing: About how many more labels would settle a hole; None: labels alone would not, or it is none.
        effective: Effective number of labels, after weights.
        why: A sentence.
    """

    tier: str
    segment: Segment
    share: float
    cheap_before: float
    cheap_after: float
    labels: int
    changed: int
    unlabelled: float
    loss: float | None
    interval: tuple[float, float] | None
    margin: float
    bar: float
    state: PlaceState
    is_watched: bool = True
    labels_missing: int | None = None
    effective: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs between the live policy and the candidate.

    Attributes:
        name: Dotted name of the setting.
        before, after: As they would be written.
        kind: What follows from it.
        why: Of one that the log cannot answer for: why, and what can.
        line: Of the candidate's file, from 1, or None.
    """

    name: str
    before: str
    after: str
    kind: DifferenceKind
    why: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class SuiteCheck:
    """What a suite says of the candidate.

    Attributes:
        suite: Its name.
        state: `loss`, `pass`, or `hole`: no run of the candidate, or one that shows nothing.
        cases: Cases that were asked.
        run_id: The run, or None.
        why: A sentence.
    """

    suite: str
    state: PlaceState
    cases: int
    run_id: str | None
    why: str


@dataclass(frozen=True, slots=True)
class GateReport:
    """The whole check.

    Attributes:
        verdict: What follows.
        headline: One sentence, verdict first.
        candidate: Name of the candidate's file, or what stands for it.
        differences: Between live and candidate.
        method: How places were compared.
        method_why: Why this one.
        source: Sort of labels.
        basis: `human`, `judge` or `none`.
        places: Whole tiers first, then segments, the worst first.
        suite: What the suite says, or None: none was asked.
        savings_usd_month: What the candidate saves more than the live policy, or None: not known.
        alpha: Probability that a candidate which adds no loss is failed, over all places and looks.
        level: Of the intervals' ends, each place by itself.
        period: First and last decision that counts, RFC 3339, or None.
        decisions: Decisions compared.
        notes: Sentences for the reader.
        next: What would settle what is open.
    """

    verdict: GateVerdict
    headline: str
    candidate: str
    differences: tuple[Difference, ...]
    method: GateMethod
    method_why: str
    source: str
    basis: Literal["human", "judge", "none"]
    places: tuple[GatePlace, ...]
    suite: SuiteCheck | None
    savings_usd_month: float | None
    alpha: float
    level: float
    period: tuple[str, str] | None
    decisions: int
    notes: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
