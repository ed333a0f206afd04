"""Progress on standard error, drawn only for a person who is watching."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from undertow.ports.audit_source import Progress, silent


@contextmanager
def progress_bar(*, shown: bool = True) -> Iterator[Progress]:
    """A bar for work in stages; nothing where standard error is no terminal."""
    if not shown or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def told(stage: str, done: float, total: float | None) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        yield told
