"""`undertow guard`: what is in force, what waits for a person, and what a person says of it."""

import getpass
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.audit import settings_file
from undertow.cli.command import Group
from undertow.cli.drawing import progress_bar
from undertow.cli.guard_options import SCHEMA, by_a_person, config_option, json_option, of_a_policy, store_option
from undertow.errors import LogError, UsageError
from undertow.reports.names import plain, prose

if TYPE_CHECKING:
    from undertow.bootstrap.guarding import Guarded
    from undertow.config.settings import Settings
    from undertow.records.guard import Controls, PolicyControls, TrailEntry
    from undertow.services.guard import GuardReport


@dataclass(frozen=True, slots=True)
class Opened:
    """A store with its settings.

    Attributes:
        store: Root folder.
        settings: As loaded.
        plan: What the guard works by.
        now: Aware.
    """

    store: Path
    settings: "Settings"
    plan: "Guarded"
    now: datetime


def opened(config: str | None, store: str | None) -> Opened:
    """Load the settings and find the store.

    Raises:
        ConfigError: The settings are wrong.
        LogError: There is no store.
    """
    from undertow.bootstrap.guarding import guarded_of
    from undertow.config.load import load_settings

    loaded = load_settings(settings_file(config, (store,) if store else ()), os.environ)
    path = Path(store) if store is not None else loaded.folder / loaded.settings.store.path
    # A store that was lost may still have the second copy of what is in force.
    if (
        not any((path / part).is_dir() for part in ("decisions", "signals", "intents", "state"))
        and not _copy(path).is_dir()
    ):
        raise LogError(f"{path}: this is no store (no decisions/ in it); a gateway creates it")
    now = datetime.now(UTC)
    return Opened(path, loaded.settings, guarded_of(loaded.settings, loaded.folder, now.date()), now)


def said(
    at: Opened,
    say: "Callable[[tuple[TrailEntry, ...]], Sequence[TrailEntry]]",
    *,
    as_json: bool,
    policy: str | None = None,
) -> None:
    """Do what a person says, and show it.

    Args:
        at: Where.
        say: From the trail to new lines.
        as_json: As JSON.
        policy: Refused where no policy of this name is known; None: not looked at.
    """
    from undertow.adapters.guard.book import StoreGuardBook
    from undertow.services.guard import by_person

    if policy is not None and at.plan.policies and policy not in {each.name for each in at.plan.policies}:
        raise UsageError(
            f"there is no policy {policy!r}; the settings have {', '.join(p.name for p in at.plan.policies)}"
        )
    report = by_person(StoreGuardBook(at.store), say, at.plan.guard, at.now)
    if as_json:
        click.echo(
            document(entries=[_builtins(entry) for entry in report.entries], **in_force_document(report.controls))
        )
        return
    for entry in report.entries:
        if entry.status != "approved":
            click.echo(line(entry))
    if any(entry.status == "done" for entry in report.entries):
        click.echo(_in_force_since(report))


def reader(who: str | None) -> str:
    """Name of the person: given, or that of the user."""
    return plain(who or getpass.getuser())[:80]


@click.group(
    "guard",
    cls=Group,
    examples="""
    undertow guard status
    undertow guard approve 3f2a
    undertow guard route-back intent=billing --why "refund rules changed"
    undertow guard release 3f2a --why "fixed upstream"
    undertow guard dry-run --days 30
    """,
)
def command() -> None:
    """See what the guard restricts and suggests, answer it, and try it on the past."""


@command.command("status", examples="undertow guard status --json | jq .suggestions")
@config_option
@store_option
@json_option
def status(config: str | None, store: str | None, as_json: bool) -> None:
    """Say what is in force, what waits for a person, and what could not be done."""
    from undertow.actions.entries import failures, waiting
    from undertow.services.guard import read

    at = opened(config, store)
    held = read(_book(at), at.now)
    asked = waiting(held.trail)
    failed = failures(held.trail, (at.now - timedelta(days=1)).isoformat())
    rollouts = held.memory.rollouts
    if as_json:
        click.echo(
            document(
                **in_force_document(held.controls),
                suggestions=[_builtins(entry) for entry in asked],
                failed=[_builtins(entry) for entry in failed],
                rollouts=[_builtins(state) for state in rollouts],
                looked_until=held.memory.looked_until or None,
            )
        )
        return
    places = restrictions(held.controls)
    click.echo(_verdict(len(places), len(asked), len(failed)))
    for row in places:
        click.echo(f"  in force   {row}")
    for entry in failed:
        click.echo(f"  failed     {line(entry)}")
    for entry in asked:
        click.echo(f"  waiting    {line(entry)}")
    for state in rollouts:
        click.echo(
            f"  rollout    policy {plain(state.policy)}, version {plain(state.version)}: {state.status}; see `undertow rollout status`"
        )
    if asked:
        click.echo("answer with `undertow guard approve ID` or `undertow guard reject ID`")
    if held.memory.looked_until:
        click.echo(f"the log was looked at up to {held.memory.looked_until}")


@command.command("list", examples="undertow guard list --limit 5")
@config_option
@store_option
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="Only the latest N lines.")  # fmt: skip
@json_option
def show(config: str | None, store: str | None, limit: int, as_json: bool) -> None:
    """Show the audit trail, latest first: who or what did what, on which evidence."""
    at = opened(config, store)
    trail = _book(at).trail()
    latest = tuple(reversed(trail))[:limit]
    if as_json:
        click.echo(document(trail=[_builtins(entry) for entry in latest]))
        return
    click.echo(f"{len(trail):,} lines in the trail" if trail else "the guard has done nothing yet")
    for entry in latest:
        click.echo(f"  {line(entry)}")


@command.command("approve", examples='undertow guard approve 3f2a --why "seen in the tickets, too"')
@click.argument("which", metavar="ID")
@by_a_person
def approve(which: str, config: str | None, store: str | None, who: str | None, why: str, as_json: bool) -> None:
    """Do what was suggested by the line ID of the trail (its beginning is enough)."""
    from undertow.actions import by_person

    at = opened(config, store)
    said(at, lambda trail: by_person.approve(trail, which, reader(who), plain(why), at.now), as_json=as_json)


@command.command("reject", examples='undertow guard reject 3f2a --why "a known holiday peak"')
@click.argument("which", metavar="ID")
@by_a_person
def reject(which: str, config: str | None, store: str | None, who: str | None, why: str, as_json: bool) -> None:
    """Do not do what was suggested by the line ID; it is not suggested again for the same episode."""
    from undertow.actions import by_person

    at = opened(config, store)
    said(at, lambda trail: by_person.reject(trail, which, reader(who), plain(why), at.now), as_json=as_json)


@command.command("release", examples='undertow guard release 3f2a --why "fixed upstream"')
@click.argument("which", metavar="ID")
@by_a_person
def release(which: str, config: str | None, store: str | None, who: str | None, why: str, as_json: bool) -> None:
    """Take away what the line ID put in force; what other lines put there stays."""
    from undertow.actions import by_person

    at = opened(config, store)
    unknown = _unknown(at)
    said(at, lambda trail: by_person.release(trail, which, reader(who), plain(why), at.now, unknown), as_json=as_json)


@command.command("route-back", examples='undertow guard route-back intent=billing --why "refund rules changed"')
@click.argument("segment", metavar="KEY=VALUE|all")
@of_a_policy
def route_back(
    segment: str, config: str | None, store: str | None, policy: str, who: str | None, why: str, as_json: bool
) -> None:
    """Send a segment to the capable tier by hand, at once and until it is released."""
    from undertow.actions import by_person

    at = opened(config, store)
    place = "" if segment == "all" else segment
    said(
        at,
        lambda trail: by_person.route_back(trail, policy, place, reader(who), plain(why), at.now),
        as_json=as_json,
        policy=policy,
    )


@command.command("dry-run", examples="undertow guard dry-run --days 30 --json | jq .entries")
@config_option
@store_option
@click.option("--days", type=click.IntRange(1, 400), default=14, show_default=True, metavar="N", help="Days of the log's end.")  # fmt: skip
@json_option
def dry_run(config: str | None, store: str | None, days: int, as_json: bool) -> None:
    """Show what the guard would have done on the last days, by what was known then; change nothing.

    What an action would have changed in the traffic is not simulated: a segment that would have been routed back goes on losing here.
    """
    from undertow.actions.entries import NOTED
    from undertow.bootstrap.guarding import dry_run_store

    at = opened(config, store)
    with progress_bar(shown=not as_json) as progress:
        found = dry_run_store(at.store, at.plan, at.settings, days, at.now, progress)
    if as_json:
        click.echo(
            document(
                days=len(found.days),
                skipped=found.skipped,
                entries=[_builtins(entry) for entry in found.entries],
                in_force={name: _builtins(each) for name, each in found.in_force.items()},
            )
        )
        return
    acts = [entry for entry in found.entries if entry.kind not in NOTED]
    done = sum(entry.status == "dry" for entry in acts)
    asked = sum(entry.status == "suggested" for entry in acts)
    period = f"{found.days[0]:%Y-%m-%d} to {found.days[-1]:%Y-%m-%d}"
    click.echo(
        f"the guard would have done {_count(done, 'thing')} and suggested {_count(asked, 'thing')} from {period}"
    )
    for entry in found.entries:
        click.echo(f"  {line(entry)}")
    if found.skipped:
        click.echo(f"{_count(found.skipped, 'day')} had nothing to audit yet")


def line(entry: "TrailEntry") -> str:
    """One line of the trail, for people."""
    from undertow.actions.entries import place_name

    moved = f": {plain(entry.before)} -> {plain(entry.after)}" if entry.before or entry.after else ""
    where = f"{plain(entry.policy)}, {plain(place_name(entry.segment))}"
    words = {"dry": "would be done", "suggested": "suggested"}.get(entry.status, entry.status)
    return f"{entry.id}  {entry.at[:16]}Z  {plain(entry.who)}  {entry.kind} {words}  {where}{moved}; {prose(entry.why)}"


def document(**parts: object) -> str:
    """JSON for machines."""
    return json.dumps({"schema": SCHEMA, **parts}, indent=1, ensure_ascii=False, allow_nan=False)


def restrictions(controls: "Controls | None") -> list[str]:
    """What is in force, a line each."""
    rows = []
    for name, each in sorted({} if controls is None else controls.policies.items()):
        rows += [f"{plain(name)}, {row}" for row in _rows(each)]
    return rows


def _rows(controls: "PolicyControls") -> list[str]:
    from undertow.actions.entries import place_name

    rows = []
    for each in sorted(controls.restrictions, key=lambda r: (r.segment, r.source)):
        holds = []
        if each.exposure < 1.0:
            holds.append("the capable tier alone" if each.exposure <= 0.0 else f"at most {each.exposure:.0%} of users below the capable tier")  # fmt: skip
        if each.raised_by > 0.0:
            holds.append(f"confidence raised by {each.raised_by:g}")
        rows.append(f"{plain(place_name(each.segment))}: {' and '.join(holds)} (by {plain(each.source)})")
    if controls.pin is not None:
        pin = controls.pin
        rows.append(f"version {plain(pin.good)} serves instead of {plain(pin.bad)} (by {plain(pin.source)})")
    return rows


def in_force_document(controls: "Controls | None") -> dict[str, object]:
    """What is in force, for machines."""
    return {
        "version": 0 if controls is None else controls.version,
        "in_force": {} if controls is None else {name: _builtins(each) for name, each in controls.policies.items()},
    }


def _verdict(places: int, asked: int, failed: int) -> str:
    held = "nothing is restricted" if not places else f"{_count(places, 'restriction')} in force"
    waits = "nothing waits for you" if not asked else f"{_count(asked, 'suggestion')} waiting for you"
    undone = f"{_count(failed, 'action')} could not be applied; " if failed else ""
    return f"{undone}{held}; {waits}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _in_force_since(report: "GuardReport") -> str:
    version = 0 if report.controls is None else report.controls.version
    return f"controls version {version}; gateways read it within seconds"


def _book(at: Opened):  # noqa: ANN202
    from undertow.adapters.guard.book import StoreGuardBook

    return StoreGuardBook(at.store)


def _unknown(at: Opened) -> dict[str, str]:
    """Policy by source of what is in force without a line in the trail."""
    from undertow.actions.controls import unknown_to

    book = _book(at)
    found = unknown_to(book.controls(), book.trail())
    sources = {each.source: policy for policy, held in found.items() for each in held.restrictions}
    return sources | {held.pin.source: policy for policy, held in found.items() if held.pin is not None}


def _copy(store: Path) -> Path:
    from undertow.adapters.guard.controls import guard_folder

    return guard_folder(store)


def _builtins(value: object) -> object:
    """A record with all of its fields, those at their defaults among them."""
    import msgspec

    match value:
        case msgspec.Struct():
            return {name: _builtins(getattr(value, name)) for name in value.__struct_fields__}
        case dict():
            return {name: _builtins(each) for name, each in value.items()}
        case tuple():
            return [_builtins(each) for each in value]
        case _:
            return value
