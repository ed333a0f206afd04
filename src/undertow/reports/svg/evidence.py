"""Evidence over time, with the line at which an alarm is raised."""

import math

from undertow.records.report import AuditReport, Series
from undertow.reports import figures
from undertow.reports.names import clip
from undertow.reports.svg.canvas import Canvas
from undertow.reports.svg.palette import series_classes
from undertow.reports.svg.panel import Panel, legend, span_of
from undertow.reports.svg.scales import ticks

MAX_LINES = 6


def evidence_chart(report: AuditReport, width: float, ident: str) -> str | None:
    """Log10 of the evidence per monitor, strongest first, with the alarm line. None without points."""
    known = [one for one in report.evidence_series if _peak(one) is not None]
    shown = sorted(known, key=lambda one: -(_peak(one) or 0.0))[:MAX_LINES]
    if not shown:
        return None
    line = report.alarm_line
    # Far beyond the line more evidence changes nothing; such lines leave at the top, so that the line stays readable.
    top_value = max(line * 1.25, min(max(_peak(one) or 0.0 for one in shown) * 1.05, line * 2.5), 1.0)
    lowest = min(
        (p.mean for one in shown for p in one.points if p.mean is not None and math.isfinite(p.mean)), default=0.0
    )
    low = max(min(0.0, lowest), -2.0)
    classes = series_classes(shown, report)
    canvas = Canvas(width, 0, ident)
    top = 12 + legend(canvas, 0, 0, width, [(clip(s.name, 36), c) for s, c in zip(shown, classes, strict=True)])
    panel = Panel(canvas, 56, top, width - 56 - 8, 210, span_of(shown, report.period), low, top_value, "evidence")
    canvas.height = panel.bottom + 28
    whole = [value for value in ticks(low, top_value, 6) if float(value).is_integer()]
    panel.draw_axes(_power, at=whole or [0.0])
    for one, cls in zip(shown, classes, strict=True):
        panel.draw_series(one, cls, band=False, emphasis=True)
    y = panel.y(line)
    canvas.line(panel.left, y, panel.left + panel.width, y, "alarmline")
    canvas.text(panel.left + 6, y - 6, f"alarm line {figures.evidence(line)}", "marginlabel")
    panel.mark_detections(report.alarms)
    described = "; ".join(f"{clip(one.name, 40)} peaks at {figures.evidence(_peak(one))}" for one in shown)
    return canvas.render("Evidence over time", f"{described}. The alarm line is {figures.evidence(line)}.")


def _peak(series: Series) -> float | None:
    return max((p.mean for p in series.points if p.mean is not None and math.isfinite(p.mean)), default=None)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _power(value: float) -> str:
    """Evidence of 10^value as a plain factor where that is short."""
    return f"{10 ** round(value):,}" if 0 <= value < 4 else "10" + f"{value:.0f}".translate(_RAISED)
