"""The front page: one sentence, the net value, tiers beside the average that hides them, what is open, and what to do."""

from dataclasses import dataclass
from datetime import UTC

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undertow.actions.entries import NOTED
from undertow.adapters.alerts.book import StoreAlertBook
from undertow.adapters.guard.book import StoreGuardBook
from undertow.dashboard.charts import both
from undertow.dashboard.pages import page, report_of, ui_of
from undertow.errors import ConfigError
from undertow.records.alert import Episode
from undertow.records.guard import TrailEntry
from undertow.records.report import Alarm, AuditReport, SignalEstimate
from undertow.reports.html import facts_of
from undertow.reports.svg.quality import quality_chart

SHOWN_ALARMS = 6
SHOWN_TIERS = 8


@dataclass(frozen=True, slots=True)
class TierColumn:
    """A tier as the front page compares it; the first column is all tiers together.

    Attributes:
        name: The tier; empty: all together.
        quality: By the main signal, or None: no labels.
        share: Of the decisions, in [0, 1].
        cost_usd: Of 1,000 decisions, or None: one costs too little to be read.
        saved_usd: Of 1,000 decisions against the capable tier, or None.
        alarms: Open alarms about it.
    """

    name: str
    quality: SignalEstimate | None
    share: float
    cost_usd: float | None
    saved_usd: float | None
    alarms: int


@dataclass(frozen=True, slots=True)
class Open:
    """An open alarm, with what was done about it.

    Attributes:
        alarm: As the audit tells it.
        actions: Lines of the audit trail that answer its episode, the latest last.
    """

    alarm: Alarm
    actions: tuple[TrailEntry, ...]


def overview(request: Request) -> Response:
    """`/ui/`."""
    report = report_of(request)
    if report is None:
        return page(request, "waiting.html.j2")
    return page(
        request,
        "overview.html.j2",
        report=report,
        facts=facts_of(report),
        tiers=tier_columns(report),
        quality=both(lambda width, ident: quality_chart(report, width, ident), "quality"),
        open_alarms=_open(request, report)[:SHOWN_ALARMS],
        more=max(0, len(report.alarms) - SHOWN_ALARMS),
    )


def tier_columns(report: AuditReport) -> tuple[TierColumn, ...]:
    """All tiers together, then each of them, cheapest first."""
    signal = report.main_signal or ""
    whole = report.aggregate
    alarms = [alarm.tier for alarm in report.alarms]

    def each(usd: float | None, decisions: int) -> float | None:
        return None if usd is None or not decisions else 1_000 * usd / decisions

    columns = [
        TierColumn("", whole.signals.get(signal), 1.0, each(whole.cost_usd, whole.decisions), None, len(alarms)),
    ]
    for tier in report.tiers[:SHOWN_TIERS]:
        cost, baseline = each(tier.cost_usd, tier.decisions), each(tier.baseline_cost_usd, tier.decisions)
        saved = None if cost is None or baseline is None else baseline - cost
        columns.append(
            TierColumn(tier.tier, tier.signals.get(signal), tier.share, cost, saved, alarms.count(tier.tier))
        )
    return tuple(columns)


def _open(request: Request, report: AuditReport) -> list[Open]:
    """The alarms of the report, latest first, each with what was done about its place."""
    store = ui_of(request).store
    episodes: tuple[Episode, ...] = ()
    trail: tuple[TrailEntry, ...] = ()
    if store is not None and not request.query_params.get("as_of"):
        try:
            episodes, trail = StoreAlertBook(store).episodes().episodes, StoreGuardBook(store).trail()
        except (ConfigError, OSError):
            episodes, trail = (), ()  # the page about actions says what is wrong with them
    found = []
    for alarm in sorted(report.alarms, key=lambda each: each.detected_at, reverse=True):
        place = "" if alarm.segment.is_whole else str(alarm.segment)
        mine = {each.id for each in episodes if each.tier == alarm.tier and each.segment in {place, ""}}
        actions = tuple(entry for entry in trail if entry.episode in mine and entry.kind not in NOTED)
        found.append(Open(alarm, actions[-3:]))
    return found


def read_at(request: Request) -> Response:
    """`/ui/read-at`: when the log was read last, by which open pages notice news."""
    seen = ui_of(request).log.seen
    return Response("" if seen is None else seen.at.astimezone(UTC).isoformat(), media_type="text/plain")


ROUTES = (Route("/", overview, name="overview"), Route("/read-at", read_at))
