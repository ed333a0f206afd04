"""`undertow doctor`: what is missing to trust a verdict, in the log and in the settings."""

import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli import exit_status
from undertow.cli.audit import FORMATS, id_key, settings_file
from undertow.cli.command import Command
from undertow.cli.drawing import progress_bar
from undertow.records.finding import Finding

if TYPE_CHECKING:
    from undertow.config import LoadedSettings, Settings

STATUS = {"blocks": exit_status.BAD_USAGE, "weakens": exit_status.LOSS, "note": exit_status.HEALTHY}
COLOURS = {"blocks": "red", "weakens": "yellow", "note": "cyan"}


@click.command(
    "doctor",
    cls=Command,
    examples="""
    undertow doctor undertow-data/
    undertow doctor spend.jsonl --signals reviews.jsonl --outcomes tickets.csv
    undertow doctor                          # the settings alone
    undertow doctor log/ --json | jq '.findings[].check'
    """,
)
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the log."
)
@click.option("--timezone", metavar="TZ", help="Zone of times that name none, as Europe/Berlin or +02:00.")
@click.option(
    "--signals", multiple=True, metavar="FILE", help="Feedback: reviews, thumbs, judge scores. May be repeated."
)
@click.option("--outcomes", multiple=True, metavar="FILE", help="Business outcomes: tickets, churn. May be repeated.")
@click.option("--config", metavar="FILE", help="Settings. Default: undertow.toml here or beside the log.")
@click.option(
    "--map", "map_file", type=click.Path(exists=True, dir_okay=False), help="What the columns of a plain table mean."
)
@click.option("--trust-judge", is_flag=True, help="Judge-only evidence is enough for you.")
@click.option(
    "--json", "as_json", is_flag=True, help="JSON (undertow.doctor/1) on standard output, and nothing else there."
)
def command(
    inputs: tuple[str, ...],
    format_: str,
    timezone: str | None,
    signals: tuple[str, ...],
    outcomes: tuple[str, ...],
    config: str | None,
    map_file: str | None,
    trust_judge: bool,
    as_json: bool,
) -> int:
    """Say what is missing to trust a verdict on INPUT (a log as for `audit`), why it matters and what to do.

    Exit status: 0 nothing is missing, 1 something weakens the verdict, 2 no verdict but "inconclusive" can come out.
    """
    from undertow.bootstrap.audit import AuditRequest, read_cells
    from undertow.config import load_settings

    loaded = load_settings(settings_file(config, inputs), os.environ)
    settings = loaded.settings
    findings = tuple(_settings_findings(settings, os.environ, is_alone=not inputs))
    if not inputs and any(tier.model or tier.base_url or tier.endpoints for tier in settings.tiers.values()):
        findings = (*_serving_findings(loaded), *findings)
    if inputs:
        request = AuditRequest(
            inputs,
            format_,
            signals,
            outcomes,
            timezone,
            map_file,
            settings=settings,
            id_key=id_key(settings, os.environ),
        )
        with progress_bar(shown=not as_json) as progress:
            cells = read_cells(request, progress)
        from undertow.bootstrap.calibration_files import with_certified_margin
        from undertow.verdicts.readiness import Plans, readiness

        plans = Plans(
            margin=with_certified_margin(settings, loaded.folder).monitors_margin,
            alpha=settings.monitors.alpha,
            priced_outcomes=tuple(name for name, outcome in settings.outcomes.items() if outcome.usd is not None),
            is_id_key_set=settings.store.id_key_env is not None,
            trusts_judge=trust_judge,
            has_draws=_has_draws(inputs),
        )
        findings = (*readiness(cells, plans), *findings)
    if as_json:
        document = {"schema": "undertow.doctor/1", "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        _show(findings)
    return max((STATUS[finding.severity] for finding in findings), default=exit_status.HEALTHY)


def _settings_findings(settings: "Settings", env: Mapping[str, str], *, is_alone: bool) -> Iterator[Finding]:
    """What the settings alone show; the log, where there is one, speaks for itself on the rest."""
    from undertow.config import named_variables

    for where, name in named_variables(settings):
        if not env.get(name):
            yield Finding(
                "secret_unset",
                "note",
                f"{where} names {name}, which is not set",
                "An audit does not need it; `undertow serve` refuses to start without it.",
                f"Set {name} where the gateway runs.",
            )
    if not is_alone:
        return
    if settings.holdout.share == 0:
        yield Finding(
            "holdout_off",
            "weakens",
            "holdout.share is 0",
            "Nothing will tell a loss of routing from a change of the provider or of the traffic.",
            "Set share = 0.05 under [holdout]: it costs 5 % of the savings.",
        )
    if not any(outcome.usd for outcome in settings.outcomes.values()):
        yield Finding(
            "unpriced_outcomes",
            "weakens",
            "no [outcomes.NAME] has a price",
            "The net value then holds savings alone, and `pareto_trap` can never be shown.",
            "Add [outcomes.ticket] with usd, the cost of one ticket, and the like for churn and refunds.",
        )
    if settings.store.id_key_env is None:
        yield Finding(
            "id_key_unset",
            "note",
            "store.id_key_env is unset",
            "User ids stay in logs and reports as they were given.",
            "Set id_key_env under [store], unless the ids are pseudonyms already.",
        )


def _serving_findings(loaded: "LoadedSettings") -> Iterator[Finding]:
    """What `undertow serve` would stumble over, where the settings are meant for it: some tier has a model or an address."""
    from undertow.bootstrap.plan import compile_plan
    from undertow.bootstrap.serving_check import serving_problems

    problems = list(serving_problems(loaded.settings, loaded.folder))
    for problem in problems:
        yield Finding(
            "not_servable",
            "weakens",
            loaded.located(problem),
            "`undertow serve` refuses to start, so that it logs nothing.",
            "Change it as it says; `undertow config compile` shows whether all is well.",
        )
    for warning in loaded.warnings:
        yield Finding(
            "unlikely_setting",
            "weakens",
            warning,
            "The gateway starts, but hardly does what was wanted.",
            "Change it as it says, or leave it if it is meant.",
        )
    if not problems:
        for tier in compile_plan(loaded.settings, loaded.folder, datetime.now(UTC).date()).tiers:
            if not tier.prices:
                yield Finding(
                    "unknown_prices",
                    "weakens",
                    f"the price list does not know the model {tier.model!r} of tiers.{tier.name}",
                    "Its requests are logged without a cost, count in no budget, and no saving can be computed.",
                    f"Set prices under [tiers.{tier.name}]: input_usd_per_mtok and output_usd_per_mtok, 0.0 where it is free.",
                )
    if not loaded.settings.keys:
        is_public = loaded.settings.gateway.allow_public_without_keys
        yield Finding(
            "no_keys",
            "weakens" if is_public else "note",
            "no [keys.NAME] is set" + (", and gateway.allow_public_without_keys is true" if is_public else ""),
            "Anybody who reaches the gateway spends your money; so without keys it listens on loopback alone, unless told otherwise.",
            "Make a key for each caller with `undertow key new NAME --append`.",
        )


def _has_draws(inputs: tuple[str, ...]) -> bool | None:
    """Whether a store's root folder holds draws; None where the inputs are no such folder."""
    roots = [Path(name) for name in inputs if (Path(name) / "decisions").exists()]
    if not roots:
        return None
    return any(found for root in roots for found in root.glob("draws*"))


def _show(findings: tuple[Finding, ...]) -> None:
    if not findings:
        click.echo("Nothing is missing: a verdict on this log can be trusted as far as its interval says.")
        return
    for finding in findings:
        head = click.style(f"{finding.severity:<8}", fg=COLOURS[finding.severity], bold=True)
        click.echo(f"{head}{finding.check}: {finding.seen}")
        for line in (finding.why, f"-> {finding.todo}"):
            click.echo(textwrap.fill(line, 110, initial_indent=" " * 8, subsequent_indent=" " * 8))
    counts = (f"{sum(finding.severity == severity for finding in findings)} {severity}" for severity in STATUS)
    click.echo(f"{', '.join(counts)}; docs/how-to/doctor.md explains each", err=True)
