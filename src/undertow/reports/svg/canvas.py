"""Writing SVG: shapes and text with escaping, and a root element that screen readers can name."""

from collections.abc import Sequence
from html import escape

from undertow.reports.names import ELLIPSIS, columns

NARROW_PX = 600
"""Below this width a chart takes its narrow form: labels above rows, panels under one another."""


_WIDTHS_PX: dict[str, float] = {
    **dict.fromkeys("ijlI.,:;|!'/\\ -", 4.4),
    **dict.fromkeys('frt()[]"', 5.1),
    **dict.fromkeys("DGHNOQUw", 9.9),
    **dict.fromkeys("+<=>~^#", 10.1),
    **dict.fromkeys("mWM@%&", 11.9),
}
"""Letters that are not of the common width, at 12 px, by the widest type that systems set pages in (DejaVu Sans, Verdana)."""
_CAPITAL_PX = 8.5
_COMMON_PX = 7.7
_BOLD = 1.13
"""Bold type is this much wider."""
_BOLD_CLASSES = frozenset(("strong", "name", "marginlabel"))
"""Classes of text that the style sheet sets in bold type."""


def text_px(text: str, cls: str = "") -> float:
    """Estimated width of 12 px system type, in pixels, rather too wide than too narrow: fonts differ between machines.

    Args:
        text: As it will be shown.
        cls: Its classes, as `Canvas.text` takes them; those of bold type are wider.

    Examples:
        >>> text_px("ill") < text_px("abc") < text_px("MWM") < text_px("日本語")
        True
    """
    return _weight(cls) * sum(_letter_px(letter) for letter in text)


def _weight(cls: str) -> float:
    return 1.0 if _BOLD_CLASSES.isdisjoint(cls.split()) else _BOLD


def _letter_px(letter: str) -> float:
    if letter.isascii():
        return _WIDTHS_PX.get(letter, _CAPITAL_PX if letter.isupper() else _COMMON_PX)
    cells = columns(letter)
    if cells == 0:
        return 0.0
    # Signs outside ASCII come from whatever font has them, and are often as wide as a CJK letter.
    return 13.0 if cells > 1 or not letter.isalpha() else 8.0


def fit(text: str, room_px: float) -> str:
    """The text, cut with an ellipsis where it would be wider than the room.

    Examples:
        >>> fit("intent=billing", 60), fit("cheap", 60)
        ('intent…', 'cheap')
    """
    if text_px(text) <= room_px:
        return text
    kept, used = [], text_px(ELLIPSIS)
    for letter in text:
        used += _letter_px(letter)
        if used > room_px:
            break
        kept.append(letter)
    cut = "".join(kept).rstrip(" ,=" + ELLIPSIS)
    # An isolate that lost its end would swallow the ellipsis.
    return cut + "\u2069" * (cut.count("\u2068") - cut.count("\u2069")) + ELLIPSIS


def _attributes(attributes: dict[str, object]) -> str:
    parts = []
    for name, value in attributes.items():
        if value is None or value == "":
            continue
        shown = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
        parts.append(f' {name.rstrip("_").replace("_", "-")}="{escape(shown)}"')
    return "".join(parts)


class Canvas:
    """An SVG drawing under construction.

    Args:
        width, height: Of the drawing, in pixels. `height` may be set later, when the rows are known.
        ident: Prefix of every id in the drawing; unique on the page.
    """

    def __init__(self, width: float, height: float, ident: str) -> None:
        self.width = width
        self.height = height
        self.ident = ident
        self._parts: list[str] = []
        self._clips: set[str] = set()

    def add(self, tag: str, **attributes: object) -> None:
        """An element without content. A trailing underscore of a name is dropped (`class_`), others become hyphens."""
        self._parts.append(f"<{tag}{_attributes(attributes)}/>")

    def line(self, x1: float, y1: float, x2: float, y2: float, cls: str) -> None:
        """A straight line."""
        self.add("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=cls)

    def rect(self, x: float, y: float, width: float, height: float, cls: str, *, radius: float = 0) -> None:
        """A rectangle; a width below nothing is taken as nothing."""
        self.add(
            "rect",
            x=float(x),
            y=float(y),
            width=float(max(width, 0)),
            height=float(max(height, 0)),
            rx=float(radius) or None,
            class_=cls,
        )

    def circle(self, x: float, y: float, radius: float, cls: str) -> None:
        """A disc."""
        self.add("circle", cx=float(x), cy=float(y), r=float(radius), class_=cls)

    def polygon(self, points: Sequence[tuple[float, float]], cls: str, clip: str | None = None) -> None:
        """A filled shape."""
        self.add("polygon", points=_points(points), class_=cls, clip_path=f"url(#{clip})" if clip else None)

    def polyline(self, points: Sequence[tuple[float, float]], cls: str, clip: str | None = None) -> None:
        """An open line through points."""
        self.add("polyline", points=_points(points), class_=cls, clip_path=f"url(#{clip})" if clip else None)

    def text(
        self, x: float, y: float, text: str, cls: str = "", anchor: str = "start", *, room: float | None = None
    ) -> None:
        """Text at its baseline, escaped, cut to `room` pixels where that is given."""
        if room is not None:
            text = fit(text, room / _weight(cls))
        attributes = _attributes({"x": float(x), "y": float(y), "class_": cls, "text_anchor": anchor})
        self._parts.append(f"<text{attributes}>{escape(text)}</text>")

    def clip_rect(self, name: str, x: float, y: float, width: float, height: float) -> str:
        """Define a clipping rectangle, once for each name, and return its id."""
        ident = f"{self.ident}-{name}"
        if ident in self._clips:
            return ident
        self._clips.add(ident)
        box = _attributes({"x": float(x), "y": float(y), "width": float(width), "height": float(height)})
        self._parts.append(f'<clipPath id="{escape(ident)}"><rect{box}/></clipPath>')
        return ident

    def render(self, title: str, description: str) -> str:
        """The finished drawing, named and described for those who do not see it."""
        size = f"{self.width:.0f} {self.height:.0f}"
        ident = escape(self.ident)
        return (
            f'<svg class="chart" role="img" viewBox="0 0 {size}" width="{self.width:.0f}" height="{self.height:.0f}" '
            f'aria-labelledby="{ident}-title {ident}-desc" xmlns="http://www.w3.org/2000/svg">'
            f'<title id="{ident}-title">{escape(title)}</title><desc id="{ident}-desc">{escape(description)}</desc>'
            + "".join(self._parts)
            + "</svg>"
        )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
