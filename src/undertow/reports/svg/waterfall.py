"""The ledger as a waterfall: from nothing, through savings and costs, to the net value a month. Rows run downwards."""

from collections.abc import Sequence

from undertow.records.report import Ledger
from undertow.reports import figures, money, words
from undertow.reports.names import clip, isolated
from undertow.reports.svg.canvas import NARROW_PX, Canvas, text_px
from undertow.reports.svg.scales import Scale, ticks

MAX_STEPS = 12
_LABEL_PX = 290
_COMPARED = frozenset({"savings", "downstream"})
"""Kinds of which it matters how they are known; what watching costs is on the bill."""


def waterfall_chart(ledger: Ledger, width: float, ident: str) -> str | None:
    """Each bar starts where the one before it ended; whiskers are intervals of the item itself. None without items."""
    parts = _shortened(money.steps(ledger))
    if not parts:
        return None
    narrow = width < NARROW_PX
    rows: list[tuple[money.Step, float, float]] = []
    at = 0.0
    for step in parts:
        rows.append((step, at, at + step.usd_month))
        at += step.usd_month
    if ledger.net_usd_month is not None:
        rows.append((money.Step("net value", "net", ledger.net_usd_month, ledger.interval), 0.0, ledger.net_usd_month))
    low, high = _range(rows)
    label_px, value_px = (0, 0) if narrow else (_LABEL_PX, 205)
    row_px = 50 if narrow else 34
    top = 8.0
    bottom = top + row_px * len(rows)
    canvas = Canvas(width, bottom + 28, ident)
    x = Scale(low, high, label_px + 10, width - value_px - 10)
    # Vertical rules stop where a narrow drawing has its labels.
    spans = [(top, bottom)]
    if narrow:
        spans = [(top + row_px * row + 21, top + row_px * (row + 1) - 5) for row in range(len(rows))]
    marks = ticks(low, high, 4 if narrow else 5)
    for y1, y2 in spans:
        for value in marks:
            canvas.line(x(value), y1, x(value), y2, "grid")
        canvas.line(x(0), y1, x(0), y2, "axis")
    for value in marks:
        canvas.text(x(value), bottom + 16, figures.usd(value), "tick", "middle")
    for position, (step, start, end) in enumerate(rows):
        y = top + row_px * position
        if step.kind == "net":
            canvas.line(0, y + 1, width, y + 1, "axis")
        _row(canvas, step, (start, end), x, y, narrow=narrow)
        if not narrow and position + 1 < len(rows) and rows[position + 1][0].kind != "net":
            canvas.line(x(end), y + row_px - 8, x(end), y + row_px + 8, "step")
    described = "; ".join(
        f"{clip(step.label, 40)} {figures.usd(step.usd_month, plus=True)}{_known(step)}" for step, _, _ in rows
    )
    return canvas.render("Ledger: savings, costs and net value a month", f"{described}.")


def _row(
    canvas: Canvas,
    step: money.Step,
    span: tuple[float, float],
    x: Scale,
    y: float,
    *,
    narrow: bool,
) -> None:
    start, end = span
    bar_top, bar_px = (y + 24, 18) if narrow else (y + 8, 18)
    centre = bar_top + bar_px / 2
    sign = "gain" if step.usd_month >= 0 else "cost"
    strong = " strong" if step.kind == "net" else ""
    value = figures.usd(step.usd_month, plus=True)
    if step.interval is not None and not narrow:
        value += f" ({figures.usd_interval(step.interval)})"
    tier = clip(step.tier, 12) if step.tier else ""
    how = words.COMPARISONS[step.causal] if step.causal is not None and step.kind in _COMPARED else None
    label = ("" if how is None else f"{how.symbol} ") + isolated(clip(step.label, 40))
    if tier:
        label += f" ({isolated(tier)})"
    if narrow:
        canvas.text(0, y + 17, label, f"label{strong}", room=canvas.width - text_px(value, strong) - 10)
        canvas.text(canvas.width, y + 17, value, f"value{strong}", "end")
    else:
        canvas.text(6, centre + 4, label, f"label{strong}", room=_LABEL_PX - 8)
        canvas.text(canvas.width - 4, centre + 4, value, f"value{strong}", "end")
    left, right = sorted((x.held(start), x.held(end)))
    canvas.rect(left, bar_top, max(right - left, 1.5), bar_px, f"bar k-{step.kind} {sign}", radius=2)
    if step.interval is not None:
        one, two = x.held(start + step.interval[0]), x.held(start + step.interval[1])
        canvas.line(one, centre, two, centre, "bound")
        canvas.line(one, centre - 4, one, centre + 4, "bound")
        canvas.line(two, centre - 4, two, centre + 4, "bound")


def _known(step: money.Step) -> str:
    how = words.COMPARISONS[step.causal] if step.causal is not None and step.kind in _COMPARED else None
    return "" if how is None else f" ({how.word})"


def _shortened(parts: Sequence[money.Step]) -> tuple[money.Step, ...]:
    """The largest items by name and the others as one, so that the picture stays readable and still adds up."""
    if len(parts) <= MAX_STEPS:
        return tuple(parts)
    kept = sorted(parts, key=lambda step: -abs(step.usd_month))[: MAX_STEPS - 1]
    others = [step for step in parts if step not in kept]
    total = sum(step.usd_month for step in others)
    rest = money.Step(f"{len(others)} smaller items", others[-1].kind, total)
    return (*(step for step in parts if step in kept), rest)


def _range(rows: Sequence[tuple[money.Step, float, float]]) -> tuple[float, float]:
    ends = [0.0]
    for step, start, end in rows:
        ends += [start, end]
        if step.interval is not None:
            ends += [start + step.interval[0], start + step.interval[1]]
    pad = (max(ends) - min(ends)) * 0.03 or 1.0
    return min(ends) - pad, max(ends) + pad
