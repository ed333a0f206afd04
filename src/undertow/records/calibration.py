"""A calibration: how a cheap answer's evidence becomes a confidence, where the threshold lies, and what was certified of it.

`undertow calibrate` fits it (`undertow.calibration`), `undertow.policies.calibrated` applies it in plain Python, and the file
that holds it is readable JSON with a hash (`undertow.records.sealed`). The same numbers go the same way in both:

    features -> score (linear) -> u (link) -> confidence (the group's map) -> served if >= the group's threshold

One calibration is of one cheap tier against the capable one. Its groups divide the requests: by the values of one label
(`group_key`), and one more for all other requests, whose `value` is None.
"""

from typing import Literal

import msgspec

SCHEMA = "undertow.calibration/1"

Link = Literal["log_probability", "probability", "logit"]
"""What a score is: the log of a probability, a probability, or a number on the scale of log-odds."""


class FeatureWeight(msgspec.Struct, frozen=True, kw_only=True):
    """The part of one feature in the score: `weight * (x - center) / scale`, or `missing_weight` where it was not measured.

    Attributes:
        name: As in `undertow.policies.evidence`; `constant` is 1 for every answer.
        link: x is the log-odds of the probability that this link makes of the feature (kept within 1e-6 of 0 and 1); None: x is
            the feature itself.
        weight: Of the standardised value.
        center: Mean where it was fitted.
        scale: Standard deviation where it was fitted, above 0.
        missing_weight: What a missing value adds to the score; None: it was never missing where this was fitted, so an answer
            without it has no confidence.
        within: Value of the calibration's `group_key` that this part is for; it adds 0 to the score of all other requests. None: for all.
    """

    name: str
    link: Link | None = None
    weight: float = 1.0
    center: float = 0.0
    scale: float = 1.0
    missing_weight: float | None = None
    within: str | None = None


class ConfidenceMap(msgspec.Struct, frozen=True, kw_only=True):
    """A rising map from a score to a confidence in [0, 1].

    With p the probability and u the log-odds that the link makes of the score (p within 1e-6 of 0 and 1 at the most):

    - `platt`: logit(confidence) = intercept + slope * u, slope > 0.
    - `beta`: logit(confidence) = intercept + slope * log(p) - slope_above * log(1 - p), both slopes >= 0, one of them > 0.
    - `spline`, `isotonic`: linear between the knots (xs: scores, rising; ys: confidences, not falling), constant beyond them. They differ in
      how they are fitted.

    Attributes:
        method: Which of them.
        intercept, slope, slope_above: As above.
        xs, ys: Knots.
    """

    method: Literal["platt", "beta", "spline", "isotonic"]
    intercept: float = 0.0
    slope: float = 1.0
    slope_above: float = 0.0
    xs: tuple[float, ...] = ()
    ys: tuple[float, ...] = ()


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a threshold: with probability at least 1 - delta over the labels, P(served cheaply and failing where the
    capable tier would not have) is at most the margin, for requests like those that were labelled.

    Attributes:
        margin: The largest accepted marginal loss.
        delta: Error probability.
        method: `clopper_pearson` (labels of one weight) or `betting` (labels with unequal inclusion probabilities).
        labels: That it rests on.
        losses: Labels that would have been served cheaply and failed.
        loss: Estimated marginal loss.
        upper: Upper bound of it at this threshold, at level 1 - delta.
        acceptance: Estimated share of requests that would be served cheaply.
        acceptance_interval: Its 95 % interval.
    """

    margin: float
    delta: float
    method: Literal["clopper_pearson", "betting"]
    labels: int
    losses: int
    loss: float
    upper: float
    acceptance: float
    acceptance_interval: tuple[float, float]


class Savings(msgspec.Struct, frozen=True, kw_only=True):
    """What a threshold is expected to save, in USD per request that is eligible, against the capable tier alone.

    Attributes:
        usd_per_request: Savings, the wasted cheap calls taken off.
        interval: Its 95 % interval.
        wasted_usd_per_request: Cost of cheap answers that are thrown away.
        share: Savings as a share of what the capable tier alone costs, or None where that is 0.
    """

    usd_per_request: float
    interval: tuple[float, float]
    wasted_usd_per_request: float
    share: float | None = None


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Labels of about the same confidence.

    Attributes:
        confidence: Their mean confidence.
        rate: Share of them whose cheap answer was as good.
        interval: 95 % interval of the rate (Clopper-Pearson on the effective number).
        labels: How many.
    """

    confidence: float
    rate: float
    interval: tuple[float, float]
    labels: int


class RiskPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold of the risk-coverage curve.

    Attributes:
        threshold: Confidence from which on answers are served.
        acceptance: Share that is.
        loss: Marginal loss: share of all requests that is served and fails.
        upper: Upper bound of the loss at level 1 - delta.
    """

    threshold: float
    acceptance: float
    loss: float
    upper: float


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How good a calibration is, on labels that it was not fitted on (cross-fitted).

    Attributes:
        ece: Expected calibration error: mean distance of confidence and rate over bins of equal mass, in [0, 1].
        ece_interval: Its 95 % interval (bootstrap).
        ece_floor: What a perfectly calibrated confidence would show with as many labels, by chance alone: an `ece` near it is as good as 0.
        raw_ece: The same of the uncalibrated probability; None where the score is no probability.
        auroc: Probability that a good answer has the higher score.
        auroc_interval: Its 95 % interval.
        brier: Mean squared error of the confidence.
        reliability: Bins of equal mass, rising.
        risk_coverage: From strict to permissive.
    """

    ece: float
    ece_interval: tuple[float, float]
    ece_floor: float
    raw_ece: float | None
    auroc: float
    auroc_interval: tuple[float, float]
    brier: float
    reliability: tuple[ReliabilityBin, ...] = ()
    risk_coverage: tuple[RiskPoint, ...] = ()


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Requests with a map and a threshold of their own.

    Attributes:
        value: Of the label `group_key`; None: all requests that no other group holds.
        labels: Labels of its own.
        good: Labels whose cheap answer was as good.
        map: Score to confidence.
        threshold: Served cheaply at or above this confidence; None: none qualifies, so the capable tier answers.
        certificate: Of the threshold; None where there is none.
        savings: Expected; None where no costs are known.
        quality: Of its confidence; None where there are too few labels to say.
        note: Why there is no threshold, and how many more labels it would take.
    """

    value: str | None = None
    labels: int = 0
    good: int = 0
    map: ConfidenceMap
    threshold: float | None = None
    certificate: Certificate | None = None
    savings: Savings | None = None
    quality: Quality | None = None
    note: str = ""


class Prefix(msgspec.Struct, frozen=True, kw_only=True):
    """The same for the first tokens of an answer: streaming mode `commit`.

    The loss of committing early is part of the same margin: a prefix is committed only at a confidence at which the whole answer
    was (with the certificate's probability) as safe. Groups are those of the calibration, by value.

    Attributes:
        tokens: How many tokens are looked at.
        features: Of the prefix.
        intercept: Of its score.
        link: What its score is.
        groups: Map, threshold and certificate of each group.
    """

    tokens: int
    features: tuple[FeatureWeight, ...]
    intercept: float = 0.0
    link: Link = "log_probability"
    groups: tuple[Group, ...] = ()


class ScoreDistribution(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of all requests of the period that was fitted on, weighted by inclusion: what drift is measured against.

    Attributes:
        edges: Ten equal shares: 11 scores from the lowest to the highest. Empty where the scores are constant.
        mean: Their mean.
        sd: Their standard deviation.
        n: How many.
        seen_words: Base64 of a bit map of 32,768 bits: hashed words and pairs (`undertow.policies.features`) that occurred in the texts; empty
            where no text was kept. Novelty of a request is the share of its features that are not in it.
        novelty: Ten equal shares of the novelty that texts of the period had when they were left out; empty likewise.
    """

    edges: tuple[float, ...]
    mean: float
    sd: float
    n: int
    seen_words: str = ""
    novelty: tuple[float, ...] = ()


class FittedOn(msgspec.Struct, frozen=True, kw_only=True):
    """What a calibration was fitted on.

    Attributes:
        source: Where its labels came from: `shadow.quality`, `review, judge`.
        labels: How many.
        good: How many of them say that the cheap answer was as good.
        effective: Kish's effective number of labels: less than `labels` where inclusion probabilities differ.
        from_at, to_at: Event times of the first and last labelled decision, RFC 3339; None where unknown.
    """

    source: str
    labels: int
    good: int
    effective: float
    from_at: str | None = None
    to_at: str | None = None


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a calibration artefact.

    Attributes:
        schema: Version of the file.
        tier: Whose answers are judged.
        model: Model that this tier asks for; a plan whose tier asks for another is refused.
        served_models: Names under which answers came (`model` of the answers); an answer under another name has no confidence. Empty:
            unknown, so not looked at.
        capable_tier: What it is as good as.
        fitted_at: RFC 3339.
        fitted_on: Labels.
        margin, delta: Of all thresholds.
        features: Parts of the score.
        intercept: Of the score.
        link: What the score is.
        group_key: Label by whose values requests are divided; None: one group.
        groups: At least one; exactly one of them with `value` None.
        threshold_scope: `group`: each group's threshold keeps that group's loss within the margin; `shared`: one threshold for all keeps the
            loss of all together within it, and a group's own loss may lie above.
        certificate: Scope `shared`: of all groups together.
        distribution: Of the scores.
        prefix: For streaming mode `commit`, or None.
        monitors_margin: `margin` / certified acceptance over all groups: what a level monitor tests the served against; None where
            nothing was certified.
        seed: Of everything random.
        notes: Sentences for the reader.
    """

    schema: str = SCHEMA
    tier: str
    model: str | None = None
    served_models: tuple[str, ...] = ()
    capable_tier: str
    fitted_at: str
    fitted_on: FittedOn
    margin: float
    delta: float
    features: tuple[FeatureWeight, ...]
    intercept: float = 0.0
    link: Link = "log_probability"
    group_key: str | None = None
    groups: tuple[Group, ...]
    threshold_scope: Literal["group", "shared"] = "group"
    certificate: Certificate | None = None
    distribution: ScoreDistribution
    prefix: Prefix | None = None
    monitors_margin: float | None = None
    seed: int = 1
    notes: tuple[str, ...] = ()


class GroupState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has become of a group's threshold since it was fitted.

    Attributes:
        value: Of the label, as in `Group`.
        threshold: In force now; None: nothing is served cheaply.
        is_void: Its certificate is void (an alarm, a rollback): a strict policy serves nothing cheaply then.
        certified: Labels since the calibration certified it although it lies below the calibration's own.
        commits: They were of answers that may be served from their first tokens on. What is safe so is safe for whole answers too, and not
            the other way round.
        why: In a few words.
    """

    value: str | None = None
    threshold: float | None = None
    is_void: bool = False
    certified: bool = False
    commits: bool = False
    why: str = ""


class PolicyState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Thresholds of one policy that were tuned, or whose certificate was voided, since they were fitted.

    Attributes:
        calibration_version: Hash of the artefact that this is about; another artefact makes it meaningless, so it is ignored.
        version: Counts up with every change.
        groups: Only those that differ from the artefact.
    """

    calibration_version: str
    version: int
    groups: tuple[GroupState, ...] = ()


class ThresholdStates(msgspec.Struct, frozen=True, kw_only=True):
    """The file `state/thresholds.json` of a store, which one writer replaces and every worker reads.

    Attributes:
        schema: Version of this document.
        at: When it was written, RFC 3339.
        policies: By policy name, then by the tier that is judged.
    """

    schema: str = "undertow.thresholds/1"
    at: str
    policies: dict[str, dict[str, PolicyState]] = {}
