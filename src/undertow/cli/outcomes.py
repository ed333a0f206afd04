"""`undertow outcomes`: bring in business outcomes of other systems, and see how they meet the decisions of the log."""

import json
import os
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from undertow.cli import exit_status
from undertow.cli.audit import settings_file
from undertow.cli.command import Group
from undertow.cli.drawing import progress_bar
from undertow.errors import ConfigError, LogError, UsageError

if TYPE_CHECKING:
    from undertow.bootstrap.outcomes import OutcomeStatus
    from undertow.config.load import LoadedSettings
    from undertow.records.outcome import OutcomeJoins, Pulled, SourceState, UnjoinedOutcome
    from undertow.records.serving import SourcePlan, StorePlan

SCHEMA = "undertow.outcomes/1"
ADDED = "added"
"""Source of files that are added by hand, where no other is named."""

_OUTCOME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

_config = click.option(
    "--config", metavar="FILE", help="Settings. Default: undertow.toml in the store's folder, or here."
)
_store = click.option("--store", metavar="DIR", help="The store. Default: that of the settings.")
_json = click.option(
    "--json", "as_json", is_flag=True, help="JSON (undertow.outcomes/1) on standard output, and nothing else there."
)
_again = click.option("--again", is_flag=True, help="Read everything anew; what is known as it is writes nothing.")


@click.group(
    "outcomes",
    cls=Group,
    examples="""
    undertow outcomes pull
    undertow outcomes add tickets.csv --outcome ticket --timezone Europe/Berlin
    undertow outcomes status
    undertow outcomes unjoined --csv unjoined.csv
    """,
)
def command() -> None:
    """Bring in business outcomes (tickets, refunds, churn) and see how they meet the decisions of the log.

    What an outcome costs stands in [outcomes.NAME], where they come from in [sources.NAME]; the ledger of `undertow audit` counts them.
    """


@command.command(
    "pull",
    examples="""
    undertow outcomes pull
    undertow outcomes pull crm --config undertow.toml --json
    undertow outcomes pull crm --again
    """,
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_again
@_store
@_config
@_json
def pull(names: tuple[str, ...], again: bool, store: str | None, config: str | None, as_json: bool) -> None:
    """Read what is new in the sources of the settings, or in those that are named. Running it again changes nothing."""
    loaded = _loaded(config, store)
    plans = _plans(loaded)
    unknown = [name for name in names if name not in plans]
    if unknown:
        known = ", ".join(plans) or "none"
        raise UsageError(f"there is no [sources.{unknown[0]}]; sources in the settings: {known}")
    if not plans:
        raise ConfigError(
            "no [sources.NAME] in the settings; name one, or bring a file in with `undertow outcomes add`"
        )
    wanted = [plan for name, plan in plans.items() if not names or name in names]
    _pull(_store_plan(loaded, store), wanted, again=again, as_json=as_json)


@command.command(
    "add",
    examples="""
    undertow outcomes add tickets.csv --outcome ticket
    undertow outcomes add refunds.parquet --outcome refund --currency EUR --timezone Europe/Berlin
    """,
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--source", metavar="NAME", default=ADDED, show_default=True, help="Source that the rows belong to: rows with one id are the same outcome within it. One of the settings lends its currency, zone and columns.")  # fmt: skip
@click.option(
    "--outcome", metavar="NAME", help="Name of the outcome, where rows do not say. Default: that of the file."
)
@click.option(
    "--currency", metavar="CODE", help="Currency of amounts; rows in another one are set aside. Default: USD."
)
@click.option("--timezone", metavar="ZONE", help="Zone of times that name none. Without it such rows are set aside.")
@_again
@_store
@_config
@_json
def add(
    files: tuple[str, ...],
    source: str,
    outcome: str | None,
    currency: str | None,
    timezone: str | None,
    again: bool,
    store: str | None,
    config: str | None,
    as_json: bool,
) -> None:
    """Bring files in by hand: tables of events, exports of Zendesk or Intercom, churn; CSV, JSON lines, JSON or Parquet."""
    import msgspec

    loaded = _loaded(config, store)
    given = _plans(loaded).get(source)
    plans = [
        msgspec.structs.replace(
            _added(source, given, file, outcome, currency, timezone), path=str(Path(file).expanduser().absolute())
        )
        for file in files
    ]
    _pull(_store_plan(loaded, store), plans, again=again, as_json=as_json)


@command.command(
    "status",
    examples="""
    undertow outcomes status
    undertow outcomes status --store undertow-data --json | jq '.outcomes[].unjoined'
    """,
)
@_store
@_config
@_json
def status(store: str | None, config: str | None, as_json: bool) -> None:
    """Say of each source what was read, what was set aside and why, and how many outcomes meet a decision, by which key."""
    from undertow.bootstrap.outcomes import outcome_status

    loaded = _loaded(config, store)
    path = _store_path(loaded, store)
    with progress_bar(shown=not as_json) as progress:
        found = outcome_status(path, loaded.settings, datetime.now(UTC), progress)
    if as_json:
        click.echo(json.dumps(_status_document(found), indent=1, ensure_ascii=False))
    else:
        _show_status(found)


@command.command(
    "unjoined",
    examples="""
    undertow outcomes unjoined
    undertow outcomes unjoined --limit 1000 --csv unjoined.csv
    """,
)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=20, show_default=True, help="Outcomes listed, the latest first; all are counted.")  # fmt: skip
@click.option("--csv", "csv_file", metavar="FILE", help="Write the list to a file, as a table for a spreadsheet.")
@_store
@_config
@_json
def unjoined(limit: int, csv_file: str | None, store: str | None, config: str | None, as_json: bool) -> None:
    """List outcomes that belong to no decision, and count them by reason. They are kept: one that turns up later joins them."""
    from undertow.bootstrap.outcomes import outcome_status
    from undertow.bootstrap.outcomes import unjoined as list_unjoined

    loaded = _loaded(config, store)
    path = _store_path(loaded, store)
    if csv_file is not None and not Path(csv_file).resolve().parent.is_dir():
        raise UsageError(f"cannot write {csv_file!r}: its folder does not exist; make it first")
    with progress_bar(shown=not as_json) as progress:
        counted = outcome_status(path, loaded.settings, datetime.now(UTC), progress)
        listed = list_unjoined(path, loaded.settings, limit, progress)
    reasons: dict[str, int] = {}
    for joins in counted.joins:
        for reason, count in joins.unjoined.items():
            reasons[reason] = reasons.get(reason, 0) + count
    if csv_file is not None:
        _write_csv(Path(csv_file), listed)
    if as_json:
        document = {"schema": SCHEMA, "unjoined": reasons, "listed": [_unjoined_row(row) for row in listed]}
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    _show_unjoined(reasons, listed if csv_file is None else ())
    if csv_file is not None:
        click.echo(f"{len(listed):,} listed in {csv_file}")


def _loaded(config: str | None, store: str | None) -> "LoadedSettings":
    from undertow.config.load import load_settings

    return load_settings(settings_file(config, (store,) if store else ()), os.environ)


def _store_path(loaded: "LoadedSettings", given: str | None) -> Path:
    path = Path(given) if given is not None else loaded.folder / loaded.settings.store.path
    if not any((path / part).is_dir() for part in ("decisions", "signals", "intents")):
        raise LogError(
            f"{path}: this is no store (no decisions/ in it); a gateway creates it, or name one with --store"
        )
    return path


def _store_plan(loaded: "LoadedSettings", given: str | None) -> "StorePlan":
    from undertow.records.serving import StorePlan

    return StorePlan(path=str(_store_path(loaded, given)), id_key_env=loaded.settings.store.id_key_env)


def _plans(loaded: "LoadedSettings") -> dict[str, "SourcePlan"]:
    from undertow.bootstrap.plan import source_plans

    return {plan.name: plan for plan in source_plans(loaded.settings, loaded.folder)}


def _added(
    source: str, given: "SourcePlan | None", file: str, outcome: str | None, currency: str | None, timezone: str | None
) -> "SourcePlan":
    import msgspec

    from undertow.config.guard import SourceSettings
    from undertow.records.serving import SourcePlan

    if not source.isprintable() or not source.strip() or len(source) > 128:
        raise UsageError("--source is no name; expected printable text of at most 128 characters, such as crm")
    plan = given if given is not None and given.kind != "sql" else SourcePlan(name=source)
    told: dict[str, Any] = {"currency": currency, "timezone": timezone, "outcome": outcome}
    if outcome is None and plan.outcome is None:
        stem = Path(file).name.split(".")[0]
        if _OUTCOME.fullmatch(stem):
            told["outcome"] = stem
    told = {name: value for name, value in told.items() if value is not None}
    try:
        SourceSettings(path=file, **{name: value for name, value in told.items() if name != "outcome"})
    except ValueError as error:
        raise UsageError(f"--currency or --timezone: {_first_line(error)}") from None
    return msgspec.structs.replace(plan, **told)


def _first_line(error: ValueError) -> str:
    """What is wrong, of an error of the settings' model."""
    errors = getattr(error, "errors", None)
    found = errors() if errors is not None else []
    return str(found[0]["msg"]) if found else "cannot be used"


def _pull(store: "StorePlan", plans: Sequence["SourcePlan"], *, again: bool, as_json: bool) -> None:
    from undertow.bootstrap.outcomes import PullOptions, pull_sources

    with progress_bar(shown=not as_json) as progress:
        done = pull_sources(store, plans, PullOptions(again=again, wait=time.sleep), progress=progress)
    if as_json:
        document = {"schema": SCHEMA, "pulled": [_pulled_document(pulled) for pulled in done]}
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        for pulled in done:
            _show_pulled(pulled)
    failed = [(place, why) for pulled in done for place, why in pulled.failed.items()]
    if failed:
        for _, why in failed:
            click.echo(f"undertow: error: {_clean(why)}", err=True)
        raise click.exceptions.Exit(exit_status.BAD_USAGE)


def _pulled_document(pulled: "Pulled") -> dict[str, Any]:
    from dataclasses import asdict

    return {name: dict(value) if isinstance(value, dict) else value for name, value in asdict(pulled).items()}


def _show_pulled(pulled: "Pulled") -> None:
    click.echo(
        f"{_clean(pulled.source)}: read {pulled.read:,} rows of {pulled.places:,} new or changed; {pulled.accepted:,} new, "
        f"{pulled.corrected:,} corrected, {pulled.deleted:,} taken back, {pulled.duplicates:,} known already"
    )
    if pulled.unchanged:
        click.echo(f"  {pulled.unchanged:,} unchanged since they were read")
    for place, why in pulled.left.items():
        click.echo(f"  left: {_clean(place)} {why}")
    if pulled.set_aside:
        click.echo(f"  set aside: {_counted(pulled.set_aside)}")
    if pulled.rejects is not None:
        click.echo(f"  rows set aside: {pulled.rejects}")


def _status_document(found: "OutcomeStatus") -> dict[str, Any]:
    import msgspec

    sources = {
        name: msgspec.to_builtins(state) | {"set_aside": dict(found.set_aside.get(name, {}))}
        for name, state in found.sources.items()
    }
    return {"schema": SCHEMA, "sources": sources, "outcomes": [_joins_document(joins) for joins in found.joins]}


def _joins_document(joins: "OutcomeJoins") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(joins) | {"waiting": joins.waiting}


def _show_status(found: "OutcomeStatus") -> None:
    if not found.sources and not found.joins:
        click.echo("no outcomes yet: name a source under [sources.NAME] and run `undertow outcomes pull`")
    for name, state in found.sources.items():
        _show_source(name, state, found.set_aside.get(name, {}))
    for joins in found.joins:
        _show_joins(joins)


def _show_source(name: str, state: "SourceState", aside: "dict[str, int] | Any") -> None:
    click.echo(f"source {_clean(name)}")
    click.echo(
        f"  read       {state.read:,} rows: {state.accepted:,} new, {state.corrected:,} corrected, {state.deleted:,} taken back, "
        f"{state.duplicates:,} known already"
    )
    click.echo(f"  last pull  {state.last_pull_at or 'never to its end'}; latest outcome {state.last_event or 'none'}")
    if aside:
        click.echo(f"  set aside  {_counted(aside)}")
    if state.error is not None:
        click.echo(f"  failed     {_clean(state.error)}")


def _show_joins(joins: "OutcomeJoins") -> None:
    click.echo(f"outcome.{_clean(joins.name)} from {_clean(joins.source) or 'no named source'}")
    by_key = _counted({f"by {key}": count for key, count in joins.joined.items() if count}) or "none"
    joined = sum(joins.joined.values())
    click.echo(f"  joined     {joined:,} of {joins.outcomes:,} ({by_key})")
    if joins.unjoined:
        click.echo(f"  unjoined   {_counted(joins.unjoined)}; {joins.waiting:,} wait for their decision")
    if joins.corrected or joins.deleted:
        click.echo(f"  revised    {joins.corrected:,} earlier revisions, {joins.deleted:,} taken back")
    if joins.ineligible:
        click.echo(f"  ineligible {joins.ineligible:,} belong to decisions that no policy could send to a cheaper tier")
    click.echo(
        f"  mature     {joins.mature:,} (decision at least {joins.maturity_days:g} days old); latest {joins.last_event or 'none'}"
    )
    if not joins.is_priced:
        click.echo(f"  price      none: set usd under [outcomes.{_clean(joins.name)}] to see it in the ledger")


def _show_unjoined(reasons: dict[str, int], listed: Sequence["UnjoinedOutcome"]) -> None:
    from undertow.records.outcome import UNJOINED

    if not reasons:
        click.echo("every outcome belongs to a decision")
    for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        click.echo(f"{count:>9,}  {reason}: {UNJOINED.get(reason, '')}")
    for row in listed:
        click.echo(
            f"{row.event_time}  {_clean(row.source)}  outcome.{_clean(row.name)}  {row.reason}  {row.key} {_clean(row.id)[:64]}"
        )


def _unjoined_row(row: "UnjoinedOutcome") -> dict[str, str]:
    from dataclasses import asdict

    return asdict(row)


def _write_csv(path: Path, rows: Sequence["UnjoinedOutcome"]) -> None:
    import csv
    import io

    from undertow.adapters.reviews.csv import BOM, guarded
    from undertow.adapters.whole_file import PRIVATE
    from undertow.cli.atomic_write import write_atomically

    names = ("event_time", "source", "name", "reason", "key", "id", "signal_id")
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(names)
    for row in rows:
        # Ids of other systems are whatever was typed into them.
        table.writerow([guarded(_clean(str(getattr(row, name)))) for name in names])
    write_atomically(path, (BOM + out.getvalue()).encode("utf-8", "replace"), mode=PRIVATE)


def _counted(counts: "dict[str, int] | Any") -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _clean(text: str) -> str:
    """Text that acts on no terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
