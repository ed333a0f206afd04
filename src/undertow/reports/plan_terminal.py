"""A plan on the terminal: how soon the reference loss is seen first, then the table, better ways, and what stays unseen."""

from undertow.planning.options import share_text
from undertow.records.power import Delay, PlannedLoss, PowerReport
from undertow.reports.aligned import aligned
from undertow.reports.figures import percent
from undertow.reports.names import prose

SOURCES = {
    "log": "measured in the log",
    "settings": "from the settings",
    "option": "as given",
    "assumed": "assumed",
}


def plan_lines(report: PowerReport) -> tuple[str, ...]:
    """The lines of the report, without colours."""
    lines = [headline(report) + ".", ""]
    rows = [("quality lost", "in", "half within", "nine in ten within", f"seen in {report.design.horizon_days} days")]
    rows += [
        (
            share_text(each.loss.size),
            _place(each.loss),
            _days(each.median_days),
            _days(each.p90_days),
            percent(each.seen_share),
        )
        for each in report.delays
    ]
    lines += aligned(rows, left=(0, 1))
    if not report.options:
        lines += ["", "The same reviews, spent otherwise: nothing that was tried is quicker."]
    else:
        lines += ["", f"The same reviews, spent otherwise ({_loss(report.reference)}):"]
        rows = [("", "half within", "nine in ten within", "")]
        rows.append(("as it is", _days(report.now.median_days), _days(report.now.p90_days), ""))
        rows += [
            (prose(each.what, 110), _days(each.delay.median_days), _days(each.delay.p90_days), prose(each.costs, 110))
            for each in report.options
        ]
        lines += aligned(rows, left=(0, 3))
    lines += ["", "Not seen with this set-up:", *(f"  - {prose(each, 400)}" for each in report.unseen)]
    lines += ["", "What this rests on:"]
    lines += aligned(
        [(each.name, prose(each.value, 100), SOURCES[each.source]) for each in report.assumptions], left=(0, 1, 2)
    )
    runs = report.now.runs
    lines += [
        "",
        f"Each line is {runs} simulated runs with the detectors that watch the log; days count from the onset.",
    ]
    return tuple(lines)


def headline(report: PowerReport) -> str:
    """One sentence: how soon the reference loss is seen."""
    what = _loss(report.reference)
    if report.now.median_days is None:
        return f"{what[0].upper()}{what[1:]} is seen within {report.design.horizon_days} days in {percent(report.now.seen_share)} of the runs only"
    tail = (
        f", in {_days(report.now.p90_days)} nine times in ten"
        if report.now.p90_days is not None
        else ", but not nine times in ten"
    )
    return f"{what[0].upper()}{what[1:]} is seen in {_days(report.now.median_days)} half of the time{tail}"


def _loss(loss: PlannedLoss) -> str:
    return f"a loss of {share_text(loss.size)} of the quality in {_place(loss)}"


def _place(loss: PlannedLoss) -> str:
    if loss.slice_share >= 1.0:
        return "all of the traffic"
    named = "a labelled slice" if loss.is_labelled else "a slice that no label names"
    return f"{named} of {share_text(loss.slice_share)}"


def _days(days: int | None) -> str:
    return "never" if days is None else f"{days} day{'s' if days != 1 else ''}"


def delay_document(delay: Delay) -> dict[str, object]:
    """One delay as built-in values, for JSON."""
    return {
        "loss": delay.loss.size,
        "slice_share": delay.loss.slice_share,
        "labelled": delay.loss.is_labelled,
        "median_days": delay.median_days,
        "p90_days": delay.p90_days,
        "seen_share": delay.seen_share,
        "runs": delay.runs,
    }
