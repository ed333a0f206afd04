"""Routing confidence in the baseline and now: two distributions on one axis."""

from undertow.records.report import Histogram
from undertow.reports import figures
from undertow.reports.svg.shapes import Shapes, shapes_chart


def confidence_chart(histogram: Histogram | None, width: float, ident: str) -> str | None:
    """Shares per bin: the baseline as a filled shape, now as an outline over it. None where nothing is binned."""
    if histogram is None:
        return None
    before = f"baseline, {figures.moments(histogram.baseline_period)}"
    now = f"now, {figures.moments(histogram.now_period)}"
    label = "routing confidence" if histogram.column == "confidence" else "raw routing score"
    what = Shapes(
        "Distribution of routing confidence, baseline and now",
        f"Share of decisions per bin of {label}, {before} against {now}."
        + (f" Population stability index {histogram.psi:.2f}." if histogram.psi is not None else ""),
        histogram.edges,
        histogram.baseline,
        histogram.now,
        before,
        now,
        label,
    )
    return shapes_chart(what, width, ident)
