"""`undertow tune`: move calibrated thresholds to where the labels want them, void certificates, and undo either."""

import getpass
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.audit import settings_file
from undertow.cli.command import Command
from undertow.cli.drawing import progress_bar
from undertow.errors import LogError, UsageError

if TYPE_CHECKING:
    from undertow.config.load import LoadedSettings
    from undertow.records.tuning import TuningEntry
    from undertow.services.tuning_run import GroupReport, Target, TuneReport

SCHEMA = "undertow.tune/1"


@click.command(
    "tune",
    cls=Command,
    examples="""
    undertow tune --dry-run
    undertow tune undertow-data/ --config undertow.toml
    undertow tune --history
    undertow tune --undo
    undertow tune --void intent=billing --why "refund rules changed"
    """,
)
@click.argument("store", required=False, metavar="[STORE]")
@click.option("--config", metavar="FILE", help="Settings. Default: undertow.toml in the store's folder, else here.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.option("--history", is_flag=True, help="Show all changes, the latest first; tune nothing.")
@click.option("--undo", is_flag=True, help="Bring back the thresholds before the last change.")
@click.option("--to", "to", type=click.IntRange(min=0), metavar="VERSION", help="Bring back those of a version; 0: as calibrated.")  # fmt: skip
@click.option("--void", "void_", metavar="KEY=VALUE|all", help="Mark a certificate void: a strict policy serves nothing cheaply there.")  # fmt: skip
@click.option("--restore", metavar="KEY=VALUE|all", help="Take a void certificate back into force.")
@click.option("--why", metavar="TEXT", help="With --void or --restore: the reason, for the history.")
@click.option("--json", "as_json", is_flag=True, help="JSON (undertow.tune/1) on standard output, and nothing else there.")  # fmt: skip
def command(
    store: str | None,
    config: str | None,
    dry_run: bool,
    history: bool,
    undo: bool,
    to: int | None,
    void_: str | None,
    restore: str | None,
    why: str | None,
    as_json: bool,
) -> None:
    """Move the thresholds of calibrated policies to where the labels of STORE want them.

    STORE is a store's root folder; default: that of the settings. A served failure raises a threshold, labels without one let it come back
    to what is certified; it never comes down while an alarm is open. Every change has a version and can be undone.
    """
    _check(undo=undo, to=to, void_=void_, restore=restore, why=why, history=history)
    from undertow.config.load import load_settings

    loaded = load_settings(settings_file(config, (store,) if store else ()), os.environ)
    path = _store(store, loaded)
    if history:
        _show_history(path, as_json=as_json)
        return
    from undertow.bootstrap.tuning import calibrations_of, committing_of, targets_of

    targets = targets_of(calibrations_of(loaded.settings, loaded.folder), committing_of(loaded.settings))
    if not targets:
        raise UsageError(
            "no policy has a calibration, so there is no threshold to tune; run `undertow calibrate` and set [policy] calibration"
        )
    report = _run(path, loaded, targets, dry_run=dry_run, undo=undo, to=to, void_=void_, restore=restore, why=why, as_json=as_json)  # fmt: skip
    if as_json:
        click.echo(json.dumps(_document(report, is_dry=dry_run), indent=1, ensure_ascii=False))
    else:
        _show(report, is_dry=dry_run)


def _check(
    *, undo: bool, to: int | None, void_: str | None, restore: str | None, why: str | None, history: bool
) -> None:
    given = {"--history": history, "--undo": undo, "--to": to is not None, "--void": void_ is not None, "--restore": restore is not None}  # fmt: skip
    named = [name for name, is_given in given.items() if is_given]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} exclude each other; give one of them")
    if void_ is not None and not (why or "").strip():
        raise UsageError(
            '--void needs --why "the reason": whoever restores it must be able to tell whether it has gone'
        )
    if why is not None and void_ is None and restore is None:
        raise UsageError("--why goes with --void or --restore")


def _store(given: str | None, loaded: "LoadedSettings") -> Path:
    path = Path(given) if given is not None else loaded.folder / loaded.settings.store.path
    if not any((path / part).is_dir() for part in ("decisions", "signals", "intents")):
        raise LogError(f"{path}: this is no store (no decisions/ in it); a gateway creates it")
    return path


def _run(
    store: Path,
    loaded: "LoadedSettings",
    targets: tuple["Target", ...],
    *,
    dry_run: bool,
    undo: bool,
    to: int | None,
    void_: str | None,
    restore: str | None,
    why: str | None,
    as_json: bool,
) -> "TuneReport":
    from undertow.adapters.tuning.book import StoreBook
    from undertow.bootstrap.tuning import tune_store
    from undertow.services import tune as service
    from undertow.services.tuning_run import Run

    run = Run(getpass.getuser(), datetime.now(UTC), dry_run)
    if undo or to is not None:
        return service.undo(targets, StoreBook(store), to, run)
    if void_ is not None:
        return service.void(targets, StoreBook(store), void_, (why or "").strip(), run)
    if restore is not None:
        said = (why or "").strip() or "restored by hand"
        return service.void(targets, StoreBook(store), restore, said, run, is_void=False)
    tuning = loaded.settings.tuning
    bounds = service.Bounds(tuning.step, tuning.max_step, tuning.window_days)
    with progress_bar(shown=not as_json) as progress:
        return tune_store(store, targets, bounds, run, loaded.settings, progress)


def _document(report: "TuneReport", *, is_dry: bool) -> dict[str, object]:
    from dataclasses import asdict

    groups = [asdict(group) | {"changed": group.is_changed} for group in report.groups]
    return {
        "schema": SCHEMA,
        "version": report.version,
        "dry_run": is_dry,
        "changed": report.changed,
        "groups": groups,
        "notes": list(report.notes),
    }


def _show(report: "TuneReport", *, is_dry: bool) -> None:
    for group in report.groups:
        click.echo(f"{group.policy}, tier {group.tier}, {_named(group)}")
        click.echo(f"  threshold  {_moved(group)}")
        if group.was_void != group.is_void or group.is_void:
            click.echo(f"  certificate  {'void' if group.is_void else 'in force again'}")
        if group.loss is not None and group.interval is not None:
            low, high = group.interval
            click.echo(f"  loss       {group.loss:.1%} (95 % interval {low:.1%} to {high:.1%}) on {group.labels:,} new labels; margin {group.margin:.1%}")  # fmt: skip
        if group.alarm == "open":
            click.echo("  alarm      open")
        click.echo(f"  why        {group.why}")
    for note in report.notes:
        click.echo(f"note: {note}")
    if not report.changed:
        click.echo("nothing changed")
    elif is_dry:
        click.echo(f"would change {report.changed} as version {report.version}; nothing was written")
    else:
        click.echo(f"changed {report.changed}, version {report.version}; gateways read it within seconds; undertow tune --undo takes it back")  # fmt: skip


def _named(group: "GroupReport") -> str:
    if group.group_key is None:
        return "all requests"
    return f"{group.group_key}={group.group}" if group.group is not None else f"all other {group.group_key}"


def _moved(group: "GroupReport") -> str:
    if group.before == group.after:
        return _in_words(group.after)
    before = -1.0 if group.before is None else group.before
    after = 2.0 if group.after is None else group.after
    is_stricter = group.before is not None and after > before
    return f"{_in_words(group.before)} -> {_in_words(group.after)} ({'stricter' if is_stricter else 'more is served cheaply'})"


def _in_words(threshold: float | None) -> str:
    return "nothing is served cheaply" if threshold is None else f"{threshold:.4f}"


def _show_history(store: Path, *, as_json: bool) -> None:
    import msgspec

    from undertow.adapters.tuning.book import StoreBook

    entries = StoreBook(store).history()
    if as_json:
        document = {"schema": SCHEMA, "history": [msgspec.to_builtins(entry) for entry in entries]}
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    if not entries:
        click.echo("nothing was ever changed: thresholds are as calibrated")
    for entry in reversed(entries):
        click.echo(_line(entry))


def _line(entry: "TuningEntry") -> str:
    where = f"{entry.policy}, tier {entry.tier}{f', {entry.group}' if entry.group is not None else ''}"
    void = (
        ""
        if entry.was_void == entry.is_void
        else "; certificate void"
        if entry.is_void
        else "; certificate in force again"
    )
    moved = (
        _in_words(entry.after)
        if entry.before == entry.after
        else f"{_in_words(entry.before)} -> {_in_words(entry.after)}"
    )
    return f"version {entry.version}  {entry.at}  {entry.who}  {where}: {moved}{void}: {entry.why}"
