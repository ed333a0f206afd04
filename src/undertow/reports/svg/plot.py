"""A plot of one number against another: frame, ticks and scales, for charts whose x axis is no time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from undertow.reports.svg.canvas import Canvas
from undertow.reports.svg.scales import Scale, ticks

LEFT_PX, TOP_PX, BOTTOM_PX = 50.0, 30.0, 44.0


@dataclass(frozen=True, slots=True)
class Plot:
    """One panel.

    Attributes:
        canvas: Where it is drawn.
        x, y: Scales, from values to pixels.
    """

    canvas: Canvas
    x: Scale
    y: Scale

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point, kept inside the frame."""
        return self.x.held(x), self.y.held(y)

    def line(self, points: Sequence[tuple[float, float]], cls: str) -> None:
        """A line through points."""
        self.canvas.polyline([self.place(x, y) for x, y in points], cls)

    def area(self, low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]], cls: str) -> None:
        """The area between two lines."""
        edge = [self.place(x, y) for x, y in low] + [self.place(x, y) for x, y in reversed(high)]
        self.canvas.polygon(edge, cls)


def framed(
    canvas: Canvas,
    box: tuple[float, float, float, float],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    *,
    title: str,
    x_label: str,
    show: Callable[[float], str],
    show_x: Callable[[float], str] | None = None,
) -> Plot:
    """A panel with its frame, ticks, title and the name of its x axis.

    Args:
        canvas: Where it is drawn.
        box: Left, top, width and height of all of it, in pixels.
        x_range: Values at the ends of the x axis.
        y_range: Values at the ends of the y axis.
        title: Above it.
        x_label: Below it.
        show: A value of the y axis as text.
        show_x: A value of the x axis as text; None: like those of the y axis.
    """
    left, top, width, height = box
    x = Scale(*x_range, left + LEFT_PX, left + width - 20)
    y = Scale(*y_range, top + height - BOTTOM_PX, top + TOP_PX)
    canvas.text(left, top + 14, title, "paneltitle", room=width)
    for value in ticks(*y_range, 5):
        canvas.line(x.start, y(value), x.end, y(value), "grid")
        canvas.text(x.start - 8, y(value) + 4, show(value), "tick", "end")
    for value in ticks(*x_range, 5 if width > 240 else 3):
        canvas.line(x(value), y.start, x(value), y.start + 4, "axis")
        canvas.text(x(value), y.start + 18, (show_x or show)(value), "tick", "middle")
    canvas.line(x.start, y.start, x.end, y.start, "axis")
    canvas.text((x.start + x.end) / 2, y.start + 36, x_label, "tick", "middle", room=x.end - x.start + LEFT_PX)
    return Plot(canvas, x, y)


def grid(
    count: int, width: float, wanted_px: float, height: float, gap: float = 20.0
) -> list[tuple[float, float, float, float]]:
    """Boxes for so many panels, in rows: left, top, width and height of each.

    Examples:
        >>> [box[:2] for box in grid(3, 880, 280, 250)]
        [(0.0, 0.0), (300.0, 0.0), (600.0, 0.0)]
        >>> len({box[1] for box in grid(3, 340, 280, 250)})
        3
    """
    across = max(1, min(count, int((width + gap) // (wanted_px + gap))))
    each = (width - gap * (across - 1)) / across
    return [
        ((place % across) * (each + gap), (place // across) * (height + gap), each, height) for place in range(count)
    ]
