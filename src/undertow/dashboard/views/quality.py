"""Quality over time, as it is known now and as it looked on any earlier day: when was it knowable?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undertow.dashboard.charts import Chart, both, csv_response
from undertow.dashboard.pages import address, as_of, page, report_of, ui_of
from undertow.dashboard.places import LONGEST, Option, Place, cells_of, place_of
from undertow.errors import UsageError
from undertow.records.cells import AuditCells
from undertow.records.label_grid import signal_units
from undertow.records.report import Alarm, AuditReport, Series
from undertow.reports import figures
from undertow.reports.changes import Mark, marks
from undertow.reports.html import section_values
from undertow.reports.names import clip, plain
from undertow.reports.svg.lines import Line, Lines, lines_chart
from undertow.reports.svg.palette import tier_class
from undertow.services.quality_lines import line_unit, quality_lines

STEPS_DAYS = (-28, -7, -1, 1, 7, 28)
EVERY_S = {"week": 7 * 86_400, "day": 86_400, "hour": 3_600}
MARKED_ALARMS = 4
TOLD_ALARMS = 8
MOST_SIGNALS = 60
MOST_PERIODS = 400
"""Of one line: a longer log is drawn in longer periods."""


@dataclass(frozen=True, slots=True)
class Days:
    """The days that can be looked at.

    Attributes:
        first, last: Of the log.
        shown: Which is shown.
        steps: Days that are a step away, with how far, inside the log.
    """

    first: date
    last: date
    shown: date
    steps: tuple[tuple[int, date], ...]

    @property
    def count(self) -> int:
        """Days from the first to the last."""
        return (self.last - self.first).days

    @property
    def place(self) -> int:
        """Days from the first to the one shown."""
        return (self.shown - self.first).days


def days_of(whole: AuditReport, shown: date | None) -> Days:
    """The days of a log.

    Args:
        whole: Its audit, of all of it.
        shown: The day that is looked at; None: the last.
    """
    first, last = (moment.astimezone(UTC).date() for moment in whole.period)
    here = min(max(shown or last, first), last)
    steps = [(step, here + timedelta(days=step)) for step in STEPS_DAYS]
    return Days(first, last, here, tuple((step, to) for step, to in steps if first <= to <= last))


@dataclass(frozen=True, slots=True)
class Known:
    """What is known today of one alarm, beside the day that is looked at.

    Attributes:
        alarm: By the whole log.
        when: `later` (its onset lies after the day), `hidden` (it had begun, and nobody could know yet) or `known`.
        days: From the day to the alarm where it is hidden; from onset to alarm else. None: no onset is known.
    """

    alarm: Alarm
    when: str
    days: int | None


def known_of(alarms: Sequence[Alarm], shown: date) -> tuple[Known, ...]:
    """Whether each loss that is known by now was knowable at the end of a day.

    Args:
        alarms: Of the whole log, in the order in which they were raised.
        shown: The day.

    Returns:
        The alarms in their order.
    """
    found = []
    for alarm in alarms:
        raised = alarm.detected_at.astimezone(UTC)
        # An alarm at midnight was raised by the day that ended then.
        on = (raised - timedelta(microseconds=1)).date()
        onset = None if alarm.onset is None else alarm.onset.astimezone(UTC).date()
        if on <= shown:
            found.append(Known(alarm, "known", None if onset is None else max((on - onset).days, 0)))
        elif onset is not None and onset > shown:
            found.append(Known(alarm, "later", (on - onset).days))
        else:
            found.append(Known(alarm, "hidden", (on - shown).days))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader asks for.

    Attributes:
        place: Tier and segment.
        signal: Name of the signal; empty: there is none.
        signals: What may be chosen.
        every: Length of a period: `hour`, `day` or `week`.
        begin, end: What is zoomed in on, None: from the first, to the last.
    """

    place: Place
    signal: str
    signals: tuple[Option, ...]
    every: str
    begin: datetime | None
    end: datetime | None

    @property
    def is_zoomed(self) -> bool:
        """Whether a part of the time is shown."""
        return self.begin is not None or self.end is not None

    @property
    def to_day(self) -> date | None:
        """The last day that is shown."""
        return None if self.end is None else (self.end - timedelta(microseconds=1)).date()


def asked_of(request: Request, cells: AuditCells, report: AuditReport) -> Asked:
    """What the address asks for.

    Raises:
        UsageError: It asks for what the log does not have.
    """
    given = request.query_params
    names = list(dict.fromkeys(unit.name for unit in signal_units(cells) if len(unit.name) <= LONGEST))[:MOST_SIGNALS]
    signal = given.get("signal") or report.main_signal or (names[0] if names else "")
    if given.get("signal") and signal not in names and signal not in cells.signals:
        raise UsageError(
            f"signal={plain(signal)[:60]!r}: the log has {', '.join(clip(each, 40) for each in names[:8]) or 'none'}"
        )
    every = given.get("every") or _default_every(report)
    if every not in EVERY_S:
        raise UsageError(f"every={plain(every)[:40]!r}: expected one of {', '.join(EVERY_S)}")
    begin, end = moment_of(given.get("from", ""), "from"), moment_of(given.get("to", ""), "to")
    if begin is not None and end is not None and begin >= end:
        raise UsageError("from: expected a day before that of to")
    return Asked(
        place_of(request, cells),
        signal,
        tuple(Option(name, clip(name, 40)) for name in names),
        _able(every, cells, report),
        begin,
        end,
    )


def moment_of(text: str, which: str) -> datetime | None:
    """A moment of the address: a day (its begin for `from`, its end for `to`), or a time in UTC; None where it is empty.

    Raises:
        UsageError: It is neither.

    Examples:
        >>> str(moment_of("2026-03-01", "to")), str(moment_of("2026-03-01T06:00Z", "from"))
        ('2026-03-02 00:00:00+00:00', '2026-03-01 06:00:00+00:00')
    """
    if not text:
        return None
    try:
        if len(text) == len("2026-03-01"):
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return day + timedelta(days=1) if which == "to" else day
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{which}={plain(text)[:40]!r}: expected a day such as 2026-03-01") from None


def _default_every(report: AuditReport) -> str:
    days = (report.period[1] - report.period[0]).total_seconds() / 86_400
    return "week" if days >= 28 else "day" if days >= 2 else "hour"


def _able(every: str, cells: AuditCells, report: AuditReport) -> str:
    """The period asked for, or the shortest longer one that the log's buckets and the drawing allow."""
    span = (report.period[1] - report.period[0]).total_seconds()
    lengths = [name for name in ("hour", "day", "week") if EVERY_S[name] >= max(EVERY_S[every], cells.bucket_s)]
    return next((name for name in lengths if span / EVERY_S[name] <= MOST_PERIODS), "week")


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the chart shows, drawn here and there.

    Attributes:
        lines: With their names and colours.
        alarms: Marked ones, with their numbers among all.
        marks: Changes of versions.
        selection: How the labels were chosen; empty: there are none.
    """

    lines: tuple[Line, ...]
    alarms: tuple[tuple[int, Alarm], ...]
    marks: tuple[Mark, ...]
    selection: str = ""


def drawing_of(request: Request, cells: AuditCells, report: AuditReport, asked: Asked) -> Drawing:
    """What the chart shows; computed once a reading."""
    ui, place = ui_of(request), asked.place
    key = ("quality", as_of(request), asked.signal, place.tier, place.segment, asked.every)

    def made() -> tuple[tuple[Series, ...], str]:
        unit = line_unit(cells, report.settings, asked.signal)
        if unit is None:
            return (), ""
        step = EVERY_S[asked.every]
        return quality_lines(cells, unit, report.settings.level, place.tier, place.segment, step), unit.selection

    series, selection = ui.kept.of(ui.log.seen, key, made)
    alarms = [(number, alarm) for number, alarm in enumerate(report.alarms, 1) if _concerns(alarm, place)]
    return Drawing(
        tuple(_line(each, place, cells.tiers) for each in series),
        tuple(alarms[:MARKED_ALARMS]),
        marks(report.changes, report.period),
        selection,
    )


def _concerns(alarm: Alarm, place: Place) -> bool:
    """Whether an alarm is about what is drawn: the tiers shown, in the segment shown, or as a whole."""
    return place.tier in {None, alarm.tier} and (
        place.segment.is_whole or alarm.segment.is_whole or alarm.segment == place.segment
    )


def _line(series: Series, place: Place, tiers: Sequence[str]) -> Line:
    if series.tier is None:
        return Line(series, "all tiers", "c-all")
    if series.segment != place.segment:
        return Line(series, f"all of {clip(series.tier, 14)}", "c-all")
    return Line(series, clip(series.tier, 20), tier_class(series.tier, tiers))


def chart_of(drawing: Drawing, asked: Asked, report: AuditReport) -> Chart | None:
    """The chart, drawn here."""
    first, last = report.period
    period = None
    if asked.is_zoomed:
        period = asked.begin or first - timedelta(days=7), asked.end or last
    what = Lines(
        f"Quality over time by {clip(asked.signal, 40)}, {asked.place.words}",
        drawing.lines, lambda value: f"{value * 100:.4g} %", period, alarms=drawing.alarms, marks=drawing.marks,
    )  # fmt: skip
    return both(lambda width, ident: lines_chart(what, width, ident), "series")


def plot_of(drawing: Drawing, asked: Asked) -> dict[str, object]:
    """The same for a script to draw: times in seconds, a list a line."""
    times = sorted({point.at for line in drawing.lines for point in line.series.points})

    def columns(line: Line) -> dict[str, object]:
        at = {point.at: point for point in line.series.points}
        points = [at.get(when) for when in times]
        return {
            "label": line.label,
            "cls": line.cls,
            "mean": [None if p is None else p.mean for p in points],
            "low": [None if p is None or p.interval is None else p.interval[0] for p in points],
            "high": [None if p is None or p.interval is None else p.interval[1] for p in points],
            "n": [0 if p is None else round(p.n) for p in points],
        }

    return {
        "every": asked.every,
        "at": [when.timestamp() for when in times],
        "lines": [columns(line) for line in drawing.lines],
        "alarms": [
            {
                "number": number,
                "at": alarm.detected_at.timestamp(),
                "onset": None if alarm.onset_interval is None else [each.timestamp() for each in alarm.onset_interval],
            }
            for number, alarm in drawing.alarms
        ],
        "marks": [{"letter": mark.letter, "at": mark.at.timestamp()} for mark in drawing.marks],
    }


def quality(request: Request) -> Response:
    """`/ui/quality`."""
    report, seen = report_of(request), ui_of(request).log.seen
    cells = cells_of(request)
    if report is None or seen is None or cells is None:
        return page(request, "waiting.html.j2")
    asked = asked_of(request, cells, report)
    drawing = drawing_of(request, cells, report, asked)
    match request.query_params.get("format"):
        case "csv":
            return csv_response("undertow-quality", HEADING, _rows(drawing, asked))
        case "json":
            return Response(msgspec.json.encode(plot_of(drawing, asked)), media_type="application/json")
    days = days_of(seen.report, as_of(request))
    values = section_values(report) | {
        "days": days, "asked": asked, "series": chart_of(drawing, asked, report), "lines": drawing.lines, "numbered": drawing.alarms,
        "selection": drawing.selection, "known": known_of(seen.report.alarms, days.shown)[:TOLD_ALARMS],
        "changes": drawing.marks, "quality": True, "plot": address(request, {"format": "json", "from": None, "to": None}),
        "kept": {name: request.query_params[name] for name in KEPT if request.query_params.get(name)}, "every": tuple(EVERY_S),
        "rows": _pivot(drawing, asked),
    }  # fmt: skip
    return page(request, "quality.html.j2", **values)


KEPT = ("signal", "tier", "segment", "every", "from", "to")
"""Parts of the address that the day's form keeps."""

HEADING = ("at", "tier", "segment", "signal", "mean", "low", "high", "n")


def _shown(series: Series, asked: Asked) -> list[int]:
    return [
        i
        for i, point in enumerate(series.points)
        if (asked.begin is None or point.at >= asked.begin) and (asked.end is None or point.at < asked.end)
    ]


def _rows(drawing: Drawing, asked: Asked) -> list[tuple[object, ...]]:
    return [
        (point.at.isoformat(), series.tier, str(series.segment), series.signal, point.mean, *(point.interval or (None, None)), point.n)
        for series in (line.series for line in drawing.lines)
        for point in (series.points[i] for i in _shown(series, asked))
    ]  # fmt: skip


def _pivot(drawing: Drawing, asked: Asked) -> list[tuple[str, list[object]]]:
    """Rows of the table below the chart: a period, and what each line has then."""
    if not drawing.lines:
        return []
    first = drawing.lines[0].series
    by = [{point.at: point for point in line.series.points} for line in drawing.lines]
    return [
        (figures.moment(first.points[i].at), [line.get(first.points[i].at) for line in by])
        for i in _shown(first, asked)
    ]


ROUTES = (Route("/quality", quality, name="quality"),)
