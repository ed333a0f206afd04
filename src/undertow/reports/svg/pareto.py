"""Cost against quality: a point for each choice, with the interval of its loss, and the front of those that nothing beats.

Right is dear, down is worse, so what is best lies up and to the left.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from undertow.records.report import Interval
from undertow.reports import figures
from undertow.reports.svg.canvas import NARROW_PX, Canvas, text_px
from undertow.reports.svg.panel import legend
from undertow.reports.svg.plot import Plot, framed

Box = tuple[float, float, float, float]

_LABEL_PX = 15.0
_GAP_PX = 9.0
_ALIKE_PX, _APART_PX, _WIDEST_PX = 12.0, 11.0, 80.0


@dataclass(frozen=True, slots=True)
class Dot:
    """One choice.

    Attributes:
        label: What it is called; empty: it has no name in the drawing.
        cost: As a part of what the capable tier alone would cost.
        loss: Of quality against the reference, positive is bad.
        interval: Of the loss, or None.
        cls: Class of its colour.
        is_large: It is one to be seen first.
        is_part: It is of a part of the requests.
    """

    label: str
    cost: float
    loss: float
    interval: Interval | None
    cls: str
    is_large: bool = False
    is_part: bool = False


def pareto_chart(
    dots: Sequence[Dot],
    front: Sequence[tuple[float, float]],
    margin: float,
    entries: Sequence[tuple[str, str]],
    width: float,
    ident: str,
) -> str | None:
    """The chart, or None without points.

    Args:
        dots: The choices; those that are drawn last lie on top.
        front: Cost and loss of those that nothing beats, as a line.
        margin: The largest loss that is accepted, as a line; beyond the range it is left out.
        entries: Of the legend: label and class.
        width: In pixels.
        ident: Prefix of ids.
    """
    dots = [dot for dot in dots if math.isfinite(dot.cost) and math.isfinite(dot.loss)]
    if not dots:
        return None
    canvas = Canvas(width, 0, ident)
    taken = legend(canvas, 0, 0, width, entries)
    height = 420.0 if width >= NARROW_PX else 340.0
    canvas.height = taken + height
    least, most = _range(dots)
    # Room for the name of the margin to the right of all points.
    dearest = max(1.0, *(dot.cost for dot in dots)) + 130 / width
    plot = framed(
        canvas,
        (0.0, taken, width, height),
        (0.0, dearest),
        (-most, -least),
        title="",
        x_label="cost, as a part of the capable tier's",
        show=_points,
        show_x=lambda value: f"{value * 100:.0f} %",
    )
    taken_by: list[Box] = []
    if least < margin < most:
        y = plot.y(-margin)
        taken_by.append((plot.x.end - 1.15 * text_px(f"margin {figures.points(margin)}"), y, plot.x.end, y + 18))
        canvas.line(plot.x.start, y, plot.x.end, y, "marginline")
        canvas.text(plot.x.end, y + 15, f"margin {figures.points(margin)}", "marginlabel", "end")
    if len(front) > 1:
        plot.line([(cost, -loss) for cost, loss in sorted(front)], "line c-all front")
    xs = _side_by_side(plot, dots)
    for dot, x in zip(dots, xs, strict=True):
        _draw(plot, dot, x)
    _name(plot, dots, xs, taken_by)
    told = "; ".join(
        f"{dot.label}: cost {figures.percent(dot.cost)}, loss {figures.points(dot.loss)}"
        + (f" ({figures.points_interval(dot.interval)})" if dot.interval is not None else "")
        for dot in dots
        if dot.label
    )
    return canvas.render("Cost against loss of quality", f"{told}.")


def _points(value: float) -> str:
    return figures.points(value).removesuffix("points").removesuffix("point").strip()


def _range(dots: Sequence[Dot]) -> tuple[float, float]:
    """Losses that hold every point, and intervals except the widest few."""
    losses = [dot.loss for dot in dots]
    ends = [dot.interval for dot in dots if dot.interval is not None and all(map(math.isfinite, dot.interval))]
    lows, highs = sorted(low for low, _ in ends), sorted(high for _, high in ends)
    least = min([*losses, 0.0, *lows[len(lows) // 6 : len(lows) // 6 + 1]])
    most = max([*losses, 0.02, *(highs[-1 - len(highs) // 6 :][:1])])
    pad = max((most - least) * 0.08, 0.005)
    return least - pad, most + pad


def _side_by_side(plot: Plot, dots: Sequence[Dot]) -> list[float]:
    """Where each point stands across: parts that cost alike stand beside one another, so that each whisker is seen."""
    xs = [plot.x.held(dot.cost) for dot in dots]
    alike: dict[int, list[int]] = {}
    for i, dot in enumerate(dots):
        if dot.is_part:
            alike.setdefault(round(xs[i] / _ALIKE_PX), []).append(i)
    for places in alike.values():
        step = min(_APART_PX, _WIDEST_PX / len(places))
        for turn, i in enumerate(sorted(places, key=lambda i: dots[i].loss)):
            xs[i] = max(xs[i] + (turn - (len(places) - 1) / 2) * step, plot.x.start + 4)
    return xs


def _draw(plot: Plot, dot: Dot, x: float) -> None:
    y = plot.y.held(-dot.loss)
    part = " part" if dot.is_part else ""
    if dot.interval is not None and all(map(math.isfinite, dot.interval)):
        top, bottom = (plot.y.held(-end) for end in dot.interval)
        plot.canvas.line(x, top, x, bottom, f"spread {dot.cls}{part}")
    if dot.is_large:
        plot.canvas.circle(x, y, 8, f"ring {dot.cls}")
    plot.canvas.circle(x, y, 5 if dot.is_large else 4, f"dot {dot.cls}{part}")


def _name(plot: Plot, dots: Sequence[Dot], xs: Sequence[float], taken: list[Box]) -> None:
    """Names beside the points, the large ones first; a name that has no room is left out, since the table has all."""
    taken = [
        *taken,
        *((x - 5, y - 5, x + 5, y + 5) for dot, x in zip(dots, xs, strict=True) for y in [plot.y.held(-dot.loss)]),
    ]
    for dot, x in sorted(zip(dots, xs, strict=True), key=lambda pair: not pair[0].is_large):
        if not dot.label:
            continue
        y = plot.y.held(-dot.loss)
        wide = text_px(dot.label) * (1.06 if dot.is_large else 1.0)
        for left, top in (
            (x + _GAP_PX, y - 7),
            (x - _GAP_PX - wide, y - 7),
            (x + _GAP_PX, y - 22),
            (x + _GAP_PX, y + 8),
        ):
            box = (left, top, left + wide, top + _LABEL_PX)
            is_inside = (
                box[0] >= plot.x.start
                and box[2] <= plot.x.end + 20
                and box[1] >= plot.y.end - 12
                and box[3] <= plot.y.start
            )
            if is_inside and not any(_meet(box, other) for other in taken):
                taken.append(box)
                plot.canvas.text(left, top + 11, dot.label, f"name halo {dot.cls}")
                break


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
