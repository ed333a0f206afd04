"""`undertow`: the command line's door. It finds the subcommand, and turns every ending into one line and an exit status.

Subcommands are named in `COMMANDS` and imported only when they run, so `undertow --help` and a mistyped name cost no
import of DuckDB, NumPy or pydantic. Standard output carries data; messages and progress go to standard error.
"""

import difflib
import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from undertow import __version__
from undertow.cli import exit_status
from undertow.cli.command import CONTEXT_SETTINGS, Group
from undertow.errors import UndertowError


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a subcommand lives, and its line in `undertow --help`.

    Attributes:
        module: Module that holds the click command in its attribute `command`.
        summary: What it does, in a few words.
    """

    module: str
    summary: str


COMMANDS: dict[str, LazyCommand] = {
    "audit": LazyCommand("undertow.cli.audit", "Turn a routing log into a verdict."),
    "serve": LazyCommand("undertow.cli.serve", "Route requests, and log every decision."),
    "simulate": LazyCommand("undertow.cli.simulate", "Write the logs of a routing incident, or of its healthy twin."),
    "train": LazyCommand("undertow.cli.train", "Train a classifier on labelled texts or a judged log."),
    "outcomes": LazyCommand("undertow.cli.outcomes", "Bring in tickets, refunds and churn, and see what they join."),
    "review": LazyCommand("undertow.cli.review", "Judge drawn decisions, and see how the judging goes."),
    "guard": LazyCommand("undertow.cli.guard", "See what is restricted and suggested, and answer it."),
    "rollout": LazyCommand("undertow.cli.rollout", "Expose a new version step by step, by evidence alone."),
    "tune": LazyCommand("undertow.cli.tune", "Move calibrated thresholds to where the labels want them."),
    "policy": LazyCommand("undertow.cli.policy", "Show the versions that have served, and what changed between two."),
    "calibrate": LazyCommand("undertow.cli.calibrate", "Fit confidence and thresholds on labelled answers."),
    "plan": LazyCommand("undertow.cli.plan", "Say how soon a loss would be seen, before it happens."),
    "ledger": LazyCommand("undertow.cli.ledger", "Set savings against what they cost, line by line."),
    "report": LazyCommand("undertow.cli.report", "Say what happened this week, on one page."),
    "check": LazyCommand("undertow.cli.check", "Let no candidate pass that loses quality, in a build."),
    "replay": LazyCommand("undertow.cli.replay", "Say when it would have been known, had other settings held."),
    "suite": LazyCommand(
        "undertow.cli.suite", "Run cases with known answers through every tier, and see what got worse."
    ),
    "alerts": LazyCommand("undertow.cli.alerts", "See whether alerts arrive, and silence what is known."),
    "judge": LazyCommand("undertow.cli.judge", "Judge pairs of answers, and see whether the judge can be believed."),
    "init": LazyCommand("undertow.cli.init", "Write a commented undertow.toml."),
    "config": LazyCommand("undertow.cli.config", "Check the settings, or compile them for a gateway."),
    "key": LazyCommand("undertow.cli.key", "Make and check the keys of the gateway's callers."),
    "ui": LazyCommand("undertow.cli.ui", "Show a log in the browser."),
    "watch": LazyCommand("undertow.cli.watch", "Keep a store in order, beside whatever writes to it."),
    "doctor": LazyCommand("undertow.cli.doctor", "Say what is missing to trust a verdict."),
    "completion": LazyCommand("undertow.cli.completion", "Print the completion script for your shell."),
}


MACHINE_FAULTS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE}
)
"""A full disk or a forbidden folder is no bug of ours, wherever it strikes."""


class PipeClosedError(Exception):
    """Nobody reads standard output any more. (click would end with status 1 here, which means a loss was found.)"""


class UndertowGroup(Group):
    """The group of all subcommands: lazy, with near matches for mistyped names and one place for every error."""

    shows_tracebacks = False

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in the order of `COMMANDS`: what people need first comes first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the subcommand's module, once it is asked for."""
        entry = COMMANDS.get(cmd_name)
        return None if entry is None else importlib.import_module(entry.module).command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the subcommands from the table, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but naming the nearest subcommand."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"commands: {', '.join(COMMANDS)}."
            ctx.fail(f"no such command {name!r}; {hint}")
        return super().resolve_command(ctx, args)

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and exit with a status from `exit_status`. See `click.Command.main` for the parameters."""
        prog_name = prog_name or "undertow"
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        status: Any = None
        try:
            status = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except Exception as error:  # noqa: BLE001 (the edge: whatever happened ends in one line and a status)
            status = self._explain(error)
        return _exit(status if isinstance(status, int) else exit_status.HEALTHY)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As click does; `--help` is written here, so here too the pipe may be closed."""
        try:
            return super().make_context(*args, **kwargs)
        except BrokenPipeError as error:
            raise PipeClosedError from error

    def invoke(self, ctx: click.Context) -> Any:
        """As click does, keeping a closed pipe apart from other endings."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosedError from error

    def _explain(self, error: Exception) -> int:
        """Say on standard error what went wrong; the exit status for it."""
        match error:
            case UndertowError():
                complain(str(error))
            case click.exceptions.NoArgsIsHelpError():
                error.show()
            case click.UsageError(ctx=click.Context() as context):
                complain(f"{error.format_message()} (see `{context.command_path} --help`)")
            case click.ClickException():
                complain(error.format_message())
            case click.Abort():
                return exit_status.INTERRUPTED
            case PipeClosedError():
                return exit_status.PIPE_CLOSED
            case MemoryError():
                complain("out of memory; audit a shorter period, or give the process more")
            case OSError(errno=number) if number in MACHINE_FAULTS:
                complain(f"{error.strerror}{'' if error.filename is None else f': {error.filename}'}")
            case _:
                return self._report_bug(error)
        return exit_status.BAD_USAGE

    def _report_bug(self, error: Exception) -> int:
        """Ask for a report. The traceback is shown on request alone, since it may hold what users sent."""
        if self.shows_tracebacks or os.environ.get("UNDERTOW_DEBUG", "") not in {"", "0"}:
            traceback.print_exception(error)
        complain(
            f"this is a bug in undertow {__version__} ({type(error).__name__}); please report it with the traceback "
            "that `undertow --debug ...` (or UNDERTOW_DEBUG=1) shows"
        )
        return exit_status.BUG


def complain(message: str) -> None:
    """One line on standard error for each line of `message`, so that each of them can be found with grep."""
    for line in message.splitlines() or ["unknown error"]:
        click.echo(f"undertow: error: {line}", err=True)


def _exit(status: int) -> NoReturn:
    """Flush and exit. A reader that has gone (`| head`) changes neither the status nor standard error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would flush again at shutdown and complain; give it somewhere harmless to write to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


@click.group(
    cls=UndertowGroup,
    context_settings=CONTEXT_SETTINGS,
    examples="""
    undertow simulate support --out support/
    undertow audit support/
    undertow audit litellm-spend.jsonl --html audit.html
    undertow init && undertow config check
    """,
)
@click.version_option(__version__, "-V", "--version", prog_name="undertow", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show tracebacks of Undertow's own errors (also: UNDERTOW_DEBUG=1).")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """Catch the quality loss that LLM routing hides.

    Standard output carries data, standard error messages. Exit status: 0 done or healthy, 1 loss found,
    2 bad usage or input, 3 inconclusive, 70 a bug of ours.
    """
    if isinstance(ctx.command, UndertowGroup):
        ctx.command.shows_tracebacks = debug


if __name__ == "__main__":
    main()
