"""`undertow key new` and `undertow key check`: keys with which callers come to the gateway."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.atomic_write import write_atomically
from undertow.cli.command import FiniteRange, Group
from undertow.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from undertow.config.keys import NewKey

MAX_INPUT = 4096
"""Characters of standard input that are read for a key."""

_config = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings file [./undertow.toml if it is there].",
)
_json = click.option("--json", "as_json", is_flag=True, help="JSON (undertow.key/1) on standard output.")


@click.group("key", cls=Group)
def command() -> None:
    """Make and check the keys with which callers come to the gateway."""


@command.command(
    "new",
    examples="""
    undertow key new web                               # prints the key, and what to paste
    undertow key new web --append --budget-usd-day 50  # writes it into undertow.toml
    undertow key new batch --tier cheap --label team=search --append > batch.key
    undertow key new ada --ui reviewer --append        # also opens the dashboard
    """,
)
@click.argument("name")
@_config
@click.option("--append", is_flag=True, help="Write [keys.NAME] to the end of the settings file.")
@click.option("--budget-usd-day", type=FiniteRange(min=0), metavar="USD", help="Most that it may spend a day.")
@click.option("--requests-per-minute", type=click.IntRange(min=1), metavar="N", help="Most requests a minute.")
@click.option("--tier", "tiers", multiple=True, metavar="TIER", help="A tier that it may use [all]. May be repeated.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label of its requests. May be repeated.")
@click.option(
    "--ui",
    type=click.Choice(["viewer", "reviewer", "operator"]),
    help="What it opens of the dashboard under /ui [nothing].",
)
@_json
def new(
    name: str,
    file: Path | None,
    append: bool,
    budget_usd_day: float | None,
    requests_per_minute: int | None,
    tiers: tuple[str, ...],
    labels: tuple[str, ...],
    ui: str | None,
    as_json: bool,
) -> None:
    """Make a key and print it, once: only its hash is kept, so that nobody can read it later.

    The key goes to standard output, its section for the settings file to standard error.
    """
    from undertow.config import find_file, load_settings
    from undertow.config.keys import new_key

    path = find_file(file, Path.cwd())
    if append and path is None:
        raise ConfigError(
            "--append: there is no undertow.toml here; `undertow init` writes one, or name one with --config"
        )
    known = load_settings(path, os.environ).settings.keys
    if name in known:
        raise ConfigError(f"keys.{name} exists already; give another name, or remove that section first")
    made = new_key()
    while any(key.id == made.key_id for key in known.values()):
        made = new_key()
    block = _block(
        name,
        made,
        {
            "budget_usd_day": budget_usd_day,
            "requests_per_minute": requests_per_minute,
            "tiers": tiers or None,
            "labels": _labels(labels) or None,
            "ui": ui,
        },
    )
    before = b"" if path is None else path.read_bytes()
    if append and path is not None:
        write_atomically(path, _appended(before, block), check=lambda draft: load_settings(draft, os.environ))
    else:
        _check_block(before, block)
    if as_json:
        document = {"schema": "undertow.key/1", "name": name, "key": made.key, "id": made.key_id, "sha256": made.sha256}
        click.echo(
            json.dumps({**document, "toml": block, "written": str(path) if append else None}, ensure_ascii=False)
        )
        return
    click.echo(made.key)
    if append:
        click.echo(f"wrote [keys.{name}] to {path}; a running gateway takes it up when it reloads", err=True)
    else:
        click.echo(f"Keep the key: it is shown once. Put this into undertow.toml:\n\n{block}", err=True, nl=False)


@command.command(
    "check",
    examples="""
    undertow key check < web.key
    pass show undertow/web | undertow key check
    """,
)
@_config
@_json
def check(file: Path | None, as_json: bool) -> None:
    """Tell which key of the settings a key is, without calling the gateway.

    The key is read from standard input, never from the command line: what stands there is seen by every user of the
    machine and kept in the shell's history. Exit status 2: it is none of them.
    """
    from undertow.config import find_file, load_settings
    from undertow.config.keys import key_id_of, matching_key

    known = load_settings(find_file(file, Path.cwd()), os.environ).settings.keys
    if sys.stdin.isatty():
        key = click.prompt("Key", hide_input=True, err=True).strip()
    else:
        key = sys.stdin.read(MAX_INPUT).strip()
    if not key:
        raise UsageError("no key on standard input; try `undertow key check < FILE`")
    name = matching_key(key, known)
    key_id = key_id_of(key)
    if name is None:
        raise ConfigError(_why_none(key_id, {each.id: other for other, each in known.items()}))
    found = known[name]
    if as_json:
        document = {"schema": "undertow.key/1", "name": name, **found.model_dump(mode="json")}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    if key_id != found.id:
        click.echo(
            f"undertow: warning: keys.{name}.id is not the one in the key, so the gateway cannot find it", err=True
        )
    click.echo(f"{name} (id {found.id})")


def _block(name: str, made: "NewKey", values: dict[str, object]) -> str:
    from undertow.config.shape import as_toml

    header = name if name and name.isascii() and name.replace("-", "").replace("_", "").isalnum() else _quoted(name)
    lines = [f"[keys.{header}]", f'id = "{made.key_id}"', f'sha256 = "{made.sha256}"']
    for setting, value in values.items():
        if isinstance(value, dict):
            pairs = ", ".join(f"{_quoted(label)} = {_quoted(text)}" for label, text in value.items())
            lines.append(f"{setting} = {{ {pairs} }}")
        elif isinstance(value, tuple):
            lines.append(f"{setting} = [{', '.join(map(_quoted, value))}]")
        elif value is not None:
            lines.append(f"{setting} = {as_toml(value)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's, too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for label in given:
        key, mark, value = label.partition("=")
        if not key or not mark or not value:
            raise UsageError(f"--label {label!r} is no KEY=VALUE")
        labels[key] = value
    return labels


def _appended(before: bytes, block: str) -> bytes:
    line_end = b"\r\n" if b"\r\n" in before else b"\n"
    gap = b"" if not before else line_end if before.endswith(b"\n") else 2 * line_end
    return before + gap + block.encode().replace(b"\n", line_end)


def _check_block(before: bytes, block: str) -> None:
    """Refuse a name, tier or label that the settings would refuse, before a key for it is given away."""
    import tempfile

    from undertow.config import load_settings

    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "undertow.toml"
        draft.write_bytes(_appended(before, block))
        load_settings(draft, os.environ)


def _why_none(key_id: str | None, names: dict[str, str]) -> str:
    if key_id is None:
        return (
            "it is none of the keys in the settings, and has not the form of one (ut_, 8 characters, _, 43 characters)"
        )
    if key_id in names:
        return f"its id {key_id} is that of keys.{names[key_id]}, but the hash is another: that key was replaced, or this one is cut"
    return f"no [keys.NAME] has its id {key_id}; is it the right settings file?"
