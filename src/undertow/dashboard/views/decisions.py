"""Single decisions: found by tier, segment, day, arm, reason and label, newest first; and one of them with all that is known of it.

What users wrote and models answered is for reviewers, where the store keeps it, and is shown inert.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from undertow.bootstrap.exploring import Explorer, open_explorer
from undertow.dashboard.access import person_of
from undertow.dashboard.charts import csv_response
from undertow.dashboard.links import decision_link, place_link
from undertow.dashboard.pages import as_of, page, ui_of
from undertow.errors import LogError, UsageError
from undertow.records.decision import DecisionRecord
from undertow.records.exploring import (
    FAILED_BELOW,
    UNSERVED,
    Cursor,
    DecisionFilter,
    DecisionRow,
    FoundDecision,
    LabelFilter,
)
from undertow.records.reasons import REASONS
from undertow.records.segment import Segment
from undertow.reports.names import clip, plain

PER_PAGE = 50
EXPORTED = 500
LONGEST = 512
OFFERED = 100
UNREADABLE: dict[str, str] = {
    "line_too_long": "longer than 8 MiB",
    "bad_json": "no JSON",
    "not_utf8": "not UTF-8",
    "torn_line": "broken off",
}
"""Lines that are in no list, by the reason that the audit counts them under."""
LABELS: dict[LabelFilter, str] = {
    "": "any",
    "failed": "failed",
    "ok": "ok",
    "none": "no signal",
}
TEXTS = frozenset({"prompt", "response"})
IDS = frozenset({"conversation_id", "user_id", "key_name", "trace_id", "span_id", "parent_span_id"})
"""Columns of a record that say who it was: for reviewers."""

SHOWN_ABOVE = frozenset({"calls", "features", "draws", "segment"})


def explorer_of(request: Request) -> Explorer:
    """What finds decisions; made at the first request for one.

    Raises:
        LogError: There is nothing readable.
    """
    state = request.app.state
    if not hasattr(state, "explorer"):
        state.explorer = open_explorer(ui_of(request).log.request)
    found = state.explorer
    assert isinstance(found, Explorer)
    return found


def decisions(request: Request) -> Response:
    """`/ui/decisions`."""
    given = request.query_params
    if given.get("find", "").strip():
        return RedirectResponse(decision_link(given["find"].strip()[:LONGEST], given.get("day", "")), 303)
    try:
        explorer = explorer_of(request)
    except LogError:
        if ui_of(request).log.seen is not None:
            raise
        return page(request, "waiting.html.j2")  # which says what is the matter with the log
    if explorer.book is None:
        return page(request, "decisions_elsewhere.html.j2", format=explorer.format)
    wanted, after = filter_of(request), cursor_of(request)
    is_csv = given.get("format") == "csv"
    with_text = person_of(request).may("reviewer") and not is_csv
    found = explorer.book.page(wanted, after, EXPORTED if is_csv else PER_PAGE, with_text=with_text)
    if is_csv:
        return csv_response("undertow-decisions", HEADING, [_row(each) for each in found.rows])
    older = found.after
    return page(
        request, "decisions.html.j2", found=found, wanted=wanted, begins=after is None, reasons=REASONS, labels=LABELS, UNSERVED=UNSERVED,
        older=None if older is None else {"before": _text(older.at), "id": older.decision_id or None},
        decision_link=decision_link, failed_below=FAILED_BELOW, is_narrow=wanted != DecisionFilter(last_day=as_of(request)),
        unreadable=_unreadable(request), **_choices(request),
    )  # fmt: skip


def decision(request: Request) -> Response:
    """`/ui/decisions/ID`, or `/ui/decisions/one?id=ID` for an id that is no plain part of a path."""
    explorer = explorer_of(request)
    if explorer.book is None:
        return page(request, "decisions_elsewhere.html.j2", format=explorer.format)
    decision_id = request.path_params.get("id") or request.query_params.get("id", "")
    day = _day(request, "day") or as_of(request)
    found = explorer.book.one(decision_id, day) if decision_id and len(decision_id) <= LONGEST else None
    if found is None:
        said = f"No decision {clip(decision_id, 60)} was found in the time that a look may take. With the day of its request in the address (day=2026-03-01) it is found at once."  # fmt: skip
        return page(request, "error.html.j2", status=404, title="No such decision", said=said)
    may_read, at = person_of(request).may("reviewer"), datetime.fromisoformat(found.record.event_time)
    return page(
        request, "decision.html.j2", title="Decision", found=found, record=found.record, at=at, reason=REASONS.get(found.record.reason or "", ""),
        segments=[Segment(key, value) for key, value in (found.record.segment or {}).items()],
        text=text_of(explorer, found, at) if may_read else None, fields=fields_of(found.record, with_ids=may_read),
        saved=_saved(found.record), place_link=place_link, failed_below=FAILED_BELOW,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    """What was asked and answered, as far as it is kept. Untrusted.

    Attributes:
        prompt, answer: Either may be None.
        kept: Where it is from: the log, or what was drawn for review.
        waits: It waits to be judged, which is done blind: its text is not shown beside its tier before that.
    """

    prompt: str | None = None
    answer: str | None = None
    kept: str = ""
    waits: bool = False


def text_of(explorer: Explorer, found: FoundDecision, at: datetime) -> Text | None:
    """The text of a decision for a reviewer, or None: none is kept."""
    record = found.record
    try:
        drawn = explorer.text_of(record.decision_id, at)
    except OSError:
        drawn = None  # what the log itself has is shown all the same
    if drawn is not None and not any(each.kind == "review" for each in found.signals):
        return Text(waits=True)
    if record.prompt is not None or record.response is not None:
        return Text(record.prompt, record.response, "kept in the log, as [retention] text_days says")
    if drawn is None:
        return None
    return Text(drawn.prompt, drawn.answer, "kept since it was drawn for review, as [retention] sampled_text_days says")


def filter_of(request: Request) -> DecisionFilter:
    """What the address asks for.

    Raises:
        UsageError: A day is none, a segment is no `key=value`, or a label is none that is known.
    """
    given = request.query_params
    tier, text, label = given.get("tier", ""), given.get("segment", "")[:LONGEST], given.get("label", "")
    if label not in LABELS:
        raise UsageError(f"label={plain(label)[:40]!r}: expected one of {', '.join(name for name in LABELS if name)}")
    day, latest = _day(request, "day"), as_of(request)
    return DecisionFilter(
        tier=tier[:LONGEST],
        segment=_segment(request, text) if text else None,
        first_day=day,
        last_day=min((each for each in (day, latest) if each is not None), default=None),
        arm=given.get("arm", "")[:LONGEST],
        reason=given.get("reason", "")[:LONGEST],
        label=label,  # type: ignore[arg-type]
    )


def cursor_of(request: Request) -> Cursor | None:
    """Where the page begins that the address asks for; None: at the newest.

    Raises:
        UsageError: It is no time.
    """
    text = request.query_params.get("before", "")
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"before={plain(text)[:40]!r}: expected a time such as 2026-03-01T12:00:00Z") from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    if not 1970 <= at.year <= 2200:
        raise UsageError(f"before={plain(text)[:40]!r}: expected a time from 1970 to 2200")
    return Cursor(at, request.query_params.get("id", "")[:LONGEST])


def fields_of(record: DecisionRecord, *, with_ids: bool) -> list[tuple[str, str]]:
    """All other columns of a record that are known, by name.

    Args:
        record: The decision.
        with_ids: Also those that say who it was.
    """
    hidden = TEXTS | SHOWN_ABOVE | (frozenset() if with_ids else IDS)
    known = {name: getattr(record, name) for name in record.__struct_fields__ if name not in hidden}
    return [(name, str(value)) for name, value in known.items() if value is not None]


def _segment(request: Request, text: str) -> Segment:
    seen = ui_of(request).log.seen
    if seen is not None and seen.cells is not None:
        # A key may hold an equals sign itself.
        found = next((each for each in seen.cells.segments if str(each) == text), None)
        if found is not None:
            return found
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError(f"segment={plain(text)[:40]!r}: expected key=value, such as intent=billing")
    return Segment(key, value)


def _choices(request: Request) -> dict[str, Any]:
    """What the form offers, as far as the log was read."""
    seen = ui_of(request).log.seen
    if seen is None:
        return {"tiers": (), "segments": ()}
    report = seen.report
    segments = dict.fromkeys(str(each.segment) for each in report.segments if len(str(each.segment)) <= LONGEST)
    return {"tiers": tuple(each.tier for each in report.tiers[:OFFERED]), "segments": tuple(segments)[:OFFERED]}


def _unreadable(request: Request) -> dict[str, int]:
    """Lines of the log that no list has, in words, as the last reading counted them."""
    seen = ui_of(request).log.seen
    counted = {} if seen is None else seen.report.coverage.reasons
    return {said: counted[reason] for reason, said in UNREADABLE.items() if counted.get(reason)}


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name, "")
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{name}={plain(text)[:40]!r}: expected a day such as 2026-03-01") from None
    if not 1970 <= day.year <= 2200:
        raise UsageError(f"{name}={day}: expected a day from 1970 to 2200")
    return day


def _saved(record: DecisionRecord) -> float | None:
    if record.cost_usd is None or record.baseline_cost_usd is None:
        return None
    return record.baseline_cost_usd - record.cost_usd


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


HEADING = (
    "decision_id", "event_time", "tier", "first_tier", "escalated", "segment", "arm", "reason", "confidence", "threshold", "cost_usd", "latency_ms",
    "status", "signals", "worst",
)  # fmt: skip


def _row(each: DecisionRow) -> tuple[object, ...]:
    values = asdict(each) | {"event_time": _text(each.event_time), "segment": " ".join(f"{k}={v}" for k, v in each.segment.items())}  # fmt: skip
    return tuple(values[name] for name in HEADING)


ROUTES = (
    Route("/decisions", decisions, name="decisions"),
    Route("/decisions/one", decision),
    Route("/decisions/{id}", decision),
)
