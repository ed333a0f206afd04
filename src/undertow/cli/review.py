"""`undertow review`: decisions judged by people, blind, in the terminal or in another tool."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.audit import FORMATS as LOG_FORMATS
from undertow.cli.audit import settings_file
from undertow.cli.command import FiniteRange, Group
from undertow.errors import DataError, LogError, UsageError

if TYPE_CHECKING:
    from undertow.adapters.reviews.store import StoreReviews
    from undertow.config.load import LoadedSettings
    from undertow.records.review import Imported
    from undertow.services.review import ReviewDesk
    from undertow.services.review_draw import DayDrawn

EXCHANGE = ("jsonl", "csv", "argilla", "langfuse")
SCHEMA = "undertow.review/1"
FILE_MODE = 0o640

_folder = click.argument("folder", metavar="DIR")
_config = click.option("--config", metavar="FILE", help="Settings. Default: undertow.toml in DIR or here.")
_json = click.option(
    "--json", "as_json", is_flag=True, help="JSON (undertow.review/1) on standard output, and nothing else there."
)


@click.group(
    "review",
    cls=Group,
    examples="""
    undertow review start undertow-data/
    undertow review status undertow-data/
    undertow review export undertow-data/ --format csv --out reviews.csv
    undertow review import undertow-data/ reviews.csv --format csv --rater ann
    """,
)
def command() -> None:
    """Judge decisions that were drawn for review: blind, one after the other, in the terminal or in another tool."""


@command.command(
    "start",
    examples="""
    undertow review start undertow-data/
    undertow review start undertow-data/ --rater ann
    """,
)
@_folder
@click.option("--rater", metavar="NAME", help="Who reviews. Default: the user of this machine.")
@_config
def start(folder: str, rater: str | None, config: str | None) -> None:
    """Review item after item until you quit. Each verdict is kept at once, so Ctrl-C loses nothing."""
    _review(folder, rater, config, None)


@command.command("next", examples="undertow review next undertow-data/")
@_folder
@click.option("--rater", metavar="NAME", help="Who reviews. Default: the user of this machine.")
@_config
def next_(folder: str, rater: str | None, config: str | None) -> None:
    """Review one item."""
    _review(folder, rater, config, 1)


def _review(folder: str, rater: str | None, config: str | None, count: int | None) -> None:
    from undertow.cli.review_screen import review_in_terminal, reviewer

    with _desk(folder, config) as (desk, _, _):
        review_in_terminal(desk, reviewer(rater), count)


@command.command(
    "status",
    examples="""
    undertow review status undertow-data/
    undertow review status undertow-data/ --json | jq .queue
    """,
)
@_folder
@_config
@_json
def status(folder: str, config: str | None, as_json: bool) -> None:
    """Say what waits, how far today is, how well reviewers agree, and where labels are missing."""
    from undertow.cli.review_report import as_document, show_status

    with _desk(folder, config) as (desk, _, _):
        found = desk.status()
    if as_json:
        click.echo(json.dumps(as_document(found), indent=1, ensure_ascii=False))
    else:
        show_status(found)


@command.command(
    "export",
    examples="""
    undertow review export undertow-data/ --format csv --out reviews.csv
    undertow review export undertow-data/ --format argilla --limit 50 --out records.json
    """,
)
@_folder
@click.option("--format", "format_", type=click.Choice(EXCHANGE), default="jsonl", show_default=True, help="For which tool.")  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where to. Default: standard output.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Most items. Default: [review] per_day.")
@click.option("--hold-hours", type=FiniteRange(min=0), default=72.0, show_default=True, metavar="HOURS", help="How long they are kept from reviewers here.")  # fmt: skip
@click.option("--name", default="export", show_default=True, metavar="NAME", help="Of this export: under it the items are held.")  # fmt: skip
@_config
def export(
    folder: str, format_: str, out: Path | None, limit: int | None, hold_hours: float, name: str, config: str | None
) -> None:
    """Write the next items of the queue for another tool: blind, without tier, model or confidence."""
    from undertow.adapters.reviews.formats import FORMATS
    from undertow.cli.atomic_write import write_atomically
    from undertow.reports.figures import plural
    from undertow.services.review_exchange import export_sheets

    now = datetime.now(UTC)
    with _desk(folder, config) as (desk, store, _):
        sheets = export_sheets(
            store,
            desk.look,
            desk.rules,
            limit=limit or max(desk.rules.per_day, 1),
            hold_s=hold_hours * 3600.0,
            now_s=now.timestamp(),
            name=name,
        )
        content = FORMATS[format_].write(sheets, desk.rules, now.isoformat(timespec="milliseconds"))
    if out is None:
        click.echo(content, nl=False)
    else:
        write_atomically(out, content, mode=FILE_MODE)
    if sheets:
        said = f"exported {plural(len(sheets), 'item')}; bring the labels back with `undertow review import`"
    else:
        said = "exported nothing: no item waits that is not held by a reviewer or an earlier export"
    click.echo(said, err=True)


@command.command(
    "import",
    examples="""
    undertow review import undertow-data/ reviews.csv --format csv --rater ann
    undertow review import undertow-data/ records.json --format argilla
    undertow review import undertow-data/ scores.json --format langfuse --scale 1,5
    """,
)
@_folder
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--format", "format_", type=click.Choice(EXCHANGE), default="jsonl", show_default=True, help="Of which tool.")  # fmt: skip
@click.option("--rater", metavar="NAME", help="Whose labels they are, where the file does not say.")
@click.option("--scale", default="0,1", show_default=True, metavar="WORST,BEST", help="What numbers in the file mean.")
@_config
@_json
def import_(
    folder: str,
    files: tuple[Path, ...],
    format_: str,
    rater: str | None,
    scale: str,
    config: str | None,
    as_json: bool,
) -> None:
    """Take labels from another tool. What does not fit is set aside, counted and shown; a second time changes nothing."""
    from undertow.adapters.reviews.formats import FORMATS
    from undertow.services.review_exchange import take_labels

    ends = _scale(scale)
    with _desk(folder, config) as (desk, store, _):
        labels = [label for file in files for label in FORMATS[format_].read(file, desk.rules, ends)]
        now_s = datetime.now(UTC).timestamp()
        found = take_labels(labels, store, desk.look, desk.rules, now_s=now_s, format_=format_, rater=rater)
        signals = desk.publish()
    if as_json:
        document = {
            "schema": SCHEMA,
            "read": found.read,
            "kept": found.kept,
            "set_aside": found.set_aside,
            "examples": [{"row": row, "reason": reason} for row, reason in found.examples],
            "signals": signals,
        }
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        _show_import(found, signals)


@command.command(
    "seed",
    examples="undertow review seed undertow-data/ known-failures.jsonl",
)
@_folder
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@_config
def seed(folder: str, file: Path, config: str | None) -> None:
    """Add answers whose quality is known (prompt, answer, value) to be mixed in: they measure how many failures a reviewer sees.

    They never become signals.
    """
    from undertow.adapters.reviews.seeds import read_seeds
    from undertow.reports.figures import plural

    with _desk(folder, config) as (desk, _, _):
        read = read_seeds(file)
        new = desk.add_seeds(read.seeds)
    click.echo(f"{plural(new, 'new case')} of {len(read.seeds)}; one place in 20 of each reviewer's queue shows one")
    for reason, count in sorted(read.set_aside.items()):
        click.echo(f"set aside: {plural(count, 'row')} ({reason.replace('_', ' ')})")


@command.command(
    "draw",
    examples="""
    undertow review draw undertow-data/ --day 2026-03-01
    undertow review draw reviews/ --log litellm-spend.jsonl --texts texts.jsonl --per-day 100
    undertow review draw undertow-data/ --dry-run
    """,
)
@_folder
@click.option("--day", metavar="DATE", help="UTC day to draw from. Default: yesterday.")
@click.option("--log", "logs", multiple=True, metavar="INPUT", help="The log, as for `audit`. Default: that of DIR.")
@click.option("--format", "format_", type=click.Choice(LOG_FORMATS), default="auto", show_default=True, help="Format of the log.")  # fmt: skip
@click.option("--texts", type=click.Path(path_type=Path), metavar="FILE", help="decision_id, prompt and answer, where the log has no text.")  # fmt: skip
@click.option("--per-day", type=click.IntRange(min=1), metavar="N", help="Decisions to draw. Default: [review] per_day.")  # fmt: skip
@click.option("--segment", metavar="KEY", help="Key that divides the day. Default: [monitors] segments, else the commonest.")  # fmt: skip
@click.option("--salt", metavar="TEXT", help="Makes another draw. Default: the store's own.")
@click.option("--dry-run", is_flag=True, help="Say how many would be drawn where; write nothing.")
@_config
@_json
def draw(
    folder: str,
    day: str | None,
    logs: tuple[str, ...],
    format_: str,
    texts: Path | None,
    per_day: int | None,
    segment: str | None,
    salt: str | None,
    dry_run: bool,
    config: str | None,
    as_json: bool,
) -> None:
    """Draw a day of a log for review after the fact: of another gateway, or of a day on which nothing was drawn.

    The long tail is drawn more often, each tier and segment has its minimum, and the inclusion probability of every decision is kept,
    also of those not chosen.
    """
    from undertow.bootstrap.reviewing import batch_rules, open_day_log
    from undertow.cli.drawing import progress_bar
    from undertow.services.review_draw import draw_day

    loaded = _settings(config, folder)
    settings, store, when = loaded.settings, Path(folder), _day(day, settings_days=loaded.settings.retention.sampled_text_days)  # fmt: skip
    if not logs and not store.is_dir():
        raise LogError(f"{folder}: no such folder; name the log with --log, and DIR is made")
    keys = settings.monitors.segments
    with (
        progress_bar(shown=not as_json) as progress,
        open_day_log(store, logs, format_, settings, texts=texts, progress=progress) as log,
    ):
        drawn = draw_day(
            log,
            when,
            batch_rules(settings, per_day),
            salt or _salt(store),
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            segment_key=segment or (keys[0] if keys else None),
            is_dry=dry_run,
        )
    if as_json:
        click.echo(json.dumps(_drawn_document(drawn), indent=1, ensure_ascii=False))
    else:
        _show_drawn(drawn)


@contextmanager
def _desk(folder: str, config: str | None) -> Iterator[tuple["ReviewDesk", "StoreReviews", "LoadedSettings"]]:
    from undertow.bootstrap.reviewing import open_desk, review_rules

    store = Path(folder)
    if not any((store / part).is_dir() for part in ("sampled", "decisions", "signals", "state")):
        raise LogError(
            f"{folder}: this is no store (no sampled/ in it); a gateway creates it, or `undertow review draw` from a log"
        )
    loaded = _settings(config, folder)
    name = loaded.settings.store.id_key_env
    key = os.environ.get(name) if name else None
    with open_desk(store, review_rules(loaded.settings), id_key=key.encode() if key else None) as (desk, reviews):
        yield desk, reviews, loaded


def _settings(config: str | None, folder: str) -> "LoadedSettings":
    from undertow.config.load import load_settings

    return load_settings(settings_file(config, (folder,)), os.environ)


def _scale(text: str) -> tuple[float, float]:
    """Worst and best of a scale."""
    try:
        worst, best = (float(part) for part in text.split(","))
    except ValueError:
        worst = best = 0.0
    if not abs(worst - best) > 0.0 or abs(worst - best) == float("inf"):
        raise UsageError(f"--scale {text!r}: expected two different numbers, the worst and the best, such as 1,5")
    return worst, best


def _day(text: str | None, *, settings_days: float) -> date:
    today = datetime.now(UTC).date()
    if text is None:
        return today - timedelta(days=1)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--day {text!r}: expected a date such as 2026-03-01") from None
    if day >= today:
        raise UsageError(f"--day {text}: that day is not over yet (UTC); draw it tomorrow")
    if (today - day).days > settings_days:
        raise DataError(
            f"--day {text}: texts may be shown for {settings_days:g} days ([retention] sampled_text_days); name a later day, or raise that"
        )
    return day


def _salt(store: Path) -> str:
    """The salt of the store's draws, so that a draw can be made again by whoever has the store."""
    import msgspec

    from undertow.records.runtime_files import SAMPLING
    from undertow.records.sampling import SamplingRates
    from undertow.records.unreadable import UNREADABLE

    try:
        return msgspec.json.decode((store / SAMPLING).read_bytes(), type=SamplingRates).salt
    except (OSError, *UNREADABLE):
        return SamplingRates().salt


def _show_import(found: "Imported", signals: int) -> None:
    from undertow.reports.figures import plural

    click.echo(f"{found.kept} of {plural(found.read, 'label')} kept, {plural(signals, 'signal')} written")
    for reason, count in found.set_aside.items():
        rows = [str(row) for row, why in found.examples if why == reason][:5]
        where = f" (row {', '.join(rows)}{', ...' if count > len(rows) else ''})" if rows else ""
        click.echo(f"set aside: {count} {reason.replace('_', ' ')}{where}")


def _drawn_document(drawn: "DayDrawn") -> dict[str, object]:
    from dataclasses import asdict

    kept = drawn.kept
    return {
        "schema": SCHEMA,
        "day": drawn.day.isoformat(),
        "segment_key": drawn.segment_key,
        "decisions": drawn.decisions,
        "drawn": drawn.drawn,
        "cells": [asdict(cell) for cell in drawn.cells],
        "written": None if kept is None else asdict(kept),
    }


def _show_drawn(drawn: "DayDrawn") -> None:
    from undertow.cli.review_report import show_table

    verb = "would draw" if drawn.kept is None else "drew"
    click.echo(f"{drawn.day}: {verb} {drawn.drawn:,} of {drawn.decisions:,} decisions")
    show_table(
        [("tier", "segment", "stratum", "decisions", "drawn", "probability")]
        + [
            (c.tier, c.segment, c.stratum, f"{c.size:,}", f"{c.drawn:,}", f"{c.drawn / c.size:.4f}")
            for c in drawn.cells
        ]
    )
    if drawn.kept is None:
        click.echo("nothing was written")
    elif drawn.kept.without_text:
        missing = len(drawn.kept.without_text)
        click.echo(
            f"{missing} of the drawn have no text in the log; give their texts with --texts, or raise retention.text_days"
        )
