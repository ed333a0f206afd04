"""`undertow config check`, `schema` and `compile`: what is set, where it came from, what could be, and what a gateway makes of it."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from undertow.cli.atomic_write import write_atomically
from undertow.cli.command import Group

_config = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings file [./undertow.toml if it is there].",
)


@click.group("config", cls=Group)
def command() -> None:
    """Check the settings, print their JSON Schema, or compile them for a gateway."""


@command.command(
    "check",
    examples="""
    undertow config check
    undertow config check --config prod.toml --json
    UNDERTOW_MONITORS__ALPHA=0.01 undertow config check
    """,
)
@_config
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
def check(file: Path | None, as_json: bool) -> None:
    """Print every setting, its value and where it came from.

    Unknown names and wrong values are refused with their line (exit status 2). Secrets are never printed, only whether
    their environment variable is set.
    """
    from undertow.config import find_file, load_settings, named_variables

    loaded = load_settings(find_file(file, Path.cwd()), os.environ)
    for warning in loaded.warnings:
        click.echo(f"undertow: warning: {warning}", err=True)
    values = {name: _value_at(loaded.settings, name) for name in loaded.origins}
    secrets = {where: bool(os.environ.get(name)) for where, name in named_variables(loaded.settings)}
    if as_json:
        rows = [
            {"name": name, "value": _plain(value), "origin": loaded.origins[name]}
            | ({"is_set": secrets[name]} if name in secrets else {})
            for name, value in values.items()
        ]
        document = {
            "schema": "undertow.config/1",
            "file": None if loaded.path is None else str(loaded.path),
            "settings": rows,
        }
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    where = "no settings file; defaults and environment" if loaded.path is None else str(loaded.path)
    click.echo(f"{where}: all settings are valid", err=True)
    width = max(map(len, values))
    shown = {name: _shown(value, secrets.get(name)) for name, value in values.items()}
    value_width = min(max(map(len, shown.values())), 40)
    for name in values:
        click.echo(f"{name:<{width}}  {shown[name]:<{value_width}}  {loaded.origins[name]}")


@command.command("schema", examples="undertow config schema > undertow.schema.json")
def schema() -> None:
    """Print the JSON Schema of undertow.toml, with which editors complete and check it."""
    from undertow.config.schema import shipped_schema

    click.echo(shipped_schema(), nl=False)


@command.command(
    "compile",
    examples="""
    undertow config compile -o plan.json
    undertow config compile --config prod.toml | jq .policies
    """,
)
@_config
@click.option(
    "-o", "--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="Write here [standard output]."
)
def compile_(file: Path | None, target: Path | None) -> None:
    """Write the settings as the one JSON document that a gateway and `undertow.Client` read.

    A client starts sooner from it, without a TOML file at hand. It holds today's prices and names of environment variables,
    never a key; paths of files below its folder are relative to it. Settings that cannot serve are refused (exit status 2).
    """
    from undertow.bootstrap.plan import compile_plan
    from undertow.bootstrap.plan_file import portable
    from undertow.config import find_file, load_settings

    loaded = load_settings(find_file(file, Path.cwd()), os.environ)
    plan = compile_plan(loaded.settings, loaded.folder, datetime.now(UTC).date(), loaded.located)
    document = portable(plan, str(Path.cwd() if target is None else target.resolve().parent))
    if target is None:
        click.echo(document, nl=False)
        return
    write_atomically(target, document)
    click.echo(f"wrote {target}; it names {len(plan.tiers)} tiers and {len(plan.policies)} policies", err=True)


def _value_at(value: Any, name: str) -> Any:
    """Value of a dotted name; names of tiers and policies may have dots in them, so the longest key wins."""
    if not name:
        return value
    keys: list[str] = list(value) if isinstance(value, dict) else list(type(value).model_fields)
    key = max((key for key in keys if name == key or name.startswith(f"{key}.")), key=len)
    inner = value[key] if isinstance(value, dict) else getattr(value, key)
    return _value_at(inner, name[len(key) + 1 :])


def _plain(value: Any) -> Any:
    """A value as JSON has it; what may hold a secret (a header among a tier's parameters) is masked."""
    from pydantic import BaseModel

    from undertow.config.problems import is_secretive

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: "(not shown)" if is_secretive(str(key)) else _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _shown(value: Any, is_set: bool | None) -> str:
    if value is None:
        return "(unset)"
    text = json.dumps(_plain(value), ensure_ascii=False)
    return text if is_set is None else f"{text} ({'set' if is_set else 'not set'})"
