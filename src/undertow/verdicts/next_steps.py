"""What would settle an inconclusive audit, with counts: how many labels, where, and what to log."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from undertow.records.report import AuditSettings, Ledger, ReferenceReport, SegmentReport, Verdict
from undertow.stats.confidence import gaussian_mixture_radius

MAX_STEPS = 8

LONGEST_WAIT_DAYS = 365

MOST_LABELS = 1000
"""More than this many times the labels so far is no advice."""


@dataclass(frozen=True, slots=True)
class InHand:
    """What the log has already, so that nobody is asked for it.

    Attributes:
        holdout_decisions: Decisions in the holdout arm.
        holdout_labels: Labels of the main signal on eligible ones among them, since routing began.
        labels_needed: So many labels a holdout needs before it is compared with.
        labels_show_level: The main signal's labels are a census or a sample; volunteered ones show changes only.
        outcomes: Names of the outcomes among the signals.
        outcomes_joined: Some of them belong to decisions of this log.
        outcomes_priced: Names of those with a price.
    """

    holdout_decisions: int = 0
    holdout_labels: int = 0
    labels_needed: int = 50
    labels_show_level: bool = True
    outcomes: tuple[str, ...] = ()
    outcomes_joined: bool = False
    outcomes_priced: tuple[str, ...] = ()


def labels_needed(variance: float, n: int, loss: float, margin: float, level: float) -> int | None:
    """Labels in all after which an interval around `loss` would lie on one side of `margin`, if the loss stays what it is now.

    The interval's half-width shrinks as sqrt(1 / n) times the (slowly growing) radius of the confidence sequence.

    Returns:
        A number of labels above n, or None where the interval is clear of the margin already, or where the loss lies so
        near to the margin that no number worth naming would do.

    Examples:
        >>> labels_needed(variance=1e-4, n=500, loss=0.0, margin=0.02, level=0.95)
        1210
    """
    room = abs(margin - loss)
    if room == 0 or n <= 0 or variance <= 0:
        return None
    each = variance * n
    size = float(n)
    while size < MOST_LABELS * n:
        half = float(gaussian_mixture_radius(size, level)) * math.sqrt(each / size)
        if half <= room:
            return max(math.ceil(size / 10) * 10, n + 10) if size > n else None
        size *= 1.05
    return None


def next_steps(
    settings: AuditSettings,
    verdict: Verdict,
    reference: ReferenceReport,
    tiers: Sequence[tuple[SegmentReport, float]],
    segments: Sequence[tuple[SegmentReport, float]],
    ledger: Ledger,
    labels_per_day: float,
    missing: Sequence[str],
    level: float,
    suspects: Sequence[SegmentReport] = (),
    in_hand: InHand = InHand(),
) -> tuple[str, ...]:
    """Sentences that say what to do, most useful first.

    Args:
        settings: Margins.
        verdict: The verdict.
        reference: What was compared with.
        tiers: Loss of each cheaper tier with the variance of its estimate.
        segments: The same per segment.
        ledger: The ledger.
        labels_per_day: Labels that the log's main signal brings a day, both sides.
        missing: Canonical columns that the log lacks.
        level: Level of the intervals.
        suspects: Segments whose labels look broken.
        in_hand: What the log has already.
    """
    steps: list[str] = [_check_grading(report) for report in suspects[:3]]
    if verdict in {"quality_loss", "pareto_trap"}:
        steps.append(
            "Send the alarmed segments back to the capable tier (constraints.never_cheap) and keep a holdout, so that the "
            "recovery can be shown."
        )
    if reference.kind in {"own_first_period", "none"}:
        steps.append(_reference(in_hand))
    unsettled = verdict == "inconclusive"
    for report, variance in tiers if unsettled else ():
        if report.state == "open" and report.loss is not None:
            need = labels_needed(variance, report.n, report.loss, settings.margin, level)
            if need is not None:
                steps.append(_more_labels(f"the {report.tier} tier", need - report.n, report.n, labels_per_day))
        elif report.interval is None:
            steps.append(_first_labels(report.tier, reference))
    for report, variance in segments if unsettled else ():
        if report.share < settings.min_share or report.state != "open" or len(steps) >= MAX_STEPS:
            continue
        if report.loss is None:
            steps.append(f"Label decisions in {report.segment}: {report.n} so far, with no reference to compare with.")
            continue
        need = labels_needed(variance, report.n, report.loss, settings.segment_margin, level)
        if need is not None:
            daily = labels_per_day * report.share
            steps.append(_more_labels(f"{report.tier} in {report.segment}", need - report.n, report.n, daily))
    if ledger.downstream_usd_month is None:
        steps.append(_outcomes(in_hand, ledger))
    if ledger.savings_usd_month is None:
        steps.append("Log cost_usd and baseline_cost_usd (or tokens and models): savings are unknown without.")
    if "segment" in missing:
        steps.append("Log segments (intent, product, language): a loss in a tenth of the traffic hides in the whole.")
    return tuple(dict.fromkeys(steps))[:MAX_STEPS]


def _first_labels(tier: str, reference: ReferenceReport) -> str:
    if reference.kind == "own_first_period":
        return f"Go on labelling decisions of the {tier} tier: it has no labels yet after its first period, its only reference."
    return f"Label decisions of the {tier} tier and of its reference: there are none to compare."


def _reference(in_hand: InHand) -> str:
    if in_hand.holdout_decisions == 0:
        return (
            "Keep a randomised holdout: 5 % of users on the capable tier, logged as arm = holdout. Or label pairs, or pass "
            "labels from before routing began (--baseline-until)."
        )
    have, needed = in_hand.holdout_labels, in_hand.labels_needed
    if have < needed:
        found = f"{have} label{'' if have == 1 else 's'}" if have else "no labels yet"
        return f"Label decisions of the holdout at the rate of the others: it has {found}; {needed} are needed to compare with it."
    assert not in_hand.labels_show_level, "a holdout with labels enough, drawn or complete, is the reference"
    return (
        f"Draw decisions of both arms at random for review, with their inclusion probability: the holdout has {have:,} labels, "
        "but who bothers to vote is not who was served."
    )


def _outcomes(in_hand: InHand, ledger: Ledger) -> str:
    names = ", ".join(in_hand.outcomes)
    if not in_hand.outcomes:
        return (
            "Pass business outcomes (--outcomes FILE) and price them in [outcomes.NAME]: net value is unknown without."
        )
    if not in_hand.outcomes_joined:
        return f"Check the ids of the outcomes ({names}): none belongs to a decision, user or conversation of this log."
    if not set(in_hand.outcomes) & set(in_hand.outcomes_priced):
        places = ", ".join(f"[outcomes.{name}]" for name in in_hand.outcomes)
        return f"Price the outcomes that are in the log ({places}): net value is unknown without."
    return f"Net value cannot be told from the outcomes yet: {ledger.note}."


def _check_grading(report: SegmentReport) -> str:
    return (
        f"Check how {report.segment} is graded: the reference is right in {100 * (report.reference_quality or 0.0):.0f} % of its "
        f"labels there and the {report.tier} tier in {100 * (report.quality or 0.0):.0f} %; it is kept out of the comparison."
    )


def _more_labels(where: str, more: int, have: int, per_day: float) -> str:
    days = ""
    if per_day > 0:
        wait = math.ceil(more / per_day)
        days = (
            f", about {wait} days at today's rate"
            if wait <= LONGEST_WAIT_DAYS
            else ", more than a year at today's rate"
        )
    return f"Label {more:,} more decisions of {where} (and as many of its reference; {have:,} so far{days})."
