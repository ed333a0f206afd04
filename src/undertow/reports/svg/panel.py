"""A panel with time across: axes, interval bands, lines, marks of alarms and changes. Three charts are made of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from undertow.records.report import Alarm, Series, SeriesPoint
from undertow.reports.changes import Mark
from undertow.reports.svg.canvas import Canvas, fit, text_px
from undertow.reports.svg.scales import Scale, seconds, spread, ticks, time_ticks

_Place = TypeVar("_Place")
MAX_ALARM_MARKS = 4
MARKS_PX = 14


@dataclass(frozen=True, slots=True)
class Panel:
    """Where a panel lies and what its axes span."""

    canvas: Canvas
    left: float
    top: float
    width: float
    height: float
    period: tuple[datetime, datetime]
    low: float
    high: float
    name: str
    marked: bool = False
    """Leaves room for the letters of changes between the axis and its labels."""

    @property
    def x(self) -> Scale:
        """Seconds to pixels."""
        first, last = (seconds(at) for at in self.period)
        return Scale(first, last, self.left, self.left + self.width)

    @property
    def y(self) -> Scale:
        """Values to pixels."""
        return Scale(self.low, self.high, self.top + self.height, self.top)

    @property
    def bottom(self) -> float:
        """Of the plotting area, in pixels."""
        return self.top + self.height

    @property
    def marks_px(self) -> int:
        """Height of the letters' row."""
        return MARKS_PX if self.marked else 0

    def draw_axes(
        self, label: Callable[[float], str], *, with_labels: bool = True, at: Sequence[float] | None = None
    ) -> None:
        """Horizontal rules at round values and round times below."""
        for value in ticks(self.low, self.high, max(2, int(self.height // 45))) if at is None else at:
            y = self.y(value)
            self.canvas.line(self.left, y, self.left + self.width, y, "grid")
            if with_labels:
                self.canvas.text(self.left - 8, y + 4, label(value), "tick", "end")
        self.canvas.line(self.left, self.bottom, self.left + self.width, self.bottom, "axis")
        end = self.left + self.width
        free_from = float("-inf")
        for when, text in time_ticks(*self.period, max(2, int(self.width // 56))):
            x = self.x(seconds(when))
            half = text_px(text) / 2
            centre = min(max(x, self.left - 8 + half), end + 8 - half)
            if centre - half < free_from:
                continue
            self.canvas.line(x, self.bottom, x, self.bottom + 4, "axis")
            self.canvas.text(centre, self.bottom + 18 + self.marks_px, text, "tick", "middle")
            free_from = centre + half + 6

    def draw_series(self, series: Series, cls: str, *, band: bool = True, emphasis: bool = False) -> None:
        """The line, with its interval as a band behind it; gaps stay gaps, and what leaves the panel leaves it."""
        clip = self.canvas.clip_rect(f"{self.name}-clip", self.left - 2, self.top - 2, self.width + 4, self.height + 4)
        bands = [self._band(point) for point in series.points] if band else []
        for run in _runs(bands):
            self.canvas.polygon(
                [(x, high) for x, _, high in run] + [(x, low) for x, low, _ in run[::-1]], f"band {cls}", clip
            )
        for run in _runs([self._dot(point) for point in series.points]):
            if len(run) == 1:
                self.canvas.circle(*run[0], 2.5, f"dot {cls}")
            else:
                self.canvas.polyline(run, f"line {cls}{' strong' if emphasis else ''}", clip)

    def draw_end_labels(self, named: Sequence[tuple[Series, str, str]]) -> None:
        """Names at the right ends of the lines, moved apart where they would meet. Entries: series, label, class."""
        ends = []
        for series, label, cls in named:
            known = [p.mean for p in series.points if p.mean is not None and math.isfinite(p.mean)]
            if known:
                # The height at which the line settles, so that one noisy last day does not misplace the label.
                tail = known[-7:]
                ends.append((self.y.held(sum(tail) / len(tail)), label, cls))
        for (_, label, cls), y in zip(
            ends, spread([end[0] for end in ends], 15.0, self.top + 4, self.bottom - 2), strict=True
        ):
            x = self.left + self.width + 8
            self.canvas.text(x, y + 4, label, f"name {cls}", room=self.canvas.width - x)

    def shade_onset(self, alarms: Sequence[Alarm]) -> None:
        """The interval in which the earliest of the changes began, as a shade behind the lines."""
        known = [alarm.onset_interval for alarm in alarms if alarm.onset_interval is not None]
        if known:
            first, last = (self.x.held(seconds(at)) for at in min(known))
            self.canvas.rect(first, self.top, max(last - first, 2), self.height, "onset")

    def mark_detections(self, alarms: Sequence[Alarm], numbers: Sequence[int] | None = None) -> None:
        """The moment of each detection as a line with the alarm's number (its place, or that in `numbers`); draw it over the lines."""
        first, last = self.period
        taken: list[float] = []
        for number, alarm in zip(numbers or range(1, len(alarms) + 1), alarms[:MAX_ALARM_MARKS], strict=False):
            if not first <= alarm.detected_at <= last:
                continue
            x = self.x(seconds(alarm.detected_at))
            row = sum(1 for other in taken if abs(other - x) < 18)
            taken.append(x)
            y = self.top + 9 + 19 * row
            self.canvas.line(x, y, x, self.bottom, "detected")
            self.canvas.circle(x, y, 8.5, "tag")
            self.canvas.text(x, y + 4, str(number), "tagtext", "middle")

    def mark_changes(self, marks: Sequence[Mark]) -> None:
        """Letters under the axis for what else changed; the list beside the chart says what each is."""
        inside = [mark for mark in marks if self.period[0] <= mark.at <= self.period[1]]
        xs = [self.x(seconds(mark.at)) for mark in inside]
        label_xs = spread(xs, 12.0, self.left, self.left + self.width)
        for mark, x, label_x in zip(inside, xs, label_xs, strict=True):
            foot = self.bottom
            self.canvas.polygon(((x, foot), (x - 3.5, foot + 6), (x + 3.5, foot + 6)), "change")
            self.canvas.text(label_x, foot + 16, mark.letter, "changetext", "middle")

    def _dot(self, point: SeriesPoint) -> tuple[float, float] | None:
        if point.mean is None or not math.isfinite(point.mean):
            return None
        return self.x.held(seconds(point.at)), self.y(point.mean)

    def _band(self, point: SeriesPoint) -> tuple[float, float, float] | None:
        if point.interval is None or not all(map(math.isfinite, point.interval)):
            return None
        low, high = point.interval
        return self.x.held(seconds(point.at)), self.y(low), self.y(high)


def _runs(places: Sequence[_Place | None]) -> list[list[_Place]]:
    """Stretches without a gap."""
    runs: list[list[_Place]] = [[]]
    for place in places:
        if place is not None:
            runs[-1].append(place)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def span_of(series: Sequence[Series], fallback: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    """First and last time of any point; the fallback where there are no two."""
    times = [point.at for one in series for point in one.points]
    if not times or min(times) == max(times):
        return from_midnight(fallback)
    return min(times), max(times)


def from_midnight(period: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    """The period from the start of its first day, where it is days long: a log begins at 00:10, an axis on a day."""
    first, last = period
    if last - first < timedelta(days=2):
        return period
    return first.replace(hour=0, minute=0, second=0, microsecond=0), last


def legend(canvas: Canvas, left: float, top: float, width: float, entries: Sequence[tuple[str, str]]) -> float:
    """Samples with names, wrapped to the width; returns the height taken.

    Entries: label and class; a class that begins with `fill` is drawn as an area, any other as a line.
    """
    x, y = left, top
    for name, cls in entries:
        label = fit(name, width - 24)
        needed = 24 + text_px(label) + 14
        if x > left and x + needed - 14 > left + width:
            x, y = left, y + 18
        if cls.startswith("fill"):
            canvas.rect(x, y + 3, 18, 10, cls)
        else:
            canvas.line(x, y + 8, x + 18, y + 8, f"line {cls} strong")
        canvas.text(x + 24, y + 12, label, "label")
        x += needed
    return y + 18 - top
