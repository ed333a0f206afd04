"""Share of traffic per tier over time."""

import math

from undertow.records.report import AuditReport
from undertow.reports import figures
from undertow.reports.changes import marks
from undertow.reports.svg.canvas import NARROW_PX, Canvas
from undertow.reports.svg.palette import series_classes, series_label
from undertow.reports.svg.panel import Panel, legend, span_of

MAX_LINES = 7


def share_chart(report: AuditReport, width: float, ident: str) -> str | None:
    """One line a tier, from 0 to 100 %, so that a small drift looks small. None without points."""
    shown = [one for one in report.share_series if any(p.mean is not None for p in one.points)][:MAX_LINES]
    if not shown:
        return None
    narrow = width < NARROW_PX
    classes = series_classes(shown, report)
    canvas = Canvas(width, 250, ident)
    top = 12.0
    if narrow:
        top += legend(canvas, 0, 0, width, [(series_label(s, 30), c) for s, c in zip(shown, classes, strict=True)])
    right = 8 if narrow else 132
    period = span_of(shown, report.period)
    letters = marks(report.changes, period)
    panel = Panel(canvas, 48, top, width - 48 - right, 200, period, 0.0, 1.0, "share", bool(letters))
    canvas.height = panel.bottom + 28 + panel.marks_px
    panel.draw_axes(lambda value: f"{value * 100:.0f} %", at=(0.0, 0.25, 0.5, 0.75, 1.0))
    for one, cls in zip(shown, classes, strict=True):
        panel.draw_series(one, cls, band=False, emphasis=True)
    panel.mark_changes(letters)
    if not narrow:
        panel.draw_end_labels([(s, series_label(s, 18), c) for s, c in zip(shown, classes, strict=True)])
    described = []
    for one in shown:
        known = [p.mean for p in one.points if p.mean is not None and math.isfinite(p.mean)]
        if known:
            described.append(
                f"{series_label(one, 40)} from {figures.percent(known[0])} to {figures.percent(known[-1])}"
            )
    return canvas.render("Share of traffic per tier over time", "; ".join(described) + ".")
