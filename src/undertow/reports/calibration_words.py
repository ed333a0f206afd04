"""A calibration in sentences, for people who do not know statistics; the same on every face."""

from undertow.records.calibration import Calibration, Group, Quality, Savings
from undertow.records.calibration_report import CalibrationReport
from undertow.reports import figures
from undertow.reports.names import clip

REST = "all other requests"
ALL = "all requests"


def rate(fraction: float) -> str:
    """A margin or level in per cent, without needless digits.

    Examples:
        >>> rate(0.02), rate(0.9), rate(0.025)
        ('2 %', '90 %', '2.5 %')
    """
    return f"{round(fraction * 100, 4):g} %"


def confidence(value: float | None) -> str:
    """A threshold; digits enough to tell it from its neighbours.

    Examples:
        >>> confidence(0.8349), confidence(0.99871), confidence(None)
        ('0.835', '0.9987', 'none')
    """
    if value is None:
        return "none"
    return f"{value:.3f}" if value < 0.99 else f"{value:.4f}"


def group_name(group: Group, calibration: Calibration, columns: int = 40) -> str:
    """Whose threshold it is."""
    if group.value is None:
        return ALL if len(calibration.groups) == 1 else REST
    return clip(group.value, columns)


def headline(report: CalibrationReport) -> str:
    """The verdict in one sentence, with the money that it saves."""
    return (
        verdict(report)
        if report.savings is None or not _is_certified(report)
        else f"{verdict(report)}, {savings(report.savings)}"
    )


def _is_certified(report: CalibrationReport) -> bool:
    return any(group.threshold is not None for group in report.calibration.groups)


def verdict(report: CalibrationReport) -> str:
    """The verdict in one sentence."""
    made = report.calibration
    margin, level = rate(made.margin), rate(1.0 - made.delta)
    served = [group for group in made.groups if group.threshold is not None]
    if not served:
        return (
            f"No threshold keeps the loss at or below {margin} with a certainty of {level}, so the tier {clip(made.capable_tier, 30)!r} goes on "
            "answering everything"
        )
    if made.threshold_scope == "shared":
        start = f"Serving cheaply from confidence {confidence(served[0].threshold)} on keeps the loss of all groups together at or below {margin}"
    elif len(made.groups) == 1:
        start = (
            f"Serving cheaply from confidence {confidence(served[0].threshold)} on keeps the loss at or below {margin}"
        )
    else:
        start = f"Serving cheaply from each group's own confidence on keeps the loss of each group at or below {margin}"
    return f"{start} (certified at {level}): {figures.percent(report.acceptance)} of the requests are served cheaply"


def savings(found: Savings) -> str:
    """What is saved per 1,000 requests."""
    low, high = sorted(1000 * end for end in found.interval)
    amount = 1000 * found.usd_per_request
    what = "saving" if amount >= 0 else "which costs"
    interval = figures.usd_interval((low, high) if amount >= 0 else (-high, -low))
    share = (
        ""
        if found.share is None or amount < 0
        else f", {figures.percent(found.share)} of what the capable tier alone costs"
    )
    return (
        f"{what} {figures.usd(abs(amount))} per 1,000 requests (95 % interval {interval}{share}), the cheap calls that are thrown away "
        "counted"
    )


def title(report: CalibrationReport) -> str:
    """The verdict in a few words."""
    groups = [group for group in report.calibration.groups if group.labels or group.value is not None]
    certified = sum(group.threshold is not None for group in groups)
    if not certified:
        return "Not certified"
    return "Certified" if certified == len(groups) else f"Certified in {certified} of {len(groups)} groups"


def meaning(report: CalibrationReport) -> str:
    """What the verdict promises, and what it does not."""
    made = report.calibration
    return (
        f"Loss: share of all eligible requests that the tier {clip(made.tier, 30)!r} serves and fails where {clip(made.capable_tier, 30)!r} would "
        f"not. Of {round(1 / made.delta):,} such calibrations one may miss its margin by bad luck. It holds for requests like those that were "
        "labelled; an alarm or another model voids it"
    )


def quality(found: Quality) -> str:
    """How good the confidence is, in one line."""
    raw = "" if found.raw_ece is None else f", before calibration {found.raw_ece:.3f}"
    low, high = found.auroc_interval
    return (
        f"AUROC {found.auroc:.3f} ({low:.3f} to {high:.3f}); calibration error {found.ece:.3f} where chance alone shows {found.ece_floor:.3f}"
        f"{raw}"
    )


def missing(report: CalibrationReport) -> tuple[str, ...]:
    """What stands in the way of a threshold, or of savings, group by group."""
    made = report.calibration
    found = [
        f"{group_name(group, made)}: {group.note if group.labels else f'no labels, so the tier {clip(made.capable_tier, 30)!r} answers them'}"
        for group in made.groups
        if group.note
    ]
    for group in made.groups:
        saved = group.savings
        if saved is None or saved.usd_per_request >= 0.0 or group.value is None:
            continue
        found.append(
            f"{group_name(group, made)}: asking the tier {clip(made.tier, 30)!r} first costs {figures.usd(-1000 * saved.usd_per_request)} more per 1,000 "
            f'requests than it saves; keep it away: [constraints] never_cheap = ["{clip(str(made.group_key), 30)}={clip(group.value, 30)}"]'
        )
    return tuple(found)


def hidden(report: CalibrationReport) -> tuple[str, ...]:
    """Groups whose own loss a shared threshold hides."""
    made = report.calibration
    if made.threshold_scope != "shared":
        return ()
    found = []
    for group in made.groups:
        certificate = group.certificate
        if certificate is None or certificate.upper <= made.margin:
            continue
        estimate = figures.percent(certificate.loss)
        verb = "loses" if certificate.loss > made.margin else "may lose more than the margin: estimated"
        found.append(
            f"the shared threshold hides {group_name(group, made)}, which {verb} {estimate} (at most {figures.percent(certificate.upper)}), where "
            f"{rate(made.margin)} is the margin of all together; leave --shared out for a threshold of its own"
        )
    return tuple(found)


def left_out(report: CalibrationReport) -> str:
    """Labels that could not be used, with the reasons; empty: none."""
    return ", ".join(f"{count:,} {clip(reason, 40)}" for reason, count in report.left_out.items())
