"""`undertow judge run` and `undertow judge check`: judge pairs that wait, and see whether the judge can be believed."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli import exit_status
from undertow.cli.audit import settings_file
from undertow.cli.command import Group
from undertow.cli.drawing import progress_bar
from undertow.errors import ConfigError, DataError, LogError

if TYPE_CHECKING:
    from undertow.bootstrap.judge import JudgeRun, JudgeSetUp
    from undertow.config.load import LoadedSettings
    from undertow.reports.judge import CheckReport, RunReport

_config = click.option(
    "--config", metavar="FILE", help="Settings. Default: undertow.toml in the store's folder, else here."
)


@click.group("judge", cls=Group)
def command() -> None:
    """Compare shadow answers by a model or function, and see whether it can be believed."""


@command.command(
    "run",
    examples="""
    undertow judge run undertow-data/
    undertow judge run undertow-data/ --limit 50
    undertow judge run --json | jq '.outcomes'
    """,
)
@click.argument("store", required=False, metavar="[DIR]")
@_config
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Most pairs that are judged now. Default: all that wait.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="JSON (undertow.judge/1) on standard output, and nothing else there.")  # fmt: skip
def run(store: str | None, config: str | None, limit: int | None, as_json: bool) -> None:
    """Judge the pairs of answers in DIR that wait, within the day's budget.

    DIR is a store's root folder; default: that of the settings. A running gateway does this by itself. Pairs without a verdict are counted by
    their reason and become no labels.
    """
    from undertow.bootstrap.judge import judge_store
    from undertow.reports.judge import RunReport, run_document, run_lines

    loaded, set_up = _set_up(store, config)
    with progress_bar(shown=not as_json) as progress:
        done = judge_store(set_up, limit, progress)
    report = RunReport.of(done, set_up.plan, _own_tiers(loaded))
    if as_json:
        click.echo(json.dumps(run_document(report), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        _tell(run_lines(report), report)
    if done.ended.stopped is not None:
        raise DataError(_unreached(done))


@command.command(
    "check",
    examples="""
    undertow judge check undertow-data/
    undertow judge check --limit 100
    undertow judge check --json | jq '.agreement, .position_bias, .drift'
    """,
)
@click.argument("store", required=False, metavar="[DIR]")
@_config
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Most anchors that are judged now. Default: all.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="JSON (undertow.judge-check/1) on standard output, and nothing else there.")  # fmt: skip
def check(store: str | None, config: str | None, limit: int | None, as_json: bool) -> int:
    """Judge the anchors (judge.anchors: pairs with people's verdicts), and compare with people and with the judge's own first verdicts.

    Exit status: 0 nothing speaks against the judge, 1 something does, 2 it could not be asked.
    """
    from undertow.adapters.judges.book import JudgeBook
    from undertow.bootstrap.judge import check_anchors
    from undertow.detectors.judge_drift import judge_drift
    from undertow.detectors.multiplicity import judge_change_line
    from undertow.reports.judge import CheckReport, check_document, check_lines

    loaded, set_up = _set_up(store, config)
    with progress_bar(shown=not as_json) as progress:
        results = check_anchors(set_up, limit=limit, progress=progress)
    monitors = loaded.settings.monitors
    line = judge_change_line(monitors.horizon_days, monitors.alpha)
    drift = judge_drift(JudgeBook(set_up.root).results(), line=line)
    report = CheckReport.of(results, drift, set_up.plan, _own_tiers(loaded))
    if as_json:
        click.echo(json.dumps(check_document(report), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        _tell(check_lines(report), report)
    if results and all(result.outcome in {"failed", "timeout"} for result in results):
        raise DataError(
            "the judge answered nothing: it cannot be reached in time, fails, or refuses our key or model; look at [judge] base_url, "
            "api_key_env, model and timeout_s, and run this again"
        )
    return exit_status.LOSS if report.warnings else exit_status.HEALTHY


def _set_up(store: str | None, config: str | None) -> "tuple[LoadedSettings, JudgeSetUp]":
    from datetime import UTC, datetime

    from undertow.bootstrap.judge import JudgeSetUp
    from undertow.bootstrap.plan import judge_plan
    from undertow.config.load import load_settings
    from undertow.records.serving import StorePlan

    loaded = load_settings(settings_file(config, (store,) if store else ()), os.environ)
    plan = judge_plan(loaded.settings, loaded.folder, datetime.now(UTC).date())
    if plan is None:
        raise ConfigError("there is no judge: set model and base_url, or function, under [judge]")
    path = Path(store) if store is not None else loaded.folder / loaded.settings.store.path
    if not any((path / part).is_dir() for part in ("decisions", "signals", "intents", "pairs")):
        raise LogError(f"{path}: this is no store (no decisions/ in it); a gateway creates it")
    return loaded, JudgeSetUp(StorePlan(path=str(path)), plan, os.environ)


def _own_tiers(loaded: "LoadedSettings") -> tuple[str, ...]:
    from undertow.config.contradictions import tiers_that_judge

    return tiers_that_judge(loaded.settings)


def _tell(lines: list[str], report: "RunReport | CheckReport") -> None:
    for line in lines:
        click.echo(line)
    for warning in report.warnings:
        click.echo(f"{click.style('warning', fg='yellow', bold=True)}: {warning}")


def _unreached(done: "JudgeRun") -> str:
    hangs = done.ended.stopped == "timeout"
    return (
        f"the judge {'does not answer in time' if hangs else 'cannot be reached, or refuses our key or model'}; pairs that wait for it: {done.waiting}; "
        "look at [judge] base_url, api_key_env, model and timeout_s, and run this again"
    )
