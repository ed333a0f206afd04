"""`undertow policy`: the versions of policies that have served, what is in force of them, and what differs between two."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from undertow.cli.audit import settings_file
from undertow.cli.command import Group
from undertow.errors import ConfigError, UndertowError, UsageError

if TYPE_CHECKING:
    from undertow.bootstrap.versions import Pinned
    from undertow.config.load import LoadedSettings
    from undertow.records.guard import Controls, PolicyVersion

SCHEMA = "undertow.policy/1"

_config = click.option("--config", metavar="FILE", help="Settings. Default: undertow.toml in the store's folder, else here.")  # fmt: skip
_store = click.option("--store", metavar="DIR", help="The store's root folder. Default: that of the settings.")
_json = click.option("--json", "as_json", is_flag=True, help="JSON (undertow.policy/1) on standard output, and nothing else there.")  # fmt: skip


@click.group("policy", cls=Group)
def command() -> None:
    """Show the versions of policies that have served, what restricts them, and what changed between two."""


@dataclass(frozen=True, slots=True)
class _Book:
    """What there is to show.

    Attributes:
        versions: Oldest first.
        controls: In force, or None.
        served: Version by policy that a gateway with these settings serves; empty: not known.
        why_not: Why that is not known, or None.
        unserved: By policy that was rolled back: why the good version cannot be served, so that the capable tier answers.
    """

    versions: tuple["PolicyVersion", ...]
    controls: "Controls | None"
    served: dict[str, str]
    why_not: str | None = None
    unserved: Mapping[str, str] = field(default_factory=dict)

    def find(self, asked: str) -> "PolicyVersion":
        """The version that a name or its beginning means.

        Raises:
            UsageError: None, or more than one.
        """
        found = [version for version in self.versions if version.version.startswith(asked)]
        if asked and len(found) == 1:
            return found[0]
        exact = [version for version in found if version.version == asked]
        if exact:
            return exact[0]
        if asked in self.served:
            return self.find(self.served[asked])
        problem = "means several versions" if found else "is no version that has served"
        raise UsageError(f"{asked[:40]!r} {problem}; `undertow policy list` shows them")


@command.command(
    "list",
    examples="""
    undertow policy list
    undertow policy list --config undertow.toml --json
    """,
)
@_config
@_store
@_json
def list_(config: str | None, store: str | None, as_json: bool) -> None:
    """List the versions that have served, oldest first, which of them are in force, and what restricts each policy."""
    book = _book(config, store)
    if as_json:
        _echo({"versions": [_summary(version, book) for version in book.versions], **_in_force(book)})
        return
    if not book.versions:
        click.echo("no version is kept yet; `undertow serve` keeps each one when it begins to serve")
    for version in book.versions:
        names = [name for name, served in book.served.items() if served == version.version]
        mark = f"  in force: {', '.join(names)}" if names else ""
        click.echo(f"{version.version}  {version.first_served_at}  {_what(version)}{mark}")
    for line in _restriction_lines(book.controls):
        click.echo(line)
    for policy, why in book.unserved.items():
        click.echo(f"the capable tier answers for {policy}: the version it was rolled back to cannot be served: {why}")
    if book.why_not is not None:
        click.echo(f"which is in force is not known: {book.why_not}")


@command.command(
    "show",
    examples="""
    undertow policy show auto
    undertow policy show 3f9c1a2b7d04 --json
    """,
)
@click.argument("version", metavar="VERSION|POLICY")
@_config
@_store
@_json
def show(version: str, config: str | None, store: str | None, as_json: bool) -> None:
    """Show a version whole: its policy, its tiers, constraints and holdout. A policy's name means the version in force."""
    import msgspec

    from undertow.services.policy_versions import fields_of, in_words

    book = _book(config, store)
    found = book.find(version)
    if as_json:
        _echo({"version": msgspec.to_builtins(found), **_in_force(book)})
        return
    click.echo(f"{found.version}  first served {found.first_served_at}")
    for name, value in fields_of(found).items():
        click.echo(f"  {name} = {in_words(value)}")


@command.command(
    "diff",
    examples="""
    undertow policy diff 3f9c1a2b7d04 81be55c0a9f1
    undertow policy diff 3f9c auto --json
    """,
)
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@_config
@_store
@_json
def diff(before: str, after: str, config: str | None, store: str | None, as_json: bool) -> None:
    """Say, field by field, what differs between two versions. Either may be given by its beginning, or as a policy's name: the one in force."""
    from undertow.services.policy_versions import differences, in_words

    book = _book(config, store)
    one, other = book.find(before), book.find(after)
    changes = differences(one, other)
    if as_json:
        rows = [{"field": name, "before": was, "after": is_} for name, was, is_ in changes]
        _echo({"before": one.version, "after": other.version, "changes": rows})
        return
    for name, was, is_ in changes:
        click.echo(f"{name}: {in_words(was)} -> {in_words(is_)}")
    if not changes:
        click.echo("they do not differ in anything that decides")


def _what(version: "PolicyVersion") -> str:
    from undertow.services.policy_versions import clean

    policy = version.policy
    models = ", ".join(f"{name} ({clean(str(tier.get('model')))})" for name, tier in version.tiers.items())
    return f"{policy.kind} over {models}"


def _summary(version: "PolicyVersion", book: _Book) -> dict[str, Any]:
    return {
        "version": version.version,
        "first_served_at": version.first_served_at,
        "kind": version.policy.kind,
        "tiers": {name: tier.get("model") for name, tier in version.tiers.items()},
        "in_force_for": [name for name, served in book.served.items() if served == version.version],
    }


def _in_force(book: _Book) -> dict[str, Any]:
    import msgspec

    controls = None if book.controls is None else msgspec.to_builtins(book.controls)
    return {"in_force": book.served, "unserved": dict(book.unserved), "controls": controls}


def _restriction_lines(controls: "Controls | None") -> list[str]:
    from undertow.services.policy_versions import clean

    lines: list[str] = []
    for policy, given in ({} if controls is None else controls.policies).items():
        for one in given.restrictions:
            what = [f"{one.exposure:.0%} of users exposed"] if one.exposure < 1 else []
            what += [f"threshold raised by {one.raised_by:g}"] if one.raised_by else []
            where = clean(one.segment) or "all requests"
            lines.append(f"restricted: {clean(policy)}, {where}: {', '.join(what) or 'nothing'} ({clean(one.source)})")
        if given.pin is not None:
            pin = given.pin
            lines.append(f"rolled back: {clean(policy)}: {clean(pin.good)} serves instead of {clean(pin.bad)} ({clean(pin.source)})")  # fmt: skip
    return lines


def _echo(document: dict[str, Any]) -> None:
    click.echo(json.dumps({"schema": SCHEMA} | document, indent=1, ensure_ascii=True))


def _book(config: str | None, store: str | None) -> _Book:
    from undertow.adapters.guard.book import StoreGuardBook
    from undertow.config.load import load_settings

    loaded = load_settings(settings_file(config, (store,) if store else ()), os.environ)
    folder = Path(store) if store is not None else loaded.folder / loaded.settings.store.path
    book = StoreGuardBook(folder)
    versions, controls = book.versions(), book.controls()
    if not versions and controls is None and not folder.is_dir():
        raise ConfigError(f"{folder}: there is no store here; a gateway creates it")
    try:
        pinned = _served(loaded, folder)
        served = {policy.name: policy.version for policy in pinned.plan.policies}
        return _Book(versions, controls, served, unserved=pinned.unserved)
    except UndertowError as error:
        return _Book(versions, controls, {}, str(error).splitlines()[0])


def _served(loaded: "LoadedSettings", store: Path) -> "Pinned":
    """What a gateway with these settings serves now.

    Raises:
        ConfigError: The settings are not enough to serve.
    """
    import msgspec

    from undertow.bootstrap.plan import compile_plan
    from undertow.bootstrap.versions import Pins

    plan = compile_plan(loaded.settings, loaded.folder, datetime.now(UTC).date(), loaded.located)
    plan = msgspec.structs.replace(plan, store=msgspec.structs.replace(plan.store, path=str(store)))
    return Pins(os.environ).pinned(plan)
