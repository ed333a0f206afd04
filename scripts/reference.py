"""Write what is made from the code: the JSON Schema of the settings and the tables of the reference pages.

A page marks its made parts with `<!-- made by scripts/reference.py: NAME -->` and `<!-- end -->`; the rest of it is written by
hand. Run after changing settings, columns or commands; `tests/docs/test_reference.py` fails when it was forgotten.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from undertow.cli.main import COMMANDS, main
from undertow.config.schema import FILE, schema_text
from undertow.config.shape import Setting, all_settings
from undertow.records.columns import DECISION_COLUMNS, DRAW_COLUMNS, GATEWAY_COLUMNS, SIGNAL_COLUMNS, Column

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
PART = re.compile(r"(<!-- made by scripts/reference\.py: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def columns(table: tuple[Column, ...]) -> str:
    """A table of columns."""
    rows = ["| column | type | allowed | meaning |", "| --- | --- | --- | --- |"]
    for column in table:
        kind = "list of struct" if column.sql_type.startswith("STRUCT") else column.sql_type.lower()
        required = " **(required)**" if column.required else ""
        rows.append(f"| `{column.name}` | {kind} | {allowed(column)} | {column.meaning}{required} |")
    return "\n".join(rows) + "\n"


def allowed(column: Column) -> str:
    """The values that a column may have, in words."""
    if column.choices:
        return ", ".join(f"`{choice}`" for choice in column.choices)
    if column.low is not None and column.high is not None:
        return f"{'(' if column.low_open else '['}{column.low:g}, {column.high:g}]"
    return f">= {column.low:g}" if column.low is not None else ""


def settings() -> str:
    """A section for each section of the settings."""
    return "\n".join(
        f"### `[{header}]`\n\n{purpose}\n\n{_settings_table(group)}" for header, purpose, group in all_settings()
    )


def _settings_table(group: tuple[Setting, ...]) -> str:
    if group[0].path.startswith("policies"):
        return "The settings are those of `[policy]`.\n"
    has_kinds = any(setting.policy_kind for setting in group)
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for setting in group:
        name = setting.path.rsplit(".", 1)[1]
        kind = f" (kind `{setting.policy_kind}`)" if has_kinds and setting.policy_kind != "cascade" else ""
        choices = f" One of: {', '.join(setting.choices)}." if len(setting.choices) > 1 else ""
        default = "required" if setting.required else "unset" if setting.default is None else f"`{setting.default}`"
        rows.append(f"| `{name}`{kind} | {default} | {setting.description}{choices} |")
    return "\n".join(rows) + "\n"


def commands() -> str:
    """The help text of every command."""
    context = main.make_context("undertow", [], resilient_parsing=True)
    return "\n".join(text for name in COMMANDS for text in _help(main.get_command(context, name), context, name))


def _help(command: click.Command | None, parent: click.Context, name: str) -> Iterator[str]:
    assert command is not None, name
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    context.terminal_width = context.max_content_width = 100
    lines = command.get_help(context).splitlines()
    shown = "\n".join(line.rstrip() for line in lines)
    yield f"### `{context.command_path}`\n\n```text\n{shown}\n```\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _help(command.get_command(context, inner), context, inner)


PARTS: dict[str, Callable[[], str]] = {
    "decisions": lambda: columns(DECISION_COLUMNS),
    "gateway": lambda: columns(GATEWAY_COLUMNS),
    "signals": lambda: columns(SIGNAL_COLUMNS),
    "draws": lambda: columns(DRAW_COLUMNS),
    "settings": settings,
    "commands": commands,
}


def made(page: str) -> str:
    """A page with its made parts as they should be."""
    return PART.sub(lambda match: f"{match[1]}\n{PARTS[match[2]]()}\n{match[3]}", page)


def run() -> None:
    """Write all of it."""
    (ROOT / "src" / "undertow" / "config" / FILE).write_text(schema_text(), encoding="utf-8")
    for path in sorted(PAGES.glob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = made(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    run()
