"""The book for people and for programs: the one number first, lines by month, segment, version or tier, JSON (undertow.ledger/1) and CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from undertow.records.money import Book, MoneyLine, Projection
from undertow.records.report import Interval
from undertow.reports import figures
from undertow.reports.aligned import aligned
from undertow.reports.names import clip, prose

SCHEMA = "undertow.ledger/1"
LISTS = ("month", "segment", "version", "tier")
SHOWN_LINES = 30
NAME_COLUMNS = 36
CSV_FIELDS = (
    "kind", "name", "month", "tier", "decisions", "savings_usd", "watching_usd", "downstream_usd", "downstream_low_usd", "downstream_high_usd",
    "net_usd", "net_low_usd", "net_high_usd",
)  # fmt: skip


def headline(book: Book) -> str:
    """One sentence: the net value a month, since when, and how it is known."""
    if book.net_usd_month is None:
        return "The net value of routing is not known."
    since = "" if book.since is None else f" since {book.since:%Y-%m-%d}"
    how = "against a randomised holdout" if book.causal else "against the period before: an observation, no proof"
    if book.net_interval is None:
        return f"Routing nets {figures.usd(book.net_usd_month)} a month{since}, {how}; too few users for an interval."
    low, high = book.net_interval
    span = f"{figures.usd(low)} to {figures.usd(high)}"
    if high < 0:
        return f"Routing costs more than it saves: net {span} a month{since}, {how}."
    if low > 0:
        return f"Routing pays: net {span} a month{since}, {how}."
    return f"Whether routing pays is open: net {span} a month{since}, {how}."


def book_document(book: Book) -> dict[str, Any]:
    """The document, as built-in values; absent is null."""
    document: dict[str, Any] = asdict(book)
    document["since"] = None if book.since is None else f"{book.since:%Y-%m-%dT%H:%M:%SZ}"
    return {"schema": SCHEMA, "headline": headline(book), **document}


def book_lines(book: Book, lists: Sequence[str] = ("month", "segment")) -> tuple[str, ...]:
    """The lines of the report, without colours.

    Args:
        book: The ledger.
        lists: Which of `LISTS` are shown.
    """
    lines = [headline(book)]
    for name in lists:
        rows = _rows(book, name)
        if not rows:
            continue
        head = ("", "requests", "saved", "watching", "downstream", "interval", "net", "interval")
        lines += ["", f"{_TITLES[name]}, USD in the whole period:" if name != "month" else "By month, USD:"]
        lines += aligned([head, *rows[:SHOWN_LINES]])
        if len(rows) > SHOWN_LINES:
            lines.append(f"  and {len(rows) - SHOWN_LINES} more (--csv has all)")
    if book.projections:
        lines += ["", "Expected of outcomes that are still coming (in no sum above):"]
        lines += [f"  {projection_words(each)}" for each in book.projections]
    if book.unpriced:
        named = ", ".join(clip(name, 40) for name in book.unpriced)
        lines += ["", f"  no price    {named}: set usd in [outcomes.NAME]"]
    lines += [f"  note        {prose(note, 400)}" for note in book.notes]
    lines += [
        f"  meaning     intervals hold at every moment at once, and for all lines of this report together, with {figures.level(book.level)}"
    ]
    return tuple(lines)


_TITLES = {"segment": "By segment", "version": "By policy version", "tier": "By tier"}


def lines_by(book: Book, name: str) -> tuple[tuple[str, MoneyLine], ...]:
    """The lines of one list, each with what it is called there. Names are untrusted.

    Args:
        book: The ledger.
        name: One of `LISTS`.
    """
    if name == "month":
        return tuple((line.month or "", line) for line in book.lines if line.place.kind == "whole" and line.month and line.tier is None)  # fmt: skip
    if name == "tier":
        return tuple((line.tier or "", line) for line in book.lines if line.tier is not None and line.month is None)
    return tuple((line.place.name, line) for line in book.lines if line.place.kind == name and line.month is None)


def _rows(book: Book, name: str) -> list[tuple[str, ...]]:
    return [_row(clip(called, NAME_COLUMNS), line) for called, line in lines_by(book, name)]


def _row(name: str, line: MoneyLine) -> tuple[str, ...]:
    return (
        name,
        f"{line.decisions:,}",
        figures.usd(line.savings_usd),
        figures.usd(line.watching_usd),
        figures.usd(line.downstream_usd),
        _interval(line.interval),
        figures.usd(line.net_usd),
        _interval(line.net_interval),
    )


def _interval(interval: Interval | None) -> str:
    return figures.ABSENT if interval is None else f"{figures.usd(interval[0])} to {figures.usd(interval[1])}"


def projection_words(found: Projection) -> str:
    """What an outcome that is still coming is expected to come to, in one sentence."""
    low, high = found.interval
    how = "against the holdout" if found.causal else "against the period before, an observation"
    return (
        f"{clip(found.outcome, 40)}: {figures.usd(low)} to {figures.usd(high)} a month for the last {found.days:.0f} days, {how}; "
        f"{figures.percent(found.arrived_share)} of it has come, and {figures.plural(found.backtests, 'projection')} made before "
        f"{'was' if found.backtests == 1 else 'were'} off by {figures.percent(found.backtest_error)}"
    )


def book_csv(book: Book) -> str:
    """Every line of the book as CSV. A name that a spreadsheet would take for a formula begins with a quote."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_FIELDS)
    for line in book.lines:
        low, high = line.interval or (None, None)
        net_low, net_high = line.net_interval or (None, None)
        writer.writerow(
            [line.place.kind, _inert(line.place.name), line.month, _inert(line.tier or ""), line.decisions]
            + [_number(usd) for usd in (line.savings_usd, line.watching_usd, line.downstream_usd, low, high)]
            + [_number(usd) for usd in (line.net_usd, net_low, net_high)]
        )
    return out.getvalue()


def _number(usd: float | None) -> str:
    return "" if usd is None else f"{usd:.2f}"


def _inert(name: str) -> str:
    """A name that does nothing in a spreadsheet.

    Examples:
        >>> _inert("=cmd()"), _inert("intent=billing")
        ("'=cmd()", 'intent=billing')
    """
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name
