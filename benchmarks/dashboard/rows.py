"""Figures of visits as entries of the report, each beside its bar."""

import statistics

from dashboard.visits import Visit
from report import Report

PAINT_BAR_S, COMPLETE_BAR_S, SIZE_BAR_KB = 1.0, 2.0, 500.0
FULL_SIZE = 10_000_000
LONGEST_NAME = 44


def add_view(report: Report, name: str, seen: list[Visit], decisions: int) -> None:
    """A view that was opened several times, the first with an empty cache.

    Args:
        report: Where entries are added; bars are judged only at the size that they name.
        name: Of the view.
        seen: Its visits in order, at least one.
        decisions: In the log.
    """
    is_full = decisions >= FULL_SIZE
    painted = [each.painted_s for each in seen if each.painted_s is not None]
    complete = [each.complete_s for each in seen]
    # What a later visit finds in the browser's cache is no part of its weight.
    weight = seen[0].wire_bytes / 1000
    _timed(report, f"{name}: first paint, s", PAINT_BAR_S, painted, is_full=is_full)
    _timed(report, f"{name}: complete, s", COMPLETE_BAR_S, complete, is_full=is_full)
    report.add(
        f"{name}: compressed, empty cache, kB", f"under {SIZE_BAR_KB:g} kB", SIZE_BAR_KB, weight, None, 1,
        weight < SIZE_BAR_KB if is_full else None, f"{seen[0].requests} requests",
    )  # fmt: skip


def add_server(
    report: Report, decisions: int, read_s: float, again_s: float | None, peak_bytes: int | None, ledger_s: float | None
) -> None:
    """What no bar is about: reading the log, showing it again after a restart, the ledger's book, and memory."""
    shown: tuple[tuple[str, float | None], ...] = (
        ("from the start of `undertow ui` until the log was read, s", read_s),
        ("from a later start until what was kept is shown, s", again_s),
        ("ledger: from the first visit after a reading until the months are there, s", ledger_s),
        ("peak memory of `undertow ui`, GB", None if peak_bytes is None else peak_bytes / 1e9),
    )
    for criterion, measured in shown:
        report.add(criterion, "shown", None, measured, None, decisions, None)


def line(name: str, seen: list[Visit]) -> str:
    """A view as a line of the table: first visit, then the median of all."""
    first = seen[0]
    painted = [each.painted_s for each in seen if each.painted_s is not None]
    return (
        f"{name[:LONGEST_NAME]:<{LONGEST_NAME}} {_seconds(first.painted_s)} {first.complete_s:>9.2f} "
        f"{_seconds(statistics.median(painted) if painted else None)} {statistics.median(each.complete_s for each in seen):>9.2f} "
        f"{statistics.median(each.server_s for each in seen):>9.2f} {first.wire_bytes / 1000:>7.0f}"
    )


HEAD = (
    f"{'seconds':<{LONGEST_NAME}} {'first visit':>19} {'median':>19} {'':>9}\n"
    f"{'view':<{LONGEST_NAME}} {'paint':>9} {'complete':>9} {'paint':>9} {'complete':>9} {'server':>9} {'kB':>7}"
)


def _timed(report: Report, criterion: str, bar: float, seconds: list[float], *, is_full: bool) -> None:
    median = statistics.median(seconds) if seconds else None
    interval = (min(seconds), max(seconds)) if seconds else None
    ok = None if not is_full or median is None else median < bar
    report.add(criterion, f"under {bar:g} s", bar, median, interval, len(seconds), ok)


def _seconds(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.2f'):>9}"
