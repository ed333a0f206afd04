"""`undertow ledger`: savings against what they cost, per month, segment, policy version and tier."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from undertow.cli import exit_status
from undertow.cli.audit import FORMATS, id_key, settings_file
from undertow.cli.command import Command
from undertow.cli.drawing import progress_bar
from undertow.errors import UsageError


@click.command(
    "ledger",
    cls=Command,
    examples="""
    undertow ledger undertow-data/
    undertow ledger undertow-data/ --by version --by tier
    undertow ledger spend.jsonl --outcomes tickets.csv --csv ledger.csv
    undertow ledger undertow-data/ --json > ledger.json
    """,
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--by",
    "lists",
    multiple=True,
    type=click.Choice(("month", "segment", "version", "tier")),
    help="Which lines are shown. May be repeated. [default: month, segment]",
)
@click.option("--config", type=click.Path(exists=True, dir_okay=False), help="Settings, with [outcomes.NAME] usd. Default: undertow.toml in the log's folder, else here.")  # fmt: skip
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the log."
)
@click.option("--outcomes", multiple=True, metavar="FILE", help="Business outcomes: tickets, churn. May be repeated.")
@click.option("--signals", multiple=True, metavar="FILE", help="Feedback: reviews, thumbs, judge scores.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write every line as CSV.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write JSON (undertow.ledger/1), and nothing else, to standard output.")  # fmt: skip
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def command(
    inputs: tuple[str, ...],
    lists: tuple[str, ...],
    config: str | None,
    format_: str,
    outcomes: tuple[str, ...],
    signals: tuple[str, ...],
    csv_file: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Does routing pay, where, and since when? Savings minus watching minus what worse answers cost downstream.

    Exit status: 0 done, 2 bad usage or unreadable input. `undertow audit` says whether a loss is shown.
    """
    from undertow.adapters.whole_file import PRIVATE
    from undertow.bootstrap.audit import AuditRequest
    from undertow.bootstrap.ledger import run_ledger
    from undertow.cli.atomic_write import write_atomically
    from undertow.config.load import load_settings
    from undertow.reports import ledger

    if csv_file is not None and not csv_file.absolute().parent.is_dir():
        raise UsageError(f"--csv {csv_file}: its folder is not there; make it, or name another file")
    settings = load_settings(settings_file(config, inputs), os.environ).settings
    request = AuditRequest(
        inputs=inputs,
        format=format_,
        signals=signals,
        outcomes=outcomes,
        settings=settings,
        id_key=id_key(settings, os.environ),
        now=datetime.now(UTC),
    )
    with progress_bar(shown=not quiet) as progress:
        book = run_ledger(request, progress)
    if csv_file is not None:
        write_atomically(csv_file, ledger.book_csv(book).encode("utf-8", "replace"), mode=PRIVATE)
    if as_json:
        import json

        click.echo(json.dumps(ledger.book_document(book), indent=1, allow_nan=False))
    else:
        click.echo("\n".join(ledger.book_lines(book, lists or ("month", "segment"))))
    return exit_status.HEALTHY
