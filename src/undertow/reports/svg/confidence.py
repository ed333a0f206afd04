"""Routing confidence in the baseline and now: two distributions on one axis."""

import math

from undertow.records.report import Histogram
from undertow.reports import figures
from undertow.reports.svg.canvas import NARROW_PX, Canvas
from undertow.reports.svg.panel import legend
from undertow.reports.svg.scales import Scale, round_step, ticks


def confidence_chart(histogram: Histogram | None, width: float, ident: str) -> str | None:
    """Shares per bin: the baseline as a filled shape, now as an outline over it. None where nothing is binned."""
    if histogram is None or len(histogram.edges) < 2 or not (any(histogram.baseline) or any(histogram.now)):
        return None
    narrow = width < NARROW_PX
    before = f"baseline, {figures.moments(histogram.baseline_period)}"
    now = f"now, {figures.moments(histogram.now_period)}"
    canvas = Canvas(width, 0, ident)
    taken = legend(canvas, 0, 0, width, [(before, "fill c-all"), (now, "c-cheap")])
    top, height = taken + 12, 190
    peak = max([*histogram.baseline, *histogram.now])
    high = math.ceil(peak / round_step(peak, 4) - 1e-9) * round_step(peak, 4)
    x = Scale(histogram.edges[0], histogram.edges[-1], 48, width - 8)
    y = Scale(0.0, high, top + height, top)
    canvas.height = top + height + 44
    for value in ticks(0.0, high, 4):
        canvas.line(48, y(value), width - 8, y(value), "grid")
        canvas.text(40, y(value) + 4, f"{value * 100:.3g} %", "tick", "end")
    canvas.polygon([(x.start, y(0)), *_outline(histogram.edges, histogram.baseline, x, y), (x.end, y(0))], "fill c-all")
    canvas.polyline(_outline(histogram.edges, histogram.now, x, y), "line c-cheap strong")
    canvas.line(48, y(0), width - 8, y(0), "axis")
    for value in ticks(x.low, x.high, 5 if narrow else 10):
        canvas.text(x(value), top + height + 18, f"{value:.4g}".replace("-", figures.MINUS), "tick", "middle")
    label = "routing confidence" if histogram.column == "confidence" else "raw routing score"
    canvas.text((x.start + x.end) / 2, top + height + 36, label, "tick", "middle")
    return canvas.render(
        "Distribution of routing confidence, baseline and now",
        f"Share of decisions per bin of {label}, {before} against {now}."
        + (f" Population stability index {histogram.psi:.2f}." if histogram.psi is not None else ""),
    )


def _outline(edges: tuple[float, ...], shares: tuple[float, ...], x: Scale, y: Scale) -> list[tuple[float, float]]:
    points = []
    for left, right, share in zip(edges, edges[1:], shares, strict=False):
        points += [(x(left), y.held(share)), (x(right), y.held(share))]
    return points
