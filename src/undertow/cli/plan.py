"""`undertow plan`: how soon would a loss be seen, before it happens?"""

import json
import os
import sys

import click

from undertow.cli.audit import settings_file
from undertow.cli.command import Command, FiniteRange
from undertow.cli.drawing import progress_bar
from undertow.errors import UsageError

SHARE = FiniteRange(0, 1, min_open=True)


@click.command(
    "plan",
    cls=Command,
    examples="""
    undertow plan
    undertow plan undertow-data/
    undertow plan --labels-per-day 50 --loss 0.2 --slice 0.1
    undertow plan undertow-data/ --sensitivity 0.8 --json | jq .options
    """,
)
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False), help="Settings. Default: undertow.toml in INPUT or here."
)
@click.option(
    "--loss",
    "losses",
    multiple=True,
    type=SHARE,
    help="Quality lost in the slice. May be repeated. [default: 0.1, 0.3, 0.6]",
)
@click.option(
    "--slice",
    "slices",
    multiple=True,
    type=SHARE,
    help="Share of the cheaper tiers' traffic that is hit. May be repeated. [default: 1, 0.1, 0.03]",
)
@click.option(
    "--labels-per-day",
    type=FiniteRange(0, min_open=True),
    help="Reviews a day, all tiers. [default: the log's, else review.per_day]",
)
@click.option(
    "--requests-per-day",
    type=FiniteRange(0, min_open=True),
    help="Answers of the cheaper tiers a day. [default: the log's, else 32,500]",
)
@click.option(
    "--failure-rate",
    type=FiniteRange(0, 0.5, min_open=True),
    help="Share of answers flagged while nothing is wrong. [default: the log's, else 0.06]",
)
@click.option(
    "--sensitivity",
    type=SHARE,
    help="Share of the failures to come that reviewers see. [default: 0.5; 0.8 side by side]",
)
@click.option(
    "--margin",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    help="Largest accepted loss. [default: monitors.margin]",
)
@click.option(
    "--alpha",
    type=FiniteRange(0, 0.5, min_open=True, max_open=True),
    help="False-alarm budget. [default: monitors.alpha]",
)
@click.option("--runs", type=click.IntRange(20, 10_000), default=100, show_default=True, help="Simulated runs a line.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the simulation.")
@click.option("--json", "as_json", is_flag=True, help="JSON (undertow.plan-power/1) on standard output.")
def command(
    inputs: tuple[str, ...],
    config: str | None,
    losses: tuple[float, ...],
    slices: tuple[float, ...],
    labels_per_day: float | None,
    requests_per_day: float | None,
    failure_rate: float | None,
    sensitivity: float | None,
    margin: float | None,
    alpha: float | None,
    runs: int,
    seed: int,
    as_json: bool,
) -> int:
    """With these labels, how soon is a loss of x in y % of the traffic seen, and how are they better spent?

    Numbers that no option gives are measured in the log INPUT, else taken from the settings, else assumed; each is
    shown with its source. The detectors are those of `undertow audit`, on simulated labels.
    """
    from undertow.bootstrap.planning import asked_design, logged_design, settings_design
    from undertow.config.load import load_settings
    from undertow.records.power import PlannedLoss
    from undertow.reports.plan_json import plan_document
    from undertow.reports.plan_terminal import plan_lines
    from undertow.services.power import losses_of, plan

    settings = load_settings(settings_file(config, inputs), os.environ).settings
    if settings.review.per_day == 0 and labels_per_day is None and not inputs:
        raise UsageError("review.per_day is 0, so there are no labels to plan with; say --labels-per-day")
    design, said = settings_design(settings, sensitivity)
    with progress_bar(shown=not as_json) as progress:
        has_reference = settings.holdout.share > 0
        if inputs:
            from undertow.bootstrap.audit import AuditRequest, read_cells

            cells = read_cells(AuditRequest(inputs=inputs, settings=settings), progress)
            design, said, has_reference = logged_design(cells, design, said)
        design, said = asked_design(
            design,
            said,
            settings.review.cheap_share,
            labels_per_day=labels_per_day,
            requests_per_day=requests_per_day,
            failure_rate=failure_rate,
            sensitivity=sensitivity,
            margin=margin,
            alpha=alpha,
        )
        sizes, shares = losses or (0.1, 0.3, 0.6), slices or (1.0, 0.1, 0.03)
        reference = PlannedLoss(losses[0] if losses else 0.3, slices[0] if slices else 0.1)
        report = plan(
            design,
            said,
            losses_of(sizes, shares),
            reference,
            runs=runs,
            seed=seed,
            has_reference=has_reference,
            progress=progress,
        )
    if as_json:
        json.dump(plan_document(report), sys.stdout, indent=1, ensure_ascii=False, allow_nan=False)
        click.echo()
    else:
        click.echo("\n".join(plan_lines(report)))
    return 0
