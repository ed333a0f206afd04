"""The verdict, from alarms, losses and the ledger. The rules are docs/concepts/verdicts.md, one function each.

quality_loss   an alarm on a cheaper tier whose cause is routing
pareto_trap    that, and the net value's interval lies below zero
healthy        every cheaper tier shown inside the margin, every large segment inside the segment margin, and no such alarm
inconclusive   anything else
"""

from collections.abc import Sequence

from undertow.records.report import Alarm, AuditSettings, Ledger, ReferenceReport, SegmentReport, Verdict


def decide(
    settings: AuditSettings,
    reference: ReferenceReport,
    tiers: Sequence[SegmentReport],
    segments: Sequence[SegmentReport],
    alarms: Sequence[Alarm],
    warnings: Sequence[Alarm],
    ledger: Ledger,
    capable: str,
    *,
    is_vouched_for: bool = True,
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and why, one sentence each.

    Args:
        settings: Margins.
        reference: What the losses are measured against.
        tiers: Loss of each cheaper tier as a whole.
        segments: Loss of each cheaper tier in each segment.
        alarms: Alarms on all tiers.
        warnings: Warnings; judge-only evidence of a loss keeps a log from being called healthy.
        ledger: The net-value ledger.
        capable: Name of the capable tier.
        is_vouched_for: Whether the losses rest on people or on checks with a right answer (or on a judge that the user trusts).
    """
    losses = [a for a in alarms if a.cause == "routing" and a.tier != capable]
    if losses:
        places = ", ".join(sorted({f"{a.tier} ({a.segment})" for a in losses}))
        reasons = [f"An alarm with cause routing: {places}."]
        if ledger.net_usd_month is not None and ledger.interval is not None and ledger.interval[1] < 0:
            reasons.append("The net value lies below zero over its whole interval.")
            return "pareto_trap", tuple(reasons)
        reasons.append(_no_trap(ledger))
        return "quality_loss", tuple(reasons)
    blockers = [
        *_not_healthy(settings, reference, tiers, segments, is_vouched_for=is_vouched_for),
        *_open_questions(alarms, warnings, capable),
    ]
    if blockers:
        return "inconclusive", tuple(blockers)
    return "healthy", (
        (
            f"Every cheaper tier is shown to lose less than {100 * settings.margin:.1f} points, and every large segment less "
            f"than {100 * settings.segment_margin:.0f} points."
        ),
    )


def _no_trap(ledger: Ledger) -> str:
    if ledger.net_usd_month is None:
        return "Without priced outcomes the net value is not known, so it cannot be called a Pareto trap."
    if ledger.interval is None:
        return "The net value has no interval yet: too few users with ripe outcomes."
    return "The net value's interval reaches above zero, so it cannot be called a Pareto trap."


def _not_healthy(
    settings: AuditSettings,
    reference: ReferenceReport,
    tiers: Sequence[SegmentReport],
    segments: Sequence[SegmentReport],
    *,
    is_vouched_for: bool,
) -> list[str]:
    """What keeps the tiers from being shown inside their margins."""
    if reference.kind == "none":
        return ["No quality labels are joined to decisions, so there is nothing to judge by."]
    if not tiers:
        return ["No cheaper tier serves anything in this log, so there is nothing to judge."]
    if reference.kind == "own_first_period":
        return [
            "Nothing in the log shows what the capable tier would have answered; without that nothing is called healthy."
        ]
    found = []
    if not is_vouched_for:
        found.append("Only a judge or what users did next speaks for quality; people have to confirm it.")
    for tier in tiers:
        if tier.interval is None or tier.loss is None:
            found.append(f"{tier.tier}: no labels on one side of the comparison.")
        elif tier.interval[1] >= settings.margin:
            found.append(
                f"{tier.tier}: the loss may be as large as {100 * tier.interval[1]:.1f} points; "
                f"the margin is {100 * settings.margin:.1f}."
            )
    wide = [
        s
        for s in segments
        if s.share >= settings.min_share
        and s.state != "suspect"
        and (s.interval is None or s.interval[1] >= settings.segment_margin)
    ]
    if wide:
        names = ", ".join(f"{s.tier} {s.segment}" for s in wide[:5])
        more = f" and {len(wide) - 5} more" if len(wide) > 5 else ""
        found.append(f"Not yet shown below {100 * settings.segment_margin:.0f} points: {names}{more}.")
    return found


def _open_questions(alarms: Sequence[Alarm], warnings: Sequence[Alarm], capable: str) -> list[str]:
    """Alarms and warnings that stand in the way of "healthy" without proving a loss by routing."""
    found = [
        f"{a.tier} ({a.segment}) got worse and the cause is not settled: {a.note}."
        for a in alarms
        if a.cause == "unknown" and a.tier != capable
    ]
    found += [
        f"The judge alone sees a loss in {w.tier} ({w.segment}); people have to confirm it."
        for w in warnings
        if w.monitor == "judge" and w.tier != capable
    ]
    return found
