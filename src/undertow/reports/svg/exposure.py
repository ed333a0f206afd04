"""How far a rollout exposed each place, from move to move."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from undertow.reports import figures
from undertow.reports.names import clip
from undertow.reports.svg.canvas import NARROW_PX, Canvas
from undertow.reports.svg.panel import Panel, legend
from undertow.reports.svg.scales import seconds, spread

MAX_LINES = 6

CLASSES = ("c-all", "c-seg0", "c-seg1", "c-seg2", "c-seg3", "c-seg4")
"""Colours of the lines, all requests first."""


def exposure_chart(
    lines: Mapping[str, Sequence[tuple[datetime, float]]], until: datetime, width: float, ident: str
) -> str | None:
    """One line of steps a place: what holds from a move on until the next. None without moves.

    Args:
        lines: By place: moments of its moves, aware and rising, with the share of users that is exposed from then on.
        until: Where the lines end, aware.
        width: In pixels.
        ident: Prefix for ids.
    """
    shown = [(name, steps) for name, steps in lines.items() if steps][:MAX_LINES]
    if not shown:
        return None
    narrow = width < NARROW_PX
    named = list(zip(shown, CLASSES, strict=False))
    canvas = Canvas(width, 220, ident)
    top = 12.0
    if narrow:
        top += legend(canvas, 0, 0, width, [(clip(name, 30), cls) for (name, _), cls in named])
    first = min(steps[0][0] for _, steps in shown)
    last = max(until, *(steps[-1][0] for _, steps in shown), first + timedelta(hours=1))
    right = 8 if narrow else 152
    panel = Panel(canvas, 48, top, width - 48 - right, 160, (first, last), 0.0, 1.0, "exposure")
    canvas.height = panel.bottom + 28
    panel.draw_axes(lambda value: f"{value * 100:.0f} %", at=(0.0, 0.25, 0.5, 0.75, 1.0))
    for (_, steps), cls in reversed(named):
        canvas.polyline(_corners(panel, steps, last), f"line strong {cls}")
    if not narrow:
        ends = spread([panel.y(steps[-1][1]) for _, steps in shown], 15.0, panel.top + 4, panel.bottom - 2)
        for ((name, _), cls), y in zip(named, ends, strict=True):
            canvas.text(panel.left + panel.width + 8, y + 4, clip(name, 20), f"name {cls}", room=right - 10)
    told = [f"{clip(name, 40)} from {figures.percent(steps[0][1])} to {figures.percent(steps[-1][1])}" for name, steps in shown]  # fmt: skip
    return canvas.render("Share of users exposed over time", "; ".join(told) + ".")


def _corners(panel: Panel, steps: Sequence[tuple[datetime, float]], last: datetime) -> list[tuple[float, float]]:
    corners: list[tuple[float, float]] = []
    for at, exposure in steps:
        x = panel.x(seconds(at))
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, panel.y(exposure)))
    return [*corners, (panel.x(seconds(last)), corners[-1][1])]
