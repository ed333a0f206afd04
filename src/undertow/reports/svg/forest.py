"""Loss by segment as a forest plot: one row a segment, worst first, with the margin as a line."""

from collections.abc import Sequence

from undertow.records.report import SegmentReport
from undertow.reports import figures, words
from undertow.reports.names import clip, isolated, segment_name
from undertow.reports.svg.canvas import NARROW_PX, Canvas, text_px
from undertow.reports.svg.scales import Scale, ticks

_LABEL_PX = 250
_REACH = 0.25
"""An interval is drawn at most this far beyond the largest and smallest loss; an arrow says that it goes on."""


def forest_chart(
    segments: Sequence[SegmentReport], margin: float, width: float, ident: str, *, with_tier: bool = True
) -> str | None:
    """Rows in the order given. None where none has a loss.

    Args:
        segments: Already chosen and ordered.
        margin: The largest accepted loss, drawn as a line.
        width: In pixels.
        ident: Prefix of ids.
        with_tier: Name the tier in each row.
    """
    known = [one for one in segments if one.loss is not None]
    if not known:
        return None
    narrow = width < NARROW_PX
    low, high = _range(known, margin)
    label_px, value_px = (0, 0) if narrow else (_LABEL_PX, 150)
    row_px = 46 if narrow else 27
    top = 30.0
    canvas = Canvas(width, top + row_px * len(segments) + 44, ident)
    x = Scale(low, high, label_px + 10, width - value_px - 12)
    bottom = top + row_px * len(segments) + 4
    for position in range(1, len(segments), 2):
        if not narrow:
            canvas.rect(0, top + row_px * position, width, row_px, "zebra")
    # Vertical rules stop where a narrow drawing has its labels.
    spans = [(top - 4, bottom)]
    if narrow:
        spans = [(top + row_px * row + 24, top + row_px * (row + 1) - 4) for row in range(len(segments))]
    marks = ticks(low, high, 4 if narrow else 6)
    for y1, y2 in spans:
        for value in marks:
            canvas.line(x(value), y1, x(value), y2, "grid")
        canvas.line(x(0), y1, x(0), y2, "axis")
        canvas.line(x(margin), y1, x(margin), y2, "marginline")
    for value in marks:
        canvas.text(x(value), bottom + 16, f"{value * 100:.4g}".replace("-", figures.MINUS), "tick", "middle")
    label = f"margin {figures.points(margin)}"
    canvas.text(min(x(margin) + 5, width - text_px(label, "marginlabel")), top - 12, label, "marginlabel")
    canvas.text((x.start + x.end) / 2, bottom + 34, "loss in points; to the right is worse", "tick", "middle")
    for position, segment in enumerate(segments):
        y = top + row_px * position
        _row(canvas, segment, x, y, narrow=narrow, row_px=row_px, with_tier=with_tier)
    return canvas.render("Loss by segment with intervals", _describe(segments, margin))


def _row(
    canvas: Canvas,
    segment: SegmentReport,
    x: Scale,
    y: float,
    *,
    narrow: bool,
    row_px: float,
    with_tier: bool,
) -> None:
    tier = f"{isolated(clip(segment.tier, 12))}, " if with_tier else ""
    centre = y + (32 if narrow else row_px / 2)
    said = words.STATES[segment.state]
    value = said.word if segment.loss is None else figures.points(segment.loss).removesuffix(" points")
    if segment.interval is not None:
        value += f" ({figures.points_interval(segment.interval).removesuffix(' points')})"
    name = tier + segment_name(segment.segment, 40)
    if narrow:
        room = canvas.width - text_px(value) - 10
        canvas.text(0, y + 17, f"{said.symbol} {name}", "label", room=room)
        canvas.text(canvas.width, y + 17, value, "value", "end")
    else:
        canvas.text(6, centre + 4, said.symbol, f"label state-{said.tone}")
        canvas.text(24, centre + 4, name, "label", room=_LABEL_PX - 24)
        canvas.text(canvas.width - 4, centre + 4, value, "value", "end")
    if segment.interval is not None:
        low, high = segment.interval
        canvas.line(x.held(low), centre, x.held(high), centre, f"whisker s-{segment.state}")
        if low < x.low:
            _arrow(canvas, x.start, centre, -1, segment.state)
        if high > x.high:
            _arrow(canvas, x.end, centre, 1, segment.state)
    if segment.loss is not None:
        at = x.held(segment.loss)
        match segment.state:
            case "beyond":
                shape = ((at, centre - 6), (at + 6, centre), (at, centre + 6), (at - 6, centre))
                canvas.polygon(shape, "mark s-beyond")
            case "suspect":
                canvas.rect(at - 4.5, centre - 4.5, 9, 9, "mark s-suspect")
            case state:
                canvas.circle(at, centre, 4.5, f"mark s-{state}")


def _arrow(canvas: Canvas, x: float, y: float, way: int, state: str) -> None:
    canvas.polygon(((x + 5 * way, y), (x - 3 * way, y - 4), (x - 3 * way, y + 4)), f"arrow s-{state}")


def _range(known: Sequence[SegmentReport], margin: float) -> tuple[float, float]:
    losses = [one.loss for one in known if one.loss is not None]
    ends = [end for one in known if one.interval is not None for end in one.interval]
    low = max(min([*losses, *ends, 0.0]), min(*losses, 0.0) - _REACH)
    high = min(max([*losses, *ends, margin]), max(*losses, margin) + _REACH)
    pad = (high - low) * 0.03
    return low - pad, high + pad


def _describe(segments: Sequence[SegmentReport], margin: float) -> str:
    rows = "; ".join(
        f"{clip(one.tier, 20)} {segment_name(one.segment, 40)} {figures.points(one.loss)} "
        f"({figures.points_interval(one.interval)}), {words.STATES[one.state].word}"
        for one in segments[:20]
    )
    return f"Margin {figures.points(margin)}. {rows}."
