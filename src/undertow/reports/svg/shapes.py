"""Two distributions on one axis: as it was, filled, and as it is now, as an outline over it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from undertow.reports import figures
from undertow.reports.svg.canvas import NARROW_PX, Canvas
from undertow.reports.svg.panel import legend
from undertow.reports.svg.scales import Scale, round_step, ticks


@dataclass(frozen=True, slots=True)
class Shapes:
    """What is drawn.

    Attributes:
        title, told: For those who do not see it.
        edges: Of the bins; one more than there are bins.
        before, now: Shares per bin.
        before_name, now_name: In the legend.
        label: Below the axis.
        show: A value of the axis as text.
    """

    title: str
    told: str
    edges: Sequence[float]
    before: Sequence[float]
    now: Sequence[float]
    before_name: str
    now_name: str
    label: str
    show: Callable[[float], str] = lambda value: f"{value:.4g}".replace("-", figures.MINUS)


def shapes_chart(what: Shapes, width: float, ident: str) -> str | None:
    """Shares per bin: before as a filled shape, now as an outline over it. None where nothing is binned."""
    if len(what.edges) < 2 or not (any(what.before) or any(what.now)):
        return None
    canvas = Canvas(width, 0, ident)
    taken = legend(canvas, 0, 0, width, [(what.before_name, "fill c-all"), (what.now_name, "c-cheap")])
    top, height = taken + 12, 190
    peak = max([*what.before, *what.now])
    high = math.ceil(peak / round_step(peak, 4) - 1e-9) * round_step(peak, 4)
    x = Scale(what.edges[0], what.edges[-1], 48, width - 8)
    y = Scale(0.0, high, top + height, top)
    canvas.height = top + height + 44
    for value in ticks(0.0, high, 4):
        canvas.line(48, y(value), width - 8, y(value), "grid")
        canvas.text(40, y(value) + 4, f"{value * 100:.3g} %", "tick", "end")
    canvas.polygon([(x.start, y(0)), *_outline(what.edges, what.before, x, y), (x.end, y(0))], "fill c-all")
    canvas.polyline(_outline(what.edges, what.now, x, y), "line c-cheap strong")
    canvas.line(48, y(0), width - 8, y(0), "axis")
    for value in ticks(x.low, x.high, 5 if width < NARROW_PX else 10):
        canvas.text(x(value), top + height + 18, what.show(value), "tick", "middle")
    canvas.text((x.start + x.end) / 2, top + height + 36, what.label, "tick", "middle")
    return canvas.render(what.title, what.told)


def _outline(edges: Sequence[float], shares: Sequence[float], x: Scale, y: Scale) -> list[tuple[float, float]]:
    points = []
    for left, right, share in zip(edges, edges[1:], shares, strict=False):
        points += [(x(left), y.held(share)), (x(right), y.held(share))]
    return points
