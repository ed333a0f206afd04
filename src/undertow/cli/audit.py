"""`undertow audit`: turn a routing log into a verdict."""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli import exit_status
from undertow.cli.command import Command, FiniteRange
from undertow.cli.drawing import progress_bar
from undertow.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from undertow.bootstrap.audit import AuditRequest
    from undertow.config.settings import Settings
    from undertow.ports.audit_source import Progress
    from undertow.records.report import AuditReport

FORMATS = (
    "auto", "undertow", "litellm", "langfuse", "helicone", "otel", "openinference", "phoenix", "openrouter", "portkey",
    "vllm_sr", "tensorzero", "openai", "csv",
)  # fmt: skip

STATUS = {
    "healthy": exit_status.HEALTHY,
    "quality_loss": exit_status.LOSS,
    "pareto_trap": exit_status.LOSS,
    "inconclusive": exit_status.INCONCLUSIVE,
}


@click.command(
    "audit",
    cls=Command,
    examples="""
    undertow audit undertow-data/
    undertow audit spend.jsonl --signals reviews.csv --outcomes tickets.csv --html audit.html
    undertow audit 'exports/*.jsonl.gz' --format langfuse --json > audit.json
    undertow audit log.csv --map columns.toml --explain
    undertow audit log/ --baseline-until 2026-03-01 --margin 0.03
    """,
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the log."
)
@click.option("--explain", is_flag=True, help="Show which field became which column, and what is missing; no audit.")
@click.option("--timezone", metavar="TZ", help="Zone of times that name none, as Europe/Berlin or +02:00.")
@click.option(
    "--signals", multiple=True, metavar="FILE", help="Feedback: reviews, thumbs, judge scores. May be repeated."
)
@click.option("--outcomes", multiple=True, metavar="FILE", help="Business outcomes: tickets, churn. May be repeated.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False),
    help="Settings. Default: undertow.toml in the log's folder, else here.",
)
@click.option(
    "--map", "map_file", type=click.Path(exists=True, dir_okay=False), help="What the columns of a plain table mean."
)
@click.option("--baseline-until", metavar="DATE", help="End of the reference period, as 2026-03-01 (UTC).")
@click.option(
    "--margin",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    help="Largest accepted loss per request on the cheaper tier. [default: 0.02]",
)
@click.option(
    "--alpha",
    type=FiniteRange(0, 0.5, min_open=True, max_open=True),
    help="Probability of any false alarm in half a year. [default: 0.05]",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write the report as JSON (undertow.audit/1), and nothing else, to standard output.",
)
@click.option("--html", type=click.Path(dir_okay=False, writable=True), help="Write one self-contained page.")
@click.option("--markdown", type=click.Path(dir_okay=False, writable=True), help="Write a summary for a pull request.")
@click.option("--junit", type=click.Path(dir_okay=False, writable=True), help="Write JUnit XML, a test case a place.")
@click.option(
    "--rejects", type=click.Path(file_okay=False), help="Folder for rows that were set aside (ids and reasons)."
)
@click.option("--engine", metavar="URL", help="Where the rows are counted. [default: duckdb, in this process]")
@click.option("--trust-judge", is_flag=True, help="Let judge-only evidence raise alarms.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def command(
    inputs: tuple[str, ...],
    format_: str,
    explain: bool,
    timezone: str | None,
    signals: tuple[str, ...],
    outcomes: tuple[str, ...],
    config: str | None,
    map_file: str | None,
    baseline_until: str | None,
    margin: float | None,
    alpha: float | None,
    as_json: bool,
    html: str | None,
    markdown: str | None,
    junit: str | None,
    rejects: str | None,
    engine: str | None,
    trust_judge: bool,
    quiet: bool,
) -> int:
    """Did routing to the cheap tier lose quality: where, since when, how much, and what does it cost?

    INPUT is a log file, a folder, a glob, or the root folder of a store. Exit status: 0 healthy, 1 quality loss or
    Pareto trap, 3 inconclusive, 2 bad usage or unreadable input.
    """
    from undertow.bootstrap.audit import AuditRequest, run_audit
    from undertow.bootstrap.calibration_files import trained_scores, with_certified_margin
    from undertow.config.load import load_settings

    path = settings_file(config, inputs)
    loaded = load_settings(path, os.environ)
    settings = with_certified_margin(loaded.settings, loaded.folder)
    if path is not None and config is None and not quiet:
        click.echo(f"settings: {path}", err=True)
    monitors = {k: v for k, v in (("margin", margin), ("alpha", alpha)) if v is not None}
    if monitors:
        settings = settings.model_copy(update={"monitors": settings.monitors.model_copy(update=monitors)})
    request = AuditRequest(
        inputs=inputs,
        format=format_,
        signals=signals,
        outcomes=outcomes,
        timezone=timezone,
        map_file=map_file,
        engine=engine,
        settings=settings,
        baseline_until=parse_date(baseline_until),
        trust_judge=trust_judge,
        rejects_dir=rejects,
        id_key=id_key(settings, os.environ),
        trained=trained_scores(loaded.settings, loaded.folder),
        now=datetime.now(UTC),
    )
    for target in (html, markdown, junit):
        _check_writable(target)
    with progress_bar(shown=not quiet) as progress:
        if explain:
            return _explain(request, progress, as_json=as_json)
        report = run_audit(request, progress)
    _write(report, as_json=as_json, html=html, markdown=markdown, junit=junit)
    return STATUS[report.verdict]


def id_key(settings: "Settings", env: Mapping[str, str]) -> bytes | None:
    """The key of the pseudonyms of an Undertow log, where the settings name one and it is set; a note where it is not."""
    name = settings.store.id_key_env
    if name is None:
        return None
    if not env.get(name):
        click.echo(
            f"note: {name} (store.id_key_env) is not set; ids of --signals and --outcomes are taken as they are",
            err=True,
        )
        return None
    return env[name].encode()


def settings_file(given: str | None, inputs: tuple[str, ...]) -> Path | None:
    """The settings to use: the file given, else `undertow.toml` in the log's own folder, else the one in this folder."""
    if given is not None:
        return Path(given)
    candidates = [*(Path(name) / "undertow.toml" for name in inputs), Path("undertow.toml")]
    return next((path for path in candidates if path.is_file()), None)


def parse_date(text: str | None, option: str = "--baseline-until") -> datetime | None:
    """A date or time in UTC.

    Examples:
        >>> parse_date("2026-03-01").isoformat()
        '2026-03-01T00:00:00+00:00'
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{option} {text!r}: expected a date such as 2026-03-01") from None


def _check_writable(target: str | None) -> None:
    """Refuse a report's path now rather than after the work."""
    if target is not None and not Path(target).resolve().parent.is_dir():
        raise UsageError(f"cannot write {target!r}: its folder does not exist; make it first")


def _explain(request: "AuditRequest", progress: "Progress", *, as_json: bool) -> int:
    from undertow.bootstrap.audit import explain
    from undertow.reports.explanation import explanation_json, render_explanation

    found = explain(request, progress)
    if as_json:
        sys.stdout.buffer.write(explanation_json(found))
    else:
        render_explanation(found, _console())
    return exit_status.HEALTHY


def _write(report: "AuditReport", *, as_json: bool, html: str | None, markdown: str | None, junit: str | None) -> None:
    from undertow.reports.json import to_json
    from undertow.reports.terminal import render_terminal

    if html is not None:
        from undertow.reports.html import render_html

        Path(html).write_text(render_html(report), encoding="utf-8")
    if markdown is not None:
        from undertow.reports.markdown import render_markdown

        Path(markdown).write_text(render_markdown(report), encoding="utf-8")
    if junit is not None:
        from undertow.reports.junit import render_junit

        Path(junit).write_text(render_junit(report), encoding="utf-8")
    if as_json:
        sys.stdout.buffer.write(to_json(report))
        sys.stdout.buffer.flush()
    else:
        render_terminal(report, _console(), html_path=html)


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False)
