"""`undertow watch`: the keeper of a store alone, beside whatever writes to it."""

import asyncio
import json
import logging
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.audit import settings_file
from undertow.cli.command import Command
from undertow.errors import LogError, UsageError
from undertow.records.runtime_files import WATCH_REPORT

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
    """Keep the store in DIR, and watch it: close what dead writers left, convert sealed segments to Parquet, remove old texts, pull outcomes, look
    for losses, and tell people of them.

    Texts drawn for review or shadow go after retention.sampled_text_days; without settings that is 14 days. It looks every
    monitors.every_minutes (0: never), tells whom [alerts] names, and the guard writes what [guard] lets it do into the store, for gateways that read it.

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
    loaded = load_settings(settings_file(config, (folder,)), os.environ)
    plan = watching_plan(store, loaded.settings, loaded.folder, datetime.now(UTC).date())
    if once:
        # What the logs would tell of the look, the pass says in words.
        logging.getLogger("undertow").addHandler(logging.NullHandler())
        _pass(store, plan, as_json=as_json)
        return 0
    from undertow.adapters.telemetry.json_logs import configure_logging
    from undertow.keeper.main import run_until_signalled

    configure_logging(plan.telemetry.log_level, plan.telemetry.log_format)
    asyncio.run(run_until_signalled(plan, None))
    return 0


def _look(store: Path, plan: "KeeperPlan") -> dict[str, object] | None:
    """One look: what was found, done and told; None: nobody is to look."""
    from undertow.keeper.main import watching_of

    serving = plan.serving
    if serving is None or serving.monitor_minutes <= 0:
        return None
    key_name = serving.store.id_key_env
    key = os.environ.get(key_name, "").encode() if key_name is not None else b""
    alerts, watching = watching_of(plan, serving, None, key or None)
    counted = dict(watching.look())
    try:
        report = json.loads((store / WATCH_REPORT).read_bytes())
    except (OSError, ValueError):
        report = {}
    return {"verdict": report.get("verdict"), "headline": report.get("headline"), **counted, **alerts.run()}


def _pass(store: Path, plan: "KeeperPlan", *, as_json: bool) -> None:
    from undertow.keeper.retention import Retention
    from undertow.keeper.storing import Storing

    storing = Storing(store, plan.tiers)
    recovered, compacted, ratios = storing.recover_now(), storing.compact_now(), storing.measure_now()
    removed = Retention(store, plan.text_days).run()
    seen = _look(store, plan)
    if as_json:
        document = {
            "schema": "undertow.watch/1",
            "recovered": asdict(recovered),
            "compacted": asdict(compacted),
            "length_ratios": None if ratios is None else ratios.tiers,
            **removed,
            "watched": seen,
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
    if seen is not None:
        click.echo(f"watched: {_in_words(seen)}")
    click.echo(f"removed: {removed['text_files_removed']} files of texts older than {plan.text_days:g} days")
    if ratios is not None:
        measured = ", ".join(
            f"{tier} x{by_segment['']:g}" for tier, by_segment in ratios.tiers.items() if "" in by_segment
        )
        click.echo(f"length of the capable tier's answers: {measured or 'too few answers to tell'}")


def _in_words(seen: dict[str, object]) -> str:
    if seen["verdict"] is None:
        return "nothing to audit yet"
    parts = [str(seen["headline"] or seen["verdict"]).removesuffix(".")]
    counts = (("guard_actions", "done"), ("guard_suggestions", "suggested"), ("alerts_delivered", "alerts delivered"), ("alerts_failed", "alerts not delivered yet"))  # fmt: skip
    parts += [f"{seen[name]} {what}" for name, what in counts if seen.get(name)]
    return "; ".join(parts)
