"""`undertow check`: may a candidate take the place of what is live? For a build that must not lose quality."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli import exit_status
from undertow.cli.audit import FORMATS, id_key, settings_file
from undertow.cli.command import Command
from undertow.cli.drawing import progress_bar
from undertow.cli.replay import setting_variable
from undertow.errors import UsageError

if TYPE_CHECKING:
    from undertow.records.gate import GateReport

STATUS = {"pass": exit_status.HEALTHY, "loss": exit_status.LOSS, "hole": exit_status.INCONCLUSIVE}


@click.command(
    "check",
    cls=Command,
    examples="""
    undertow check undertow-data/ --candidate candidate.toml
    undertow check undertow-data/ --candidate calibration.json --markdown summary.md
    undertow check undertow-data/ --set policy.threshold=0.6 --json
    undertow check --candidate candidate.toml --suite support.jsonl --junit check.xml --sarif check.sarif
    """,
)
@click.argument("log", nargs=-1, metavar="[LOG]...")
@click.option("--candidate", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE", help="Settings (undertow.toml) or a calibration artefact (.json) that may take the place of what is live.")  # fmt: skip
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help="One setting of the candidate, as policy.threshold=0.6. May be repeated.")  # fmt: skip
@click.option("--config", type=click.Path(exists=True, dir_okay=False), help="Live settings. Default: undertow.toml in the log's folder, else here.")  # fmt: skip
@click.option("--suite", metavar="NAME|FILE", help="Suite whose latest run with the candidate counts, too. Needed for another model or prompt.")  # fmt: skip
@click.option("--format", "format_", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the log.")  # fmt: skip
@click.option("--signals", multiple=True, metavar="FILE", help="More labels: reviews, judge scores. May be repeated.")
@click.option("--min-labels", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Labels that each tier and large segment needs at least; 0: the intervals alone decide.")  # fmt: skip
@click.option("--allow-inconclusive", is_flag=True, help="End with status 0 where nothing was shown either way.")
@click.option("--trust-judge", is_flag=True, help="Let a judge's labels alone show a loss, and rule one out.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON (undertow.check/1), and nothing else, to standard output.")  # fmt: skip
@click.option("--junit", type=click.Path(dir_okay=False, writable=True, path_type=Path), metavar="FILE", help="Write JUnit XML, a test case a place.")  # fmt: skip
@click.option("--sarif", type=click.Path(dir_okay=False, writable=True, path_type=Path), metavar="FILE", help="Write SARIF 2.1.0 for a forge to show beside the candidate's lines.")  # fmt: skip
@click.option("--markdown", type=click.Path(dir_okay=False, writable=True, path_type=Path), metavar="FILE", help="Write a summary for a pull request.")  # fmt: skip
@click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
def command(
    log: tuple[str, ...],
    candidate: Path | None,
    given: tuple[str, ...],
    config: str | None,
    suite: str | None,
    format_: str,
    signals: tuple[str, ...],
    min_labels: int,
    allow_inconclusive: bool,
    trust_judge: bool,
    as_json: bool,
    junit: Path | None,
    sarif: Path | None,
    markdown: Path | None,
    quiet: bool,
) -> int:
    """Compare a candidate policy, model, prompt or calibration with what is live, on logged traffic and on a suite.

    LOG is a log or a store's root folder; default: the store of the settings. Exit status: 0 passes, 1 a loss beyond the accepted one is
    shown, 3 too little is known somewhere (a coverage hole), 2 bad usage or unreadable input. Both 1 and 3 stop a build.
    """
    from undertow.bootstrap.audit import AuditRequest
    from undertow.bootstrap.gate import GateRequest, read_candidate, run_gate
    from undertow.config.load import load_settings

    for option, file in (("--junit", junit), ("--sarif", sarif), ("--markdown", markdown)):
        if file is not None and not file.absolute().parent.is_dir():
            raise UsageError(f"{option} {file}: its folder is not there; make it, or name another file")
    live = load_settings(settings_file(config, log), os.environ)
    changed = read_candidate(candidate, dict(map(setting_variable, given)), live, os.environ)
    request = AuditRequest(
        inputs=log or (str(live.folder / live.settings.store.path),),
        format=format_,
        signals=signals,
        settings=live.settings,
        id_key=id_key(live.settings, os.environ),
        now=datetime.now(UTC),
    )
    with progress_bar(shown=not quiet and not as_json) as progress:
        report = run_gate(GateRequest(request, live, changed, suite, min_labels, trust_judge), progress)
    _write(report, candidate or live.path, as_json=as_json, junit=junit, sarif=sarif, markdown=markdown)
    if report.verdict == "hole" and allow_inconclusive:
        return exit_status.HEALTHY
    return STATUS[report.verdict]


def _write(
    report: "GateReport",
    file: Path | None,
    *,
    as_json: bool,
    junit: Path | None,
    sarif: Path | None,
    markdown: Path | None,
) -> None:
    from undertow.cli.atomic_write import write_atomically
    from undertow.reports.gate import gate_document, gate_lines
    from undertow.reports.gate_junit import gate_junit
    from undertow.reports.gate_markdown import gate_markdown
    from undertow.reports.gate_sarif import gate_sarif

    if junit is not None:
        write_atomically(junit, gate_junit(report).encode("utf-8", "replace"))
    if sarif is not None:
        document = gate_sarif(report, _uri(file))
        write_atomically(sarif, json.dumps(document, indent=1, allow_nan=False).encode())
    if markdown is not None:
        write_atomically(markdown, gate_markdown(report).encode("utf-8", "replace"))
    if as_json:
        click.echo(json.dumps(gate_document(report), indent=1, allow_nan=False))
    else:
        click.echo("\n".join(gate_lines(report)))


def _uri(file: Path | None) -> str:
    """The file's path from here, as a forge knows it; its name alone where it is elsewhere."""
    if file is None:
        return "undertow.toml"
    try:
        return file.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return file.name
