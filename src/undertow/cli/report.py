"""`undertow report`: the week for people, on one page."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import click

from undertow.cli import exit_status
from undertow.cli.audit import FORMATS, id_key, parse_date, settings_file
from undertow.cli.command import Command
from undertow.cli.drawing import progress_bar
from undertow.errors import UsageError


@click.command(
    "report",
    cls=Command,
    examples="""
    undertow report undertow-data/ --weekly
    undertow report undertow-data/ --weekly --html week.html --markdown week.md
    undertow report spend.jsonl --signals reviews.csv --until 2026-04-06 --json
    """,
)
@click.argument("inputs", nargs=-1, required=True, metavar="STORE|LOG...")
@click.option("--weekly", is_flag=True, default=True, help="The last seven days against the seven before. (The only sort there is.)")  # fmt: skip
@click.option("--until", metavar="DATE", help="End of the week, as 2026-04-06 (UTC, excluded). Default: the midnight after the last decision.")  # fmt: skip
@click.option("--config", type=click.Path(exists=True, dir_okay=False), help="Settings. Default: undertow.toml in the log's folder, else here.")  # fmt: skip
@click.option("--format", "format_", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the log.")  # fmt: skip
@click.option("--signals", multiple=True, metavar="FILE", help="Feedback: reviews, thumbs, judge scores.")
@click.option("--outcomes", multiple=True, metavar="FILE", help="Business outcomes: tickets, churn.")
@click.option("--html", type=click.Path(dir_okay=False, writable=True, path_type=Path), metavar="FILE", help="Write one self-contained page.")  # fmt: skip
@click.option("--markdown", type=click.Path(dir_okay=False, writable=True, path_type=Path), metavar="FILE", help="Write a summary for a channel or a wiki.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write JSON (undertow.report/1), and nothing else, to standard output.")  # fmt: skip
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def command(
    inputs: tuple[str, ...],
    weekly: bool,
    until: str | None,
    config: str | None,
    format_: str,
    signals: tuple[str, ...],
    outcomes: tuple[str, ...],
    html: Path | None,
    markdown: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say what happened this week against last week: verdict, quality, alarms, what was done, money, reviews, and what to do next.

    Exit status: 0 written, whatever the verdict is; 2 bad usage or unreadable input. `undertow audit` ends by the verdict.
    """
    del weekly  # there is no other sort
    from undertow.bootstrap.audit import AuditRequest
    from undertow.bootstrap.calibration_files import trained_scores, with_certified_margin
    from undertow.bootstrap.weekly import run_week
    from undertow.cli.atomic_write import write_atomically
    from undertow.config.load import load_settings

    for option, file in (("--html", html), ("--markdown", markdown)):
        if file is not None and not file.absolute().parent.is_dir():
            raise UsageError(f"{option} {file}: its folder is not there; make it, or name another file")
    loaded = load_settings(settings_file(config, inputs), os.environ)
    request = AuditRequest(
        inputs=inputs,
        format=format_,
        signals=signals,
        outcomes=outcomes,
        settings=with_certified_margin(loaded.settings, loaded.folder),
        until=parse_date(until, "--until"),
        id_key=id_key(loaded.settings, os.environ),
        trained=trained_scores(loaded.settings, loaded.folder),
        now=datetime.now(UTC),
    )
    with progress_bar(shown=not quiet and not as_json) as progress:
        found = run_week(request, progress)
    if html is not None:
        from undertow.reports.weekly_html import week_html

        write_atomically(html, week_html(found).encode())
    if markdown is not None:
        from undertow.reports.weekly_markdown import week_markdown

        write_atomically(markdown, week_markdown(found).encode("utf-8", "replace"))
    from undertow.reports.weekly import week_document, week_lines

    if as_json:
        click.echo(json.dumps(week_document(found), indent=1, allow_nan=False))
    else:
        click.echo("\n".join(week_lines(found)))
    return exit_status.HEALTHY
