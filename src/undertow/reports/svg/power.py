"""How soon a loss is seen, against how many answers people look at."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from undertow.reports.svg.canvas import NARROW_PX, Canvas, text_px
from undertow.reports.svg.panel import legend
from undertow.reports.svg.plot import BOTTOM_PX, LEFT_PX, Plot
from undertow.reports.svg.scales import Scale, ticks

TITLE = "Days until a loss is seen, by reviews a day"
HALF, NINE = "half of the time", "nine times in ten"
_TICK_GAP_PX = 8.0


@dataclass(frozen=True, slots=True)
class PowerPoint:
    """How soon the loss is seen with so many reviews.

    Attributes:
        labels: Reviews a day, above 0.
        median_days: Half of the runs have alarmed by then; None: fewer do.
        p90_days: Nine in ten have; None: fewer do.
    """

    labels: float
    median_days: int | None
    p90_days: int | None


def power_chart(points: Sequence[PowerPoint], labels: float, horizon_days: int, width: float, ident: str) -> str | None:
    """Two lines over a logarithmic axis of reviews a day; None with fewer than two points.

    Args:
        points: In any order.
        labels: Reviews a day as asked for, marked by a line.
        horizon_days: Days that are looked at: none is later.
        width: In pixels.
        ident: Prefix of ids.
    """
    points = sorted((each for each in points if each.labels > 0), key=lambda each: each.labels)
    if len(points) < 2:
        return None
    canvas = Canvas(width, 0, ident)
    taken = legend(canvas, 0, 0, width, [(HALF, "c-cheap"), (NINE, "c-capable")])
    height = 300.0 if width >= NARROW_PX else 260.0
    canvas.height = taken + height
    latest = max(
        (days for each in points for days in (each.median_days, each.p90_days) if days is not None),
        default=horizon_days,
    )
    top = min(float(horizon_days), latest * 1.12 + 1)
    x = Scale(math.log10(points[0].labels), math.log10(points[-1].labels), LEFT_PX, width - 20)
    y = Scale(0.0, top, taken + height - BOTTOM_PX, taken + 28)
    plot = Plot(canvas, x, y)
    for value in ticks(0.0, top, 5):
        if value % 1:  # days are whole
            continue
        canvas.line(x.start, y(value), x.end, y(value), "grid")
        canvas.text(x.start - 8, y(value) + 4, f"{value:.0f}", "tick", "end")
    canvas.text(0, taken + 14, "days from the onset", "tick")
    end = -math.inf
    for each in points:
        at, shown = x(math.log10(each.labels)), f"{each.labels:,.0f}"
        room = text_px(shown) / 2
        if at - room > end + _TICK_GAP_PX:
            canvas.line(at, y.start, at, y.start + 4, "axis")
            canvas.text(at, y.start + 18, shown, "tick", "middle")
            end = at + room
    canvas.line(x.start, y.start, x.end, y.start, "axis")
    canvas.text((x.start + x.end) / 2, y.start + 36, "reviews a day, all tiers", "tick", "middle")
    if points[0].labels <= labels <= points[-1].labels:
        here = x(math.log10(labels))
        canvas.line(here, y.start, here, y.end, "marginline")
        said = f"{labels:,.0f} a day"
        is_left = here + text_px(said, "marginlabel") + 8 > x.end
        canvas.text(here + (-6 if is_left else 6), y.end + 10, said, "marginlabel", "end" if is_left else "start")
    for name, cls in (("p90_days", "c-capable"), ("median_days", "c-cheap")):
        known = [(math.log10(each.labels), float(days)) for each in points if (days := getattr(each, name)) is not None]
        for run in _runs([getattr(each, name) is not None for each in points], known):
            plot.line(run, f"line strong {cls}")
        for at, days in known:
            canvas.circle(*plot.place(at, days), 3.2, f"dot {cls}")
    end, room = -math.inf, text_px("never") / 2
    for each in points:
        at = min(max(x(math.log10(each.labels)), x.start + room), x.end - room)
        if each.median_days is None and at - room > end + _TICK_GAP_PX:
            canvas.text(at, y.start - 8, "never", "tick", "middle")
            end = at + room
    told = "; ".join(
        f"{each.labels:,.0f} reviews a day: {_days(each.median_days)} {HALF}, {_days(each.p90_days)} {NINE}"
        for each in points
    )
    return canvas.render(TITLE, f"{told}.")


def _days(days: int | None) -> str:
    return "never" if days is None else f"{days} day{'s' if days != 1 else ''}"


def _runs(is_known: Sequence[bool], known: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Points that follow one another without a gap: no line leads over what is never seen."""
    found: list[list[tuple[float, float]]] = [[]]
    left = iter(known)
    for each in is_known:
        if each:
            found[-1].append(next(left))
        else:
            found.append([])
    return [run for run in found if len(run) > 1]
