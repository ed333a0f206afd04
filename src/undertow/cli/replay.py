"""`undertow replay`: a historic log under other settings, both time lines side by side."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from undertow.cli import exit_status
from undertow.cli.audit import FORMATS, id_key, settings_file
from undertow.cli.command import Command
from undertow.cli.drawing import progress_bar
from undertow.errors import UsageError


@click.command(
    "replay",
    cls=Command,
    examples="""
    undertow replay undertow-data/ --set monitors.margin=0.01
    undertow replay undertow-data/ --set review.per_day=50 --set monitors.alpha=0.1
    undertow replay undertow-data/ --set policy.threshold=0.85 --json > replay.json
    undertow replay spend.jsonl --signals reviews.csv --with stricter.toml
    """,
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help="Another value of a setting, as monitors.margin=0.01. May be repeated.")  # fmt: skip
@click.option("--with", "other", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Settings file of the second time line.")  # fmt: skip
@click.option("--config", type=click.Path(exists=True, dir_okay=False), help="Settings of the first. Default: undertow.toml in the log's folder, else here.")  # fmt: skip
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the log."
)
@click.option("--signals", multiple=True, metavar="FILE", help="Feedback: reviews, thumbs, judge scores.")
@click.option("--outcomes", multiple=True, metavar="FILE", help="Business outcomes: tickets, churn.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON (undertow.replay/1), and nothing else, to standard output.")  # fmt: skip
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def command(
    inputs: tuple[str, ...],
    given: tuple[str, ...],
    other: Path | None,
    config: str | None,
    format_: str,
    signals: tuple[str, ...],
    outcomes: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> int:
    """Had it been watched with another margin, budget or threshold: when would it have been known?

    The log is audited twice, as it was and under other settings, and both time lines are printed. What the log cannot answer
    for is said. Exit status: 0 done, 2 bad usage or unreadable input.
    """
    from undertow.bootstrap.audit import AuditRequest
    from undertow.bootstrap.calibration_files import trained_scores, with_certified_margin
    from undertow.bootstrap.replay import run_replay
    from undertow.config.load import load_settings

    path = settings_file(config, inputs)
    first = load_settings(path, os.environ)
    second = load_settings(other or path, {**os.environ, **dict(map(setting_variable, given))})
    was = AuditRequest(
        inputs=inputs,
        format=format_,
        signals=signals,
        outcomes=outcomes,
        settings=with_certified_margin(first.settings, first.folder),
        id_key=id_key(first.settings, os.environ),
        trained=trained_scores(first.settings, first.folder),
        now=datetime.now(UTC),
    )
    would_be = replace(was, settings=with_certified_margin(second.settings, second.folder))
    with progress_bar(shown=not quiet) as progress:
        found = run_replay(was, would_be, progress)
    if as_json:
        import json

        from undertow.reports.replay import replay_document

        click.echo(json.dumps(replay_document(found), indent=1, allow_nan=False))
    else:
        from undertow.reports.replay import replay_lines

        click.echo("\n".join(replay_lines(found)))
    return exit_status.HEALTHY


def setting_variable(text: str) -> tuple[str, str]:
    """A setting as the environment variable that would set it.

    Examples:
        >>> setting_variable("monitors.margin=0.01")
        ('UNDERTOW_MONITORS__MARGIN', '0.01')
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set {text[:80]!r}: expected KEY=VALUE, as monitors.margin=0.01")
    return "UNDERTOW_" + name.strip().replace(".", "__").upper(), value.strip()
