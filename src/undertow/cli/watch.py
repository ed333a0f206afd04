"""`undertow watch`: the keeper of a store alone, beside whatever writes to it."""

import asyncio
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.audit import settings_file
from undertow.cli.command import Command
from undertow.errors import LogError, UsageError

if TYPE_CHECKING:
    from undertow.bootstrap.keeper import KeeperPlan


@click.command(
    "watch",
    cls=Command,
    examples="""
    undertow watch undertow-data/
    undertow watch undertow-data/ --config undertow.toml
    undertow watch undertow-data/ --once --json | jq .compacted.rows
    """,
)
@click.argument("folder", metavar="DIR")
@click.option("--config", metavar="FILE", help="Settings. Default: undertow.toml in DIR or here.")
@click.option("--once", is_flag=True, help="One pass, and say what it did. Without: until it is told to stop.")
@click.option("--json", "as_json", is_flag=True, help="With --once: JSON (undertow.watch/1) on standard output.")
def command(folder: str, config: str | None, once: bool, as_json: bool) -> int:
    """Keep the store in DIR: close what dead writers left, convert sealed segments to Parquet, measure length ratios, remove old texts.

    Texts drawn for review or shadow go after retention.sampled_text_days; without settings that is 14 days.

    `undertow serve` does this for its own store. Use it where another gateway routes and writes our records through the
    middleware, the callback or the client. Several may watch one store.
    """
    from undertow.bootstrap.keeper import watching_plan
    from undertow.config import load_settings

    store = Path(folder)
    if not any((store / part).is_dir() for part in ("decisions", "signals", "intents")):
        raise LogError(f"{folder}: this is no store (no decisions/ in it); its writer creates it")
    if as_json and not once:
        raise UsageError("--json needs --once: without it, what is done is told by the logs on standard error")
    plan = watching_plan(store, load_settings(settings_file(config, (folder,)), os.environ).settings)
    if once:
        _pass(store, plan, as_json=as_json)
        return 0
    from undertow.adapters.telemetry.json_logs import configure_logging
    from undertow.keeper.main import run_until_signalled

    configure_logging(plan.telemetry.log_level, plan.telemetry.log_format)
    asyncio.run(run_until_signalled(plan, None))
    return 0


def _pass(store: Path, plan: "KeeperPlan", *, as_json: bool) -> None:
    from undertow.keeper.retention import Retention
    from undertow.keeper.storing import Storing

    storing = Storing(store, plan.tiers)
    recovered, compacted, ratios = storing.recover_now(), storing.compact_now(), storing.measure_now()
    removed = Retention(store, plan.text_days).run()
    if as_json:
        document = {
            "schema": "undertow.watch/1",
            "recovered": asdict(recovered),
            "compacted": asdict(compacted),
            "length_ratios": None if ratios is None else ratios.tiers,
            **removed,
        }
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    click.echo(
        f"recovered: {recovered.orphans} decisions of dead processes, {recovered.torn} torn lines, "
        f"{recovered.segments} segments sealed"
    )
    if compacted.is_busy:
        click.echo("converted: nothing, another process is converting")
    else:
        click.echo(
            f"converted: {compacted.segments} segments with {compacted.rows} rows, {compacted.rejected} lines set aside, "
            f"{compacted.failed} segments failed, {compacted.removed} removed"
        )
    click.echo(f"removed: {removed['text_files_removed']} files of texts older than {plan.text_days:g} days")
    if ratios is not None:
        measured = ", ".join(
            f"{tier} x{by_segment['']:g}" for tier, by_segment in ratios.tiers.items() if "" in by_segment
        )
        click.echo(f"length of the capable tier's answers: {measured or 'too few answers to tell'}")
