"""Alarms and warnings on a time line: when each change began, as far as is known, and when it was seen."""

from collections.abc import Sequence
from datetime import datetime

from undertow.records.report import Alarm, AuditReport
from undertow.reports import figures, words
from undertow.reports.changes import marks
from undertow.reports.names import clip, isolated, segment_name
from undertow.reports.svg.canvas import NARROW_PX, Canvas, text_px
from undertow.reports.svg.panel import Panel, from_midnight
from undertow.reports.svg.scales import seconds

MAX_ROWS = 14
_LABEL_PX = 270


def alarm_chart(report: AuditReport, width: float, ident: str) -> str | None:
    """One row an alarm, then one a warning: onset interval, then a line to the moment of detection. None without any."""
    rows = [(str(n), alarm) for n, alarm in enumerate(report.alarms, 1)]
    rows += [("w", warning) for warning in report.warnings]
    rows = rows[:MAX_ROWS]
    if not rows:
        return None
    narrow = width < NARROW_PX
    row_px = 46 if narrow else 34
    period = _span(report, rows)
    letters = marks(report.changes, period)
    canvas = Canvas(width, 0, ident)
    left = 10 if narrow else _LABEL_PX
    panel = Panel(canvas, left, 8, width - left - 14, row_px * len(rows) + 6, period, 0, 1, "alarms", bool(letters))
    canvas.height = panel.bottom + 28 + panel.marks_px
    panel.draw_axes(str, with_labels=False, at=())
    panel.mark_changes(letters)
    for position, (tag, alarm) in enumerate(rows):
        _row(canvas, panel, tag, alarm, panel.top + row_px * position, narrow=narrow)
    return canvas.render("Alarms and warnings on a time line", " ".join(_sentence(tag, alarm) for tag, alarm in rows))


def _row(canvas: Canvas, panel: Panel, tag: str, alarm: Alarm, y: float, *, narrow: bool) -> None:
    centre = y + (32 if narrow else 17)
    is_alarm = tag != "w"
    kind = "alarm" if is_alarm else "warn"
    what = clip(alarm.signal, 24) if is_alarm else clip(words.monitor_words(alarm.monitor), 34)
    name = f"{isolated(clip(alarm.tier, 14))}, {segment_name(alarm.segment, 24)}"
    if narrow:
        prefix = f"{tag}  " if is_alarm else ""
        canvas.text(0, y + 17, f"{prefix}{name}: {what}", "label", room=canvas.width)
    else:
        if is_alarm:
            canvas.circle(10, centre - 1, 8.5, "tag")
            canvas.text(10, centre + 3, tag, "tagtext", "middle")
        canvas.text(26, centre - 3, name, "label strong" if is_alarm else "label", room=_LABEL_PX - 30)
        canvas.text(26, centre + 11, what, "tick", room=_LABEL_PX - 30)
    detected = panel.x.held(seconds(alarm.detected_at))
    if alarm.onset_interval is not None:
        first, last = (panel.x.held(seconds(at)) for at in alarm.onset_interval)
        canvas.rect(first, centre - 7, max(last - first, 3), 14, f"onsetbar {kind}", radius=3)
    if alarm.onset is not None:
        onset = panel.x.held(seconds(alarm.onset))
        canvas.line(onset, centre, detected, centre, f"delay {kind}")
        canvas.line(onset, centre - 7, onset, centre + 7, f"delay {kind}")
    shape = ((detected, centre - 7), (detected + 7, centre), (detected, centre + 7), (detected - 7, centre))
    canvas.polygon(shape, f"seen {kind}")
    _label_detection(canvas, panel, alarm, detected, centre)


def _label_detection(canvas: Canvas, panel: Panel, alarm: Alarm, detected: float, centre: float) -> None:
    """When it was seen: right of the diamond, else left of the row's marks, in fewer words where there is no room."""
    texts = [f"seen {figures.moment(alarm.detected_at)}"]
    marks = [at for at in (alarm.onset, *(alarm.onset_interval or ())) if at is not None]
    if alarm.onset is not None and alarm.onset <= alarm.detected_at:
        later = figures.duration((alarm.detected_at - alarm.onset).total_seconds())
        texts.insert(0, f"{texts[0]}, {later} later")
    right = detected + 13
    left = min([detected - 7, *(panel.x.held(seconds(at)) for at in marks)]) - 8
    for text in texts:
        if right + text_px(text) < canvas.width:
            canvas.text(right, centre + 4, text, "tick")
            return
        if left - text_px(text) > panel.left - 10:
            canvas.text(left, centre + 4, text, "tick", "end")
            return


def _span(report: AuditReport, rows: Sequence[tuple[str, Alarm]]) -> tuple[datetime, datetime]:
    times = [*report.period, *(alarm.detected_at for _, alarm in rows)]
    return from_midnight((min(times), max(times)))


def _sentence(tag: str, alarm: Alarm) -> str:
    kind = f"Alarm {tag}" if tag != "w" else "Warning"
    return (
        f"{kind}: {clip(alarm.tier, 24)}, {segment_name(alarm.segment, 40)}, {clip(alarm.signal, 30)}, "
        f"onset {figures.moments(alarm.onset_interval)}, seen {figures.moment(alarm.detected_at)}."
    )
