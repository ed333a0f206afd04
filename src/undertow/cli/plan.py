"""`undertow plan`: how soon would a loss be seen, before it happens?"""

import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from undertow.cli.audit import settings_file
from undertow.cli.command import Command, FiniteRange
from undertow.cli.drawing import progress_bar
from undertow.errors import UsageError

if TYPE_CHECKING:
    from undertow.config.settings import Settings
    from undertow.records.power import Assumption, Design

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
    from undertow.config.load import load_settings
    from undertow.planning.options import share_text
    from undertow.records.power import Assumption, PlannedLoss
    from undertow.reports.plan_json import plan_document
    from undertow.reports.plan_terminal import plan_lines
    from undertow.services.power import losses_of, plan

    settings = load_settings(settings_file(config, inputs), os.environ).settings
    if settings.review.per_day == 0 and labels_per_day is None and not inputs:
        raise UsageError("review.per_day is 0, so there are no labels to plan with; say --labels-per-day")
    design, said = _from_settings(settings, sensitivity)
    with progress_bar(shown=not as_json) as progress:
        has_reference = settings.holdout.share > 0
        if inputs:
            from undertow.bootstrap.audit import AuditRequest, read_cells
            from undertow.services.measured_design import measured_design

            design, measured, has_reference = measured_design(
                read_cells(AuditRequest(inputs=inputs, settings=settings), progress), design
            )
            said = _merged(said, measured)
        given: list[Assumption] = []
        if labels_per_day is not None:
            design = replace(design, reviews_per_day=labels_per_day * settings.review.cheap_share)
            given.append(
                Assumption(
                    "reviews of the cheaper tiers",
                    f"{design.reviews_per_day:,.0f} a day of {labels_per_day:,.0f} in all",
                    "option",
                )
            )
        if requests_per_day is not None:
            design = replace(design, cheap_per_day=requests_per_day)
            given.append(Assumption("answers of the cheaper tiers", f"{requests_per_day:,.0f} a day", "option"))
        shares_given: dict[str, tuple[str, float | None]] = {
            "failure_rate": ("share of them that say failed", failure_rate),
            "sensitivity": ("failures to come that reviewers see", sensitivity),
            "margin": ("largest accepted loss", margin),
            "alpha": ("false-alarm budget", alpha),
        }
        for field, (name, value) in shares_given.items():
            if value is not None:
                changed: dict[str, Any] = {field: value}
                design = replace(design, **changed)
                given.append(Assumption(name, share_text(value), "option"))
        sizes, shares = losses or (0.1, 0.3, 0.6), slices or (1.0, 0.1, 0.03)
        reference = PlannedLoss(losses[0] if losses else 0.3, slices[0] if slices else 0.1)
        report = plan(
            design,
            _merged(said, given),
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


def _from_settings(settings: "Settings", sensitivity: float | None) -> "tuple[Design, list[Assumption]]":
    """A design from the settings, before the log and the options have their say."""
    from undertow.planning.options import share_text
    from undertow.records.power import Assumption, Design
    from undertow.services.power import watching

    review, shadow = settings.review, settings.shadow
    has_judge = (settings.judge.model is not None or settings.judge.function is not None) and shadow.share > 0
    is_side_by_side = review.side_by_side and shadow.share > 0
    levels = ("level", "level_segment") if settings.holdout.share > 0 or is_side_by_side else ()
    seen = sensitivity if sensitivity is not None else 0.8 if is_side_by_side else 0.5
    design = Design(
        cheap_per_day=32_500.0,
        reviews_per_day=review.per_day * review.cheap_share,
        tail_share=review.tail_share,
        segment_shares=(0.3, 0.25, 0.2, 0.1, 0.1, 0.05),
        failure_rate=0.06,
        sensitivity=seen,
        shadow_per_day=32_500.0 * shadow.share if has_judge else 0.0,
        alpha=settings.monitors.alpha,
        horizon_days=settings.monitors.horizon_days,
        margin=settings.monitors_margin,
        # What a log without a holdout, pairs or texts has none of takes no part of the budget.
        other_roles=(("capable",) if settings.holdout.share > 0 else ()) + levels,
    )
    said = [
        Assumption("answers of the cheaper tiers", "32,500 a day", "assumed"),
        Assumption(
            "reviews of the cheaper tiers",
            f"{design.reviews_per_day:,.0f} a day, {share_text(review.tail_share)} of the long tail",
            "settings",
        ),
        Assumption("share of them that say failed", "6 %", "assumed"),
        Assumption(
            "failures to come that reviewers see",
            share_text(seen) + (", side by side" if is_side_by_side else ""),
            "assumed",
        ),
        Assumption(
            "judge",
            f"{design.shadow_per_day:,.0f} verdicts a day" if has_judge else "none, so nothing steers",
            "settings",
        ),
        Assumption("watched segments", "6", "assumed"),
        *watching(design, "assumed"),
        Assumption("largest accepted loss", share_text(design.margin), "settings"),
        Assumption("false-alarm budget", f"{share_text(design.alpha)} in {design.horizon_days} days", "settings"),
    ]
    return design, said


def _merged(said: "list[Assumption]", later: "list[Assumption] | tuple[Assumption, ...]") -> "list[Assumption]":
    """Assumptions with the later ones in the place of those with the same name."""
    by_name = {each.name: each for each in said} | {each.name: each for each in later}
    return list(by_name.values())
