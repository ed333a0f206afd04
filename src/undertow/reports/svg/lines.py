"""Lines over time in one panel, of whatever a reader asked for: with bands, alarms, onsets and marks of changes where there are any."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from undertow.records.report import Alarm, Series
from undertow.reports import figures
from undertow.reports.changes import Mark
from undertow.reports.svg.canvas import NARROW_PX, Canvas
from undertow.reports.svg.panel import Panel, legend, span_of

Period = tuple[datetime, datetime]

LEAST_SPAN = 0.02


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its points, what it is called, and the class of its colour."""

    series: Series
    label: str
    cls: str


@dataclass(frozen=True, slots=True)
class Lines:
    """What is drawn.

    Attributes:
        title: For those who do not see it.
        lines: In the order of their legend.
        show: A value as text.
        period: First and last time shown; None: of the points.
        range: Lowest and highest value; None: of the points and most of the bands.
        least, most: Ends that a range of the points never passes.
        alarms: Alarms that are marked, with their numbers.
        marks: Changes that are marked.
        is_banded: Intervals are drawn.
    """

    title: str
    lines: tuple[Line, ...]
    show: Callable[[float], str]
    period: Period | None = None
    range: tuple[float, float] | None = None
    least: float = 0.0
    most: float = 1.0
    alarms: tuple[tuple[int, Alarm], ...] = ()
    marks: tuple[Mark, ...] = ()
    is_banded: bool = True
    height: float = field(default=300.0)


def lines_chart(what: Lines, width: float, ident: str) -> str | None:
    """The chart, or None where no point has a value in the period."""
    shown = [replace(line, series=_inside(line.series, what.period)) for line in what.lines]
    shown = [line for line in shown if _known(line.series)]
    if not shown:
        return None
    series = [line.series for line in shown]
    period = what.period or span_of(series, _ends(series))
    low, high = what.range or value_range(series, what.least, what.most)
    narrow, names_px = width < NARROW_PX, 150
    canvas, top = Canvas(width, 0, ident), 12.0
    if narrow:
        top += legend(canvas, 0, 0, width, [(line.label, line.cls) for line in shown])
    left, right = 56.0, 8 if narrow else names_px
    height = what.height if not narrow else min(what.height, 220.0)
    panel = Panel(canvas, left, top, width - left - right, height, period, low, high, "lines", bool(what.marks))
    canvas.height = panel.bottom + 28 + panel.marks_px
    panel.draw_axes(what.show)
    for _, alarm in what.alarms:
        panel.shade_onset([alarm])
    for line in shown:
        panel.draw_series(line.series, line.cls, band=what.is_banded, emphasis=True)
    panel.mark_changes(what.marks)
    panel.mark_detections([alarm for _, alarm in what.alarms], [number for number, _ in what.alarms])
    if not narrow:
        panel.draw_end_labels([(line.series, line.label, line.cls) for line in shown])
    return canvas.render(what.title, _describe(what, shown))


def value_range(series: Sequence[Series], least: float, most: float) -> tuple[float, float]:
    """A range that holds every value and most of each band; wide early intervals run out of the panel rather than flatten it.

    Args:
        series: With at least one value.
        least: End below that it never passes.
        most: End above, likewise.
    """
    values = [p.mean for one in series for p in one.points if p.mean is not None and math.isfinite(p.mean)]
    bands = [p.interval for one in series for p in one.points if p.interval and all(map(math.isfinite, p.interval))]
    low, high = min(values), max(values)
    if bands:
        lows, highs = sorted(band[0] for band in bands), sorted(band[1] for band in bands)
        low, high = min(low, lows[len(lows) // 12]), max(high, highs[-1 - len(highs) // 12])
    pad = max((high - low) * 0.06, LEAST_SPAN / 2)
    return max(least, low - pad), min(most, high + pad)


def _inside(series: Series, period: Period | None) -> Series:
    if period is None:
        return series
    return replace(series, points=tuple(point for point in series.points if period[0] <= point.at <= period[1]))


def _known(series: Series) -> list[float]:
    return [point.mean for point in series.points if point.mean is not None and math.isfinite(point.mean)]


def _ends(series: Sequence[Series]) -> Period:
    times = [point.at for one in series for point in one.points]
    return min(times), max(times)


def _describe(what: Lines, shown: Sequence[Line]) -> str:
    said = []
    for line in shown:
        values = _known(line.series)
        said.append(f"{line.label}: {what.show(values[0])} at first, {what.show(values[-1])} at last")
    said += [
        f"alarm {number} raised {figures.moment(alarm.detected_at)}, onset {figures.moments(alarm.onset_interval)}"
        for number, alarm in what.alarms[:4]
    ]
    return ". ".join(said) + "."
