"""Charts of a calibration: what a confidence was worth, what a threshold costs in quality, and where answers lie."""

from collections.abc import Sequence

from undertow.records.calibration import Certificate, Group, Quality
from undertow.records.calibration_report import ConfidenceBar
from undertow.reports import figures
from undertow.reports.calibration_words import rate
from undertow.reports.svg.canvas import NARROW_PX, Canvas
from undertow.reports.svg.panel import legend
from undertow.reports.svg.plot import Plot, framed, grid
from undertow.reports.svg.scales import Scale

PANEL_PX = 280.0
PANEL_HEIGHT_PX = 290.0
ALONE_PX = 600.0

Named = tuple[str, Group, Quality]
"""A group's name, the group, and its quality."""


def _percent(value: float) -> str:
    return f"{value * 100:.4g} %"


def _plain(value: float) -> str:
    return f"{value:.4g}"


def _panels(canvas: Canvas, count: int, entries: Sequence[tuple[str, str]]) -> list[tuple[float, float, float, float]]:
    """A legend, and boxes for panels below it; one panel is wider than one of many, and never wider than it can be read."""
    top = legend(canvas, 0, 0, canvas.width, entries) + 12
    if count == 1:
        wide = canvas.width >= NARROW_PX
        boxes = [(0.0, top, min(canvas.width, ALONE_PX), PANEL_HEIGHT_PX + (40 if wide else 0))]
    else:
        boxes = [(x, y + top, w, h) for x, y, w, h in grid(count, canvas.width, PANEL_PX, PANEL_HEIGHT_PX)]
    canvas.height = max(y + height for _, y, _, height in boxes)
    return boxes


def reliability_chart(groups: Sequence[Named], width: float, ident: str) -> str | None:
    """Confidence against the rate of good answers, a panel a group; a good confidence lies on the diagonal. None without groups."""
    if not groups:
        return None
    canvas = Canvas(width, 0, ident)
    entries = [("rate of good answers, with its 95 % interval", "c-capable"), ("what it should be", "c-seg0")]
    boxes = _panels(canvas, len(groups), entries)
    told = []
    for (name, _, quality), box in zip(groups, boxes, strict=True):
        bins = quality.reliability
        low = max(0.0, min(0.9, *(min(one.confidence, one.interval[0]) for one in bins)) - 0.02)
        plot = framed(
            canvas, box, (low, 1.0), (low, 1.0), title=name, x_label="confidence", show=_percent, show_x=_plain
        )
        plot.line([(low, low), (1.0, 1.0)], "line c-seg0")
        for one in bins:
            x = plot.x.held(one.confidence)
            canvas.line(x, plot.y.held(one.interval[0]), x, plot.y.held(one.interval[1]), "whisker s-inside")
            canvas.circle(x, plot.y.held(one.rate), 4, "mark s-inside")
        told.append(f"{name}: calibration error {quality.ece:.3f} over {len(bins)} bins")
    return canvas.render("Confidence against the rate of good answers", "; ".join(told) + ".")


def risk_chart(groups: Sequence[Named], margin: float, width: float, ident: str) -> str | None:
    """Loss against the share that is served cheaply, a panel a group, with the margin and the threshold that was chosen. None without groups."""
    shown = [one for one in groups if one[2].risk_coverage]
    if not shown:
        return None
    canvas = Canvas(width, 0, ident)
    boxes = _panels(canvas, len(shown), [("loss, and up to its bound", "c-cheap"), ("threshold", "c-capable")])
    told = []
    for (name, group, quality), box in zip(shown, boxes, strict=True):
        curve = quality.risk_coverage
        top = max(2.5 * margin, min(max(point.loss for point in curve) * 1.1, 4 * margin))
        plot = framed(canvas, box, (0.0, 1.0), (0.0, top), title=name, x_label="share served cheaply", show=_percent)
        inside = [point for point in curve if point.loss <= top]
        loss = [(point.acceptance, point.loss) for point in inside]
        plot.area(loss, [(point.acceptance, point.upper) for point in inside], "band c-cheap")
        plot.line(loss, "line c-cheap strong")
        canvas.line(plot.x.start, plot.y(margin), plot.x.end, plot.y(margin), "marginline")
        canvas.text(plot.x.end, plot.y(margin) - 6, f"margin {rate(margin)}", "marginlabel", "end")
        _mark(plot, group.certificate)
        told.append(f"{name}: {_point(group.certificate)}")
    return canvas.render("Loss against the share served cheaply", "; ".join(told) + ".")


def _mark(plot: Plot, certificate: Certificate | None) -> None:
    """The threshold that was chosen: where it lies, and how far the loss there may reach."""
    if certificate is None:
        return
    x = plot.x.held(certificate.acceptance)
    plot.canvas.line(x, plot.y.held(certificate.loss), x, plot.y.held(certificate.upper), "whisker s-inside")
    plot.canvas.circle(x, plot.y.held(certificate.loss), 5, "mark s-inside")


def _point(certificate: Certificate | None) -> str:
    if certificate is None:
        return "no threshold qualifies"
    return f"{figures.percent(certificate.acceptance)} served cheaply at a loss of {figures.percent(certificate.loss)}"


def confidence_bars(bars: Sequence[ConfidenceBar], threshold: float | None, width: float, ident: str) -> str | None:
    """Where answers lie: shares of all requests by confidence, good ones below, failing ones on top. None without any."""
    tallest = max((bar.good + bar.failing + bar.unlabelled for bar in bars), default=0.0)
    if tallest <= 0.0:
        return None
    entries = [("as good as the capable tier's", "fill c-capable"), ("worse", "fill c-cheap")]
    if any(bar.unlabelled for bar in bars):
        entries.append(("without a label", "fill c-all"))
    canvas = Canvas(width, 0, ident)
    used = legend(canvas, 0, 0, width, entries)
    height = 260.0
    canvas.height = used + height
    # Room for the name of the threshold above the tallest bar.
    plot = framed(
        canvas,
        (0.0, used, width, height),
        (0.0, 1.0),
        (0.0, tallest * 1.18),
        title="",
        x_label="confidence",
        show=_percent,
        show_x=_plain,
    )
    for bar in bars:
        base = 0.0
        for share, cls in ((bar.good, "c-capable"), (bar.failing, "c-cheap"), (bar.unlabelled, "c-all")):
            _bar(canvas, plot.x, plot.y, bar, base, share, cls)
            base += share
    if threshold is not None:
        x = plot.x.held(threshold)
        canvas.line(x, plot.y.start, x, plot.y.end, "marginline")
        anchor, at = ("end", x - 6) if threshold > 0.5 else ("start", x + 6)
        canvas.text(at, plot.y.end + 12, f"served from {threshold:.3f} on", "marginlabel", anchor)
    failing = sum(bar.failing for bar in bars)
    return canvas.render(
        "Where answers lie, by confidence", f"{figures.percent(failing)} of all requests have an answer that is worse."
    )


def _bar(canvas: Canvas, x: Scale, y: Scale, bar: ConfidenceBar, base: float, share: float, cls: str) -> None:
    if share > 0.0:
        left, right = x(bar.low) + 1, x(bar.high) - 1
        canvas.rect(left, y(base + share), right - left, y(base) - y(base + share), f"fill {cls}")
