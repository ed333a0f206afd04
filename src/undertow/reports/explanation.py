"""`undertow audit --explain`: which foreign field became which column, what is missing, and which model is in which tier."""

import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from undertow.reports.figures import percent
from undertow.reports.names import plain

CANONICAL = "This log is in Undertow's own format: its columns are read as they are. Nothing to explain."


def explanation_document(explanation: Any) -> dict[str, Any]:
    """The explanation as plain values; `schema` is `undertow.explain/1`."""
    if explanation is None:
        return {"schema": "undertow.explain/1", "format": "undertow", "columns": [], "missing": [], "tiers": []}
    return {
        "schema": "undertow.explain/1",
        "format": explanation.format,
        "records": explanation.records,
        "decisions": explanation.decisions,
        "signals": explanation.signals,
        "columns": [
            {"column": c.column, "source": c.source, "share": c.share, "note": c.note} for c in explanation.columns
        ],
        "missing": [{"column": m.column, "hint": m.hint} for m in explanation.missing],
        "tiers": [
            {
                "tier": t.tier, "model": t.model, "rows": t.rows, "price_usd_per_mtok": t.price_usd_per_mtok,
                "price_source": t.price_source, "rule": t.rule,
            }
            for t in explanation.tiers
        ],
        "tier_rule": explanation.tier_rule,
    }  # fmt: skip


def explanation_json(explanation: Any) -> bytes:
    """The explanation as JSON with a closing newline."""
    return (json.dumps(explanation_document(explanation), indent=1, allow_nan=False) + "\n").encode()


def render_explanation(explanation: Any, console: Console) -> None:
    """Print the explanation as tables. Names come from the log and are shown inert."""
    if explanation is None:
        console.print(CANONICAL)
        return
    document = explanation_document(explanation)
    console.print(f"Format [bold]{escape(plain(document['format']))}[/bold]\n")
    columns = Table("column", "filled from", "not null", "note", title="What was found", title_justify="left", box=None)
    for row in document["columns"]:
        columns.add_row(row["column"], _shown(row["source"]), percent(row["share"]), _shown(row["note"]))
    console.print(columns)
    if document["missing"]:
        missing = Table("column", "what would fill it", title="\nWhat is missing", title_justify="left", box=None)
        for row in document["missing"]:
            missing.add_row(row["column"], _shown(row["hint"]))
        console.print(missing)
    tiers = Table(
        "tier", "model", "decisions", "USD per M tokens", "why", title="\nTiers", title_justify="left", box=None
    )
    for row in document["tiers"]:
        price = row["price_usd_per_mtok"]
        tiers.add_row(
            _shown(row["tier"] or "none"), _shown(row["model"]), f"{row['rows']:,}",
            "unknown" if price is None else f"{price:.2f}", _shown(row["rule"]),
        )  # fmt: skip
    console.print(tiers)
    if document["tier_rule"]:
        console.print(f"\n{_shown(document['tier_rule'])}")


def _shown(text: str) -> str:
    return escape(plain(text))
