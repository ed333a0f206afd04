"""The click command that every subcommand uses: short `-h`, and examples in `--help` that keep their line breaks.

    @click.command("audit", cls=Command, examples=\"\"\"
    undertow audit spend.jsonl
    undertow audit log/ --json > audit.json
    \"\"\")

click would fold an epilog into one paragraph; examples are copied into shells, so their lines must stay as written.
"""

import inspect
import math
from typing import Any

import click

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class FiniteRange(click.FloatRange):
    """A number between bounds; `nan` and `inf`, which Python reads as numbers, are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click does."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number


def _write_examples(examples: str, formatter: click.HelpFormatter) -> None:
    lines = inspect.cleandoc(examples).splitlines()
    if not any(lines):
        return
    with formatter.section("Examples"):
        for line in lines:
            formatter.write(f"  {line}\n" if line else "\n")


class Command(click.Command):
    """A click command with an `examples` text, shown under "Examples:" line by line."""

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", CONTEXT_SETTINGS)
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, then click's own epilog."""
        _write_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)


class Group(click.Group):
    """A click group with an `examples` text; its subcommands are `Command`s."""

    command_class = Command

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", CONTEXT_SETTINGS)
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, then click's own epilog."""
        _write_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)
