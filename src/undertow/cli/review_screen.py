"""Reviewing in a terminal: one item after the other, plain lines, one key a verdict.

Nothing is repainted, so it works over any connection and with a screen reader. Texts are users' and models': each line of theirs is made
harmless and stands behind a bar, so that no text looks like a line of ours.
"""

import shutil
import sys
import textwrap
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from undertow.errors import UsageError
from undertow.reports.names import plain, prose
from undertow.reviewing.answers import CHOICES, GRADES

if TYPE_CHECKING:
    from undertow.records.review import Sheet
    from undertow.services.review import ReviewDesk

BAR = "| "
CHUNK = 1_000
"""Characters that are made harmless at a time."""

MAX_SHOWN = 60_000
"""Characters of one text that are shown."""

HELP_ONE = "y good, n bad, or 1 (worst) to 5 (best)"
HELP_TWO = "a only A is good, b only B is good, t both are (tie), x neither is"
HELP_ALL = "s skip, u undo, ? help, q quit"
DONE = {
    "a": "only A is good",
    "b": "only B is good",
    "t": "both are good",
    "x": "neither is good",
    "y": "good",
    "n": "bad",
}


def harmless(text: str, width: int) -> str:
    r"""A text of many lines with nothing in it that acts, each line behind a bar.

    Args:
        text: Any text.
        width: Columns there are.

    Examples:
        >>> print(harmless("a\x1b[2J\n\tb", 40))
        | a␛[2J
        |     b
        >>> harmless("", 40)
        '| (empty)'
    """
    if not text.strip():
        return f"{BAR}(empty)"
    cut = text[:MAX_SHOWN]
    lines = []
    for line in cut.expandtabs(4).splitlines():
        clean = "".join(plain(line[start : start + CHUNK]) for start in range(0, len(line), CHUNK))
        lines += textwrap.wrap(clean, max(width - len(BAR), 20), drop_whitespace=False, replace_whitespace=False) or [
            ""
        ]
    if len(text) > MAX_SHOWN:
        lines.append(f"(and {len(text) - MAX_SHOWN:,} more characters)")
    return "\n".join(f"{BAR}{line}".rstrip() for line in lines)


def review_in_terminal(
    desk: "ReviewDesk", rater: str, count: int | None = None, clock: Callable[[], float] = time.monotonic
) -> None:
    """Show one item after the other until the reviewer quits, none is left, or `count` are done.

    Args:
        desk: The desk.
        rater: Who reviews.
        count: Items to show; None: no end.
        clock: Seconds of a clock that is never set.

    Raises:
        KeyboardInterrupt: Ctrl-C; all verdicts so far are kept, and their signals written.
    """
    desk.publish()
    done = 0
    try:
        while count is None or done < count:
            sheet = desk.next(rater)
            if sheet is None:
                if done == 0:
                    click.echo("Nothing waits for you. Come back when more was drawn.")
                    break
                click.echo("\nNothing more waits for you. u takes back your last verdict; any other key ends.")
                if _key() == "u" and desk.undo(rater) is not None:
                    click.echo("taken back; here it is again")
                    done -= 1
                    continue
                break
            _show(desk, sheet)
            said = _ask(desk, rater, sheet, clock)
            if said == "q":
                break
            done += {"u": -1 if done else 0, "": 0}.get(said, 1)
    finally:
        desk.leave(rater)
        if done:
            click.echo(f"{done} judged or skipped in this session; all of it is kept.")


def _show(desk: "ReviewDesk", sheet: "Sheet") -> None:
    progress = desk.progress()
    width = min(shutil.get_terminal_size().columns, 120)
    click.echo(f"\n--- {progress.today} of {progress.per_day} today, {progress.waiting} waiting ---")
    if progress.today == progress.per_day:
        click.echo("Today's reviews are done; what follows is more than was planned for.")
    click.echo(f"\nRequest\n{harmless(sheet.prompt, width)}")
    for name, answer in zip(
        ("Answer A", "Answer B") if sheet.is_side_by_side else ("Answer",), sheet.answers, strict=True
    ):
        click.echo(f"\n{name}\n{harmless(answer, width)}")
    click.echo(f"\n{prose(sheet.rubric, 4_000)}")
    click.echo(f"[{HELP_TWO if sheet.is_side_by_side else HELP_ONE}; {HELP_ALL}]")


def _ask(desk: "ReviewDesk", rater: str, sheet: "Sheet", clock: Callable[[], float]) -> str:
    """Take keys until one says something; that key, or nothing where the item is to be shown again."""
    began = clock()
    keys = {key for key in (CHOICES if sheet.is_side_by_side else GRADES) if len(key) == 1}
    while True:
        key = _key()
        if key in keys:
            desk.vote(rater, sheet.item, key, round(clock() - began, 1))
            click.echo(f"kept: {DONE.get(key, key)}")
            return key
        match key:
            case "q":
                return "q"
            case "s":
                why = click.prompt("Why (nothing: back to the item)", default="", show_default=False)
                if why.strip():
                    desk.skip(rater, sheet.item, why, round(clock() - began, 1))
                    return "s"
                return ""
            case "u":
                taken = desk.undo(rater)
                click.echo("taken back; here it is again" if taken else "there is nothing to take back")
                return "u" if taken else ""
            case "?":
                click.echo(_help(sheet))
            case _:
                click.echo(f"no such key; {HELP_TWO if sheet.is_side_by_side else HELP_ONE}; {HELP_ALL}")


def _help(sheet: "Sheet") -> str:
    lines = [
        HELP_TWO if sheet.is_side_by_side else HELP_ONE,
        "s  skip, with a reason: it goes to somebody else",
        "u  take back your last verdict (up to ten minutes)",
        "q  quit; Ctrl-C does the same; nothing is lost",
        "Which model answered is not told, and the order of A and B is drawn for each item.",
        "Now and then an answer that is known to be wrong is among them, to measure what is seen.",
    ]
    return "\n".join(lines)


def _key() -> str:
    """One key; a line's first character where standard input is no terminal; `q` at its end."""
    if sys.stdin.isatty():
        click.echo("> ", nl=False)
        key = click.getchar()
        click.echo(plain(key))
    else:
        line = sys.stdin.readline()
        if not line:
            return "q"
        key = line.strip()[:1]
    if key in {"\x04", "\x03"}:
        return "q"
    return key.lower()


def reviewer(given: str | None) -> str:
    """The reviewer's name: the one given, else that of the user of this machine.

    Raises:
        UsageError: There is none.
    """
    import getpass

    try:
        return given or getpass.getuser()
    except (KeyError, OSError, ImportError):
        raise UsageError("who reviews cannot be told; name yourself with --rater") from None
