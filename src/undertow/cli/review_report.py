"""What `undertow review status` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from undertow.reports.figures import plural
from undertow.reports.names import clip, columns, prose

if TYPE_CHECKING:
    from undertow.reviewing.raters import Rate, RaterReport
    from undertow.reviewing.status import ReviewStatus

SCHEMA = "undertow.review/1"
MOST_ROWS = 40
"""Rows of tiers and segments that are shown; short ones first."""


def show_status(status: "ReviewStatus") -> None:
    """Print it for people."""
    queue = status.queue
    click.echo(f"review.{clip(status.name, 60)}")
    click.echo(
        f"  today      {status.today} of {plural(status.per_day, 'label')}, from {plural(status.votes_today, 'vote')}"
    )
    click.echo(
        f"  waiting    {plural(queue.items, 'item')}, {plural(queue.votes, 'vote')}; being judged {queue.held}, on their last day {queue.last_chance}"
    )
    if queue.by_stratum:
        click.echo(f"             {_counts(queue.by_stratum)}")
    click.echo(f"  conflicts  waiting for another reviewer {queue.conflicts}, in all {status.had_conflicts}")
    click.echo(f"  agreement  {_agreement(status)}")
    if status.seeds:
        click.echo(f"  seeded     {plural(status.seeds, 'case')}; {_rate(status.seen, 'known failures seen')}")
    _show_cells(status)
    if status.raters:
        click.echo("\nreviewers")
        rows = [
            ("", "votes", "skipped", "mean", "median s", "contradictions", "failures seen", "against others", "flags")
        ]
        rows += [_rater(rater) for rater in status.raters]
        _table(rows)
    for word in status.words:
        click.echo(f"note: {prose(word)}")


def as_document(status: "ReviewStatus") -> dict[str, object]:
    """The status as JSON data."""
    import msgspec

    return {"schema": SCHEMA, **msgspec.to_builtins(status)}


def _show_cells(status: "ReviewStatus") -> None:
    if not status.cells:
        return
    click.echo(f"\ndrawn and judged in {plural(status.cells[0].days, 'day')}")
    cells = sorted(status.cells, key=lambda cell: (not cell.is_short, cell.tier, cell.label))
    rows = [("tier", "segment", "drawn", "judged", "minimum", "")]
    rows += [
        (clip(c.tier, 24), clip(c.label, 40) if c.label else "all", f"{c.drawn}", f"{c.done}", f"{c.needed}", "too few" if c.is_short else "")
        for c in cells[:MOST_ROWS]
    ]  # fmt: skip
    _table(rows)
    if len(cells) > MOST_ROWS:
        click.echo(f"  and {len(cells) - MOST_ROWS} more; --json has them all")


def _rater(rater: "RaterReport") -> tuple[str, ...]:
    strictness = rater.strictness
    return (
        clip(rater.rater, 24),
        f"{rater.votes}",
        f"{rater.skipped}",
        "-" if rater.mean is None else f"{rater.mean:.2f}",
        "-" if rater.median_s is None else f"{rater.median_s:.0f}",
        f"{rater.contradictions} of {rater.repeats}",
        "-"
        if rater.seen is None
        else f"{rater.seen.count} of {rater.seen.of} ({rater.seen.low:.0%} to {rater.seen.high:.0%})",
        "-"
        if strictness is None
        else f"{strictness.difference:+.2f} ({strictness.low:+.2f} to {strictness.high:+.2f})",
        ", ".join(flag.replace("_", " ") for flag in rater.flags),
    )


def _agreement(status: "ReviewStatus") -> str:
    found = status.agreement
    if found is None:
        return "not known: nobody judged the same decision, or all votes are alike"
    return f"alpha {found.alpha:.2f} (95 % interval {found.low:.2f} to {found.high:.2f}) on {plural(found.units, 'decision')}"


def _rate(rate: "Rate | None", what: str) -> str:
    if rate is None:
        return f"no {what} yet"
    return f"{rate.count} of {rate.of} {what} ({rate.low:.0%} to {rate.high:.0%})"


def _counts(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{clip(str(name), 40)} {n}" for name, n in counts.items())


def show_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows in columns; the first one is the header. Names in them are made harmless."""
    _table([tuple(clip(cell, 48) if cell else "" for cell in row) for row in rows])


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(columns(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = (cell + " " * (width - columns(cell)) for cell, width in zip(row, widths, strict=True))
        click.echo(f"  {'  '.join(cells).rstrip()}")
