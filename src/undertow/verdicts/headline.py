"""The one sentence that stands on top: verdict first, in plain words."""

from collections.abc import Sequence

from undertow.records.report import Alarm, AuditReport, SegmentReport


def headline(report: AuditReport, tiers: Sequence[SegmentReport], capable: str) -> str:
    """One sentence for people.

    Args:
        report: Everything else.
        tiers: Loss of each cheaper tier as a whole.
        capable: Name of the capable tier.
    """
    losses = [a for a in report.alarms if a.cause == "routing" and a.tier != capable]
    if losses:
        worst = max(
            losses, key=lambda a: (a.latest_loss if a.latest_loss is not None else a.loss or 0.0, str(a.segment))
        )
        money = _money(report)
        return f"{_loss_sentence(worst)}{money}"
    if report.verdict == "healthy":
        shown = max((t.interval[1] for t in tiers if t.interval is not None), default=None)
        bound = (
            ""
            if shown is None
            else f": at most {max(100 * shown, 0):.1f} points, inside your margin of {100 * report.settings.margin:.1f}"
        )
        return f"Routing to the cheaper tier has not cost quality{bound}."
    shared = [a for a in report.alarms if a.tier == capable or a.cause in {"provider", "mix"}]
    if shared:
        return (
            f"Quality fell on {shared[0].detected_at:%-d %B %Y}, but not because of routing ({shared[0].cause}); "
            "whether routing costs quality is not settled yet."
        )
    return "Not settled: these labels can neither show a loss nor rule one out."


def _loss_sentence(alarm: Alarm) -> str:
    where = "" if alarm.segment.is_whole else f" on {alarm.segment}"
    since = "" if alarm.onset is None else f"Since about {alarm.onset:%-d %B %Y} "
    loss, interval = alarm.latest_loss, alarm.latest_interval
    if loss is None or interval is None or interval[1] <= 0 or loss <= 0:
        loss, interval = alarm.loss, alarm.interval
    size = "quality"
    if loss is not None and interval is not None:
        low, high = max(interval[0], 0.0), interval[1]
        size = f"{100 * low:.0f} to {100 * high:.0f} points of quality"
    verb = "the" if since else "The"
    return f"{since}{verb} {alarm.tier} tier has lost {size}{where}"


def _money(report: AuditReport) -> str:
    ledger = report.ledger
    if ledger.net_usd_month is None:
        return "; what that costs is unknown without priced outcomes."
    if ledger.interval is None:
        return f"; net value about {_usd(ledger.net_usd_month)} a month."
    low, high = (_usd(x) for x in ledger.interval)
    return f"; net value {low} to {high} a month."


def _usd(value: float) -> str:
    sign = "-" if value < 0 else ""
    size = abs(value)
    if size >= 1e6:
        return f"{sign}${size / 1e6:.1f}M"
    if size >= 1e3:
        return f"{sign}${size / 1e3:.0f}k"
    return f"{sign}${size:.0f}"
