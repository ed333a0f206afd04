"""`undertow simulate`: logs of the reference incidents, or of their healthy twins, for demonstrations and benchmarks."""

import dataclasses
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from undertow.cli.command import Command, Group
from undertow.cli.drawing import progress_bar
from undertow.simulation.incidents import FINTECH, SUCCESS, SUPPORT, IncidentParameters
from undertow.simulation.incidents_truth import expected_money


class FractionList(click.ParamType):
    """Fractions separated by commas: `0.05,0.1,1`."""

    name = "fractions"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Parse; a tuple, which a default is, stays as it is."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of fractions; write them as 0.05,0.1,0.5,1", param, ctx)


class Day(click.ParamType):
    """A calendar day, `2026-01-05`."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Parse; a date, which a default is, stays as it is."""
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(str(value), "%Y-%m-%d").date()  # noqa: DTZ007 - a calendar day has no zone
        except ValueError:
            self.fail(f"{value!r} is no day; write it as 2026-01-05", param, ctx)


def _written(value: Any) -> str:
    """A default as one would type it."""
    return ",".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value)


def _parameter_options(preset: IncidentParameters) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """One option for every parameter of an incident, with its unit and default."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for field in reversed(dataclasses.fields(preset)):
            if "unit" not in field.metadata:
                continue
            default = getattr(preset, field.name)
            kind: Any = {tuple: FractionList(), date: Day(), int: int, float: float, str: str}[type(default)]
            function = click.option(
                f"--{field.name.replace('_', '-')}",
                field.name,
                type=kind,
                default=None,
                metavar=field.metadata["unit"].upper().replace(" ", "_"),
                help=f"{field.metadata['meaning'].capitalize()}. [default: {_written(default)}]",
            )(function)
        return function

    return decorate


def _store_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that every simulated log has."""
    for option in reversed(
        (
            click.option("--out", "-o", type=click.Path(path_type=Path), required=True, help="Folder to write; made if needed."),
            click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of everything; the same seed writes the same files."),
            click.option("--overwrite", is_flag=True, help="Replace a simulated log that is in the folder."),
            click.option("--quiet", "-q", is_flag=True, help="Print nothing."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


def _incident_command(preset: IncidentParameters, summary: str, story: str) -> click.Command:
    """The subcommand of one incident."""
    name = preset.incident

    @click.command(
        name,
        cls=Command,
        short_help=summary,
        help=story,
        examples=f"""
        undertow simulate {name} --out {name}/ && undertow audit {name}/
        undertow simulate {name} --out healthy/ --healthy --seed 7
        undertow simulate {name} --out small/ --queries-per-day 5000 --holdout 0
        """,
    )
    @_store_options
    @click.option("--healthy", is_flag=True, help="The same traffic and no loss: hidden intents stay where they are, and the cheap tier fails every query as often as the capable one does.")  # fmt: skip
    @click.option("--text", type=click.Choice(["all", "sampled", "none"]), default="sampled", show_default=True, help="Whose prompts and answers are written: sampled = decisions drawn for review.")  # fmt: skip
    @click.option("--threads", type=click.IntRange(min=1, max=64), default=2, show_default=True, help="Days made at the same time; does not change what is written.")  # fmt: skip
    @_parameter_options(preset)
    def run(
        out: Path, seed: int, overwrite: bool, quiet: bool, healthy: bool, text: Any, threads: int, **given: Any
    ) -> None:
        from undertow.adapters.simulated.incident import write_incident

        set_by_user = {key: value for key, value in given.items() if value is not None}
        parameters = dataclasses.replace(preset, **set_by_user)
        if healthy:
            parameters = parameters.made_healthy()
        with progress_bar(shown=not quiet) as progress:
            written = write_incident(
                parameters, out, seed=seed, text=text, threads=threads, overwrite=overwrite, progress=progress
            )
        if not quiet:
            click.echo(
                f"wrote {written.decisions:,} decisions, {written.signals:,} signals and {written.outcomes:,} outcome "
                f"events to {out} (simulated{', healthy' if healthy else ''}, seed {seed})",
                err=True,
            )
            click.echo(_planted(parameters), err=True)
            click.echo(f"next: undertow audit {out}", err=True)

    return run


def _planted(parameters: IncidentParameters) -> str:
    """One line on what the log holds."""
    if parameters.onset is None:
        return "planted: nothing; an alarm on this log is a false alarm"
    money = expected_money(parameters)
    return (
        f"planted: a loss in tier cheap from {parameters.onset:%Y-%m-%d}, worst in intent={parameters.target_intent}; at the "
        f"end {money.savings_usd:,.0f} USD a month saved and {money.downstream_usd:,.0f} USD lost (truth.json has the rest)"
    )


@click.group(
    "simulate",
    cls=Group,
    examples="""
    undertow simulate support --out support/ && undertow audit support/
    undertow simulate support --out healthy/ --healthy
    undertow simulate fintech --out fintech/ --queries-per-day 10000
    undertow simulate replay --data tables/ --table mmlu_pro_models --out replay/
    """,
)
def command() -> None:
    """Write the logs of a routing incident, or of its healthy twin.

    Each log is a store that `undertow audit` reads, with a README and truth.json that say what was planted. Every number
    of the story is an option of the incident's subcommand.
    """


command.add_command(
    _incident_command(
        SUPPORT,
        "A support assistant: hidden intents grow from 2 to 20 %.",
        "A support assistant with four million monthly users. A classifier sends the 65 % that look simple to a cheap tier; "
        "hidden intents grow from 2 to 20 % of them during the rollout, and are answered confidently and wrongly.",
    )
)
command.add_command(
    _incident_command(
        SUCCESS,
        "Customer success, routed by embedding similarity.",
        "A customer-success assistant routed by embedding similarity: questions that read like known easy ones are signs of "
        "a customer leaving. The loss is two and a half to three times the savings.",
    )
)
command.add_command(
    _incident_command(
        FINTECH,
        "A bank's assistant: few queries routed, some regulated.",
        "A fintech assistant that routes only the 20 % informational queries. A few of them carry regulatory weight and are "
        "answered wrongly from the first day: a small slice, dear per event, and nothing ever changes.",
    )
)


REPLAY_TABLES: tuple[str, ...] = ("mmlu_pro_models", "mmlu_routellm", "mcq_logit_confidence", "llmdrift", "recording")
"""Tables that can be replayed; `recording` is a file that scripts/record_demo.py wrote."""

_PLAN_OPTIONS: tuple[tuple[str, Any, str], ...] = (
    ("queries_per_day", int, "Requests a day."),
    ("pre_weeks", int, "Weeks on the capable tier alone, before routing."),
    ("weeks", int, "Weeks from the first day of routing to the end of the log."),
    ("shift_week", int, "Week of routing, from 1, in which the mix shifts (llmdrift: the capable tier changes)."),
    ("shift_days", int, "Days over which the mix shifts; 0 for a step."),
    ("shifted_before", float, "Share of the eligible traffic from the segments that it shifts to, before."),
    ("shifted_after", float, "The same, after."),
    ("eligible_share", float, "Share of traffic that is eligible, where the table has other prompts too."),
    ("holdout", float, "Share of users randomised to the capable tier."),
    ("label_share", float, "Share of requests whose real outcome is revealed as a label."),
    ("users", int, "Users."),
)


def _plan_options(function: Callable[..., Any]) -> Callable[..., Any]:
    from undertow.simulation.arrival import ArrivalPlan

    plan = ArrivalPlan()
    for name, kind, meaning in reversed(_PLAN_OPTIONS):
        default = getattr(plan, name)
        function = click.option(
            f"--{name.replace('_', '-')}", name, type=kind, default=default, show_default=True, help=meaning
        )(function)
    return function


@command.command(
    "replay",
    cls=Command,
    short_help="Real outcomes of two models, scripted arrival.",
    examples="""
    undertow simulate replay --data tables/ --table mmlu_pro_models --out replay/
    undertow simulate replay --data answers.jsonl --table recording --out replay/ && undertow audit replay/
    """,
)
@_store_options
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder with the tables; for `recording` the JSONL file.")  # fmt: skip
@click.option("--table", type=click.Choice(REPLAY_TABLES), required=True, help="Which table.")
@_plan_options
def replay(data: Path, table: str, out: Path, seed: int, overwrite: bool, quiet: bool, **plan: Any) -> None:
    """Replay real outcomes of a cheap and a capable model as routed traffic.

    The outcomes are real: which of the two models got which prompt right. Their arrival is scripted: prompts are drawn with
    replacement, and in a stated week the mix shifts towards the segments in which the cheap model is worse.
    """
    from undertow.adapters.replay.recording import read_recording
    from undertow.adapters.replay.store import write_replay
    from undertow.adapters.replay.tables import TABLES
    from undertow.simulation.arrival import ArrivalPlan

    outcomes = read_recording(data) if table == "recording" else TABLES[table](data)
    with progress_bar(shown=not quiet) as progress:
        written = write_replay(outcomes, ArrivalPlan(**plan), out, seed=seed, overwrite=overwrite, progress=progress)
    if not quiet:
        click.echo(f"wrote {written:,} decisions to {out} (real outcomes, scripted arrival, seed {seed})", err=True)
        click.echo(f"{outcomes.title}; README.md in the folder says what is real", err=True)
        click.echo(f"next: undertow audit {out}", err=True)
