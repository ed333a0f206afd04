"""`undertow audit --explain`: which foreign field became which column, what is missing, and which model is in which tier.

Names of fields, models and tiers come from the log: they are made harmless and enter as `rich.text.Text`, never as markup.
"""

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from undertow.adapters.importers.result import Explanation
from undertow.reports.figures import count, percent, usd
from undertow.reports.names import clip, prose

SCHEMA = "undertow.explain/1"
CANONICAL = "This log is in Undertow's own format: its columns are read as they are. Nothing to explain."


def explanation_document(explanation: Explanation | None) -> dict[str, Any]:
    """The explanation as plain values; None, Undertow's own format, explains nothing."""
    if explanation is None:
        return {"schema": SCHEMA, "format": "undertow", "columns": [], "missing": [], "tiers": [], "signals": {}}
    return {
        "schema": SCHEMA,
        "format": explanation.format,
        "columns": [
            {"column": one.column, "source": one.source, "share": float(one.share), "note": one.note}
            for one in explanation.columns
        ],
        "missing": [{"column": one.column, "hint": one.hint} for one in explanation.missing],
        "tiers": [
            {
                "tier": one.tier,
                "model": one.model,
                "rows": int(one.rows),
                "price_usd_per_mtok": one.price_usd_per_mtok,
                "price_source": one.price_source,
                "rule": one.rule,
            }
            for one in explanation.tiers
        ],
        "signals": {name: int(n) for name, n in explanation.signals.items()},
    }


def explanation_json(explanation: Explanation | None) -> bytes:
    """The explanation as JSON with a closing newline; what is not finite is null."""
    text = msgspec.json.encode(explanation_document(explanation))
    return msgspec.json.format(text, indent=1) + b"\n"


def render_explanation(explanation: Explanation | None, console: Console) -> None:
    """Print the explanation as tables."""
    if explanation is None:
        console.print(CANONICAL)
        return
    console.print(Text(f"Format {clip(explanation.format, 40)}", "bold"))
    columns = _table("What was found", "column", "filled from", "not null", "note")
    for one in explanation.columns:
        columns.add_row(one.column, _text(one.source), percent(one.share), _text(one.note))
    console.print(columns)
    if explanation.missing:
        missing = _table("What is missing", "column", "what would fill it")
        for one in explanation.missing:
            missing.add_row(one.column, _text(one.hint))
        console.print(missing)
    tiers = _table("Tiers", "tier", "model", "decisions", "USD per M tokens", "why")
    for one in explanation.tiers:
        name = "none" if one.tier is None else clip(one.tier, 30)
        price = "unknown" if one.price_usd_per_mtok is None else usd(one.price_usd_per_mtok)
        tiers.add_row(Text(name), Text(clip(one.model, 60)), count(one.rows), price, _text(one.rule))
    console.print(tiers)
    if explanation.signals:
        signals = _table("Signals", "signal", "rows")
        for name, n in explanation.signals.items():
            signals.add_row(Text(clip(name, 60)), count(n))
        console.print(signals)
    else:
        console.print("\nNo signals in this log: pass --signals FILE (reviews, ratings, thumbs, checks).")


def _table(title: str, *headings: str) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _text(text: str) -> Text:
    return Text(prose(text, 300))
