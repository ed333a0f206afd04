"""`undertow watch`: the keeper of a store alone, beside whatever writes to it."""

import asyncio
import json
import logging
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.audit import settings_file
from undertow.cli.command import Command
from undertow.errors import LogError, UsageError

if TYPE_CHECKING:
    from undertow.keeper.one_pass import Step

SCHEMA = "undertow.watch/1"

Counted = Mapping[str, object]

_TITLES = {
    "recovered": "recovered",
    "outcomes": "outcomes",
    "reviews": "reviews",
    "compacted": "converted",
    "length_ratios": "length of the capable tier's answers",
    "retention": "removed",
    "watched": "watched",
    "alerts": "alerts",
}
"""By step: how its line begins."""

_SEEN = (("alarms_open", "alarms open"), ("guard_actions", "done"), ("guard_suggestions", "suggested"), ("guard_failures", "could not be done"))  # fmt: skip
_TOLD = (
    ("alerts_delivered", "delivered"),
    ("alerts_failed", "tries failed"),
    ("alerts_given_up", "given up"),
    ("alerts_waiting", "waiting"),
)
_PULLED = (
    ("outcomes_accepted", "new"),
    ("outcomes_corrected", "corrected"),
    ("outcomes_set_aside", "set aside"),
    ("outcome_places_failed", "files or queries could not be read; see `undertow outcomes status`"),
)


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
    """Keep the store in DIR, and watch it: close what dead writers left, convert sealed segments to Parquet, remove old texts, pull
    outcomes, publish reviews, look for losses, and tell people of them.

    Texts drawn for review or shadow go after retention.sampled_text_days; without settings that is 14 days. It looks every
    monitors.every_minutes (0: never), tells whom [alerts] names, and the guard writes what [guard] lets it do into the store, for gateways that read it.

    `undertow serve` does this for its own store. Use it where another gateway routes and writes our records through the
    middleware, the callback or the client. Several may watch one store. With --once pairs are not judged, which may take long and costs money.
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
        from undertow.keeper.main import id_key_of
        from undertow.keeper.one_pass import one_pass

        # What the logs would tell of the look, the pass says in words.
        logging.getLogger("undertow").addHandler(logging.NullHandler())
        lacking = id_key_of(plan.store, os.environ)[1]
        if lacking:
            click.echo(f"note: {lacking}", err=True)
        _show(one_pass(plan, os.environ), plan.text_days, as_json=as_json)
        return 0
    from undertow.adapters.telemetry.json_logs import configure_logging
    from undertow.keeper.main import run_until_signalled

    configure_logging(plan.telemetry.log_level, plan.telemetry.log_format)
    asyncio.run(run_until_signalled(plan, None))
    return 0


def _show(steps: "Iterable[Step]", text_days: float, *, as_json: bool) -> None:
    """Show what a pass does, for people as soon as it is done; the first error is raised once everything was shown."""
    failed: list[tuple[str, str, Exception]] = []
    found: dict[str, Counted | None] = {}
    for step in steps:
        found[step.name] = step.found
        if step.error is not None:
            failed.append((step.name, step.why, step.error))
        if not as_json and (words := f"failed: {step.why}" if step.error is not None else _in_words(step, text_days)):
            click.echo(f"{_TITLES[step.name]}: {words}")
    if as_json:
        document = {
            "schema": SCHEMA,
            **{name: found.get(name) for name in _TITLES if name != "retention"},
            **(found["retention"] or {}),
            "failed": {name: why for name, why, _ in failed},
        }
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
    if failed:
        raise failed[0][2]


def _in_words(step: "Step", text_days: float) -> str:
    """The rest of the line of a step that went well; empty: it is not worth one."""
    found = step.found
    if found is None:
        return ""
    match step.name:
        case "recovered":
            return (
                f"{found['orphans']} decisions of dead processes, {found['torn']} torn lines, "
                f"{found['segments']} segments sealed"
            )
        case "compacted" if found["is_busy"]:
            return "nothing, another process is converting"
        case "compacted":
            return (
                f"{found['segments']} segments with {found['rows']} rows, {found['rejected']} lines set aside, "
                f"{found['failed']} segments failed, {found['removed']} removed"
            )
        case "outcomes" if found.get("outcome_pulls_busy"):
            return "nothing, another process is pulling"
        case "outcomes":
            return _counts(found, _PULLED) or "nothing new"
        case "reviews":
            return f"{found['reviews_published']} published" if found.get("reviews_published") else ""
        case "length_ratios":
            return _ratios(found) or "too few answers to tell"
        case "watched" if found["verdict"] is None:
            return "nothing to audit yet"
        case "watched":
            headline = str(found["headline"] or found["verdict"]).removesuffix(".")
            return "; ".join(filter(None, (headline, _counts(found, _SEEN))))
        case "alerts":
            return _counts(found, _TOLD)
        case _:
            return f"{found['text_files_removed']} files of texts older than {text_days:g} days"


def _counts(found: Counted, names: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(f"{found[name]} {what}" for name, what in names if found.get(name))


def _ratios(tiers: Counted) -> str:
    by_tier = ((tier, by_segment) for tier, by_segment in tiers.items() if isinstance(by_segment, Mapping))
    return ", ".join(f"{tier} x{by_segment['']:g}" for tier, by_segment in by_tier if "" in by_segment)
