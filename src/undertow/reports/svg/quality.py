"""Quality over time, twice: the aggregate that a plain dashboard shows, and the same labels by tier."""

import math

from undertow.records.report import AuditReport, Series
from undertow.reports import figures
from undertow.reports.changes import marks
from undertow.reports.svg.canvas import NARROW_PX, Canvas
from undertow.reports.svg.palette import series_classes, series_label
from undertow.reports.svg.panel import MARKS_PX, Panel, legend, span_of

MAX_SEGMENT_LINES = 3
MAX_LINES = 7


def quality_chart(report: AuditReport, width: float, ident: str) -> str | None:
    """Two panels on one scale: left all tiers together, right tier by tier; under one another when narrow.

    Returns:
        The SVG, or None where no point has a mean.
    """
    together = [one for one in report.quality_series if one.tier is None and _known(one)]
    apart = [one for one in report.quality_series if one.tier is not None and _known(one)]
    shown = [one for one in apart if one.segment.is_whole][:MAX_LINES]
    shown += [one for one in apart if not one.segment.is_whole][:MAX_SEGMENT_LINES]
    if not together and not shown:
        return None
    period = span_of((*together, *shown), report.period)
    low, high = _range((*together, *shown))
    classes = series_classes(shown, report)
    letters = marks(report.changes, period)
    marked = bool(letters)
    narrow = width < NARROW_PX
    titles = ("All tiers together: what a dashboard shows", "The same labels, tier by tier")
    if narrow:
        canvas = Canvas(width, 0, ident)
        canvas.text(0, 14, titles[0], "paneltitle")
        first = Panel(canvas, 46, 28, width - 54, 150, period, low, high, "together", marked)
        canvas.text(0, first.bottom + 56 + first.marks_px, titles[1], "paneltitle")
        taken = legend(
            canvas,
            0,
            first.bottom + 66 + first.marks_px,
            width,
            [(series_label(s, 30), c) for s, c in zip(shown, classes, strict=True)],
        )
        second = Panel(
            canvas, 46, first.bottom + 76 + first.marks_px + taken, width - 54, 220, period, low, high, "apart", marked
        )
        canvas.height = second.bottom + 26 + second.marks_px
    else:
        canvas = Canvas(width, 352 + (MARKS_PX if marked else 0), ident)
        names_px = 132
        panel_px = (width - 48 - 28 - names_px) / 2
        first = Panel(canvas, 48, 30, panel_px, 290, period, low, high, "together", marked)
        second = Panel(canvas, 48 + panel_px + 28, 30, panel_px, 290, period, low, high, "apart", marked)
        canvas.text(first.left, 14, titles[0], "paneltitle")
        canvas.text(second.left, 14, titles[1], "paneltitle")
    for panel in (first, second):
        panel.draw_axes(_percent, with_labels=narrow or panel is first)
    second.shade_onset(report.alarms)
    for one in together:
        first.draw_series(one, "c-all", emphasis=True)
    for one, cls in zip(shown, classes, strict=True):
        second.draw_series(one, cls, emphasis=True)
    for panel in (first, second):
        panel.mark_changes(letters)
    second.mark_detections(report.alarms)
    if not narrow:
        second.draw_end_labels([(s, series_label(s, 18), c) for s, c in zip(shown, classes, strict=True)])
    return canvas.render("Quality over time, all tiers together and tier by tier", _describe(report, together, shown))


def _known(series: Series) -> bool:
    return any(point.mean is not None and math.isfinite(point.mean) for point in series.points)


def _percent(value: float) -> str:
    return f"{value * 100:.4g} %"


def _range(series: tuple[Series, ...]) -> tuple[float, float]:
    """A range that holds every mean and most of each band; wide early intervals run out of the panel rather than flatten it."""
    means = [p.mean for one in series for p in one.points if p.mean is not None and math.isfinite(p.mean)]
    lows = sorted(p.interval[0] for one in series for p in one.points if p.interval and math.isfinite(p.interval[0]))
    highs = sorted(p.interval[1] for one in series for p in one.points if p.interval and math.isfinite(p.interval[1]))
    low, high = min(means), max(means)
    if lows:
        low = min(low, lows[len(lows) // 12])
        high = max(high, highs[-1 - len(highs) // 12])
    pad = max((high - low) * 0.06, 0.01)
    return max(0.0, low - pad), min(1.0, high + pad)


def _describe(report: AuditReport, together: list[Series], shown: list[Series]) -> str:
    parts = []
    for one in (*together, *shown):
        known = [p.mean for p in one.points if p.mean is not None]
        parts.append(
            f"{series_label(one, 40)}: {figures.percent(known[0])} at first, {figures.percent(known[-1])} at last"
        )
    parts += [
        f"alarm {n} detected {figures.moment(alarm.detected_at)}, onset {figures.moments(alarm.onset_interval)}"
        for n, alarm in enumerate(report.alarms[:4], 1)
    ]
    return ". ".join(parts) + "."
