"""How a page is made: the template, what every page shows, and the address that holds its state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

import undertow
from undertow.bootstrap.dashboard import LogView
from undertow.config.settings import Settings
from undertow.dashboard.access import Access, Role
from undertow.dashboard.kept import Kept
from undertow.dashboard.planner import Planner
from undertow.errors import UsageError
from undertow.records.report import AuditReport
from undertow.reports import figures, words
from undertow.reports.html import PAGE_FILTERS
from undertow.reports.names import plain
from undertow.reports.page import shared_filters
from undertow.services.review import ReviewDesk

PREFIX = "/ui"

MAX_TEXT = 60_000
"""Characters of one text that are shown."""
_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class View:
    """An entry of the navigation.

    Attributes:
        name: Of its route; also its path below `/ui/`, empty for the overview.
        title: As it is called.
        role: Who may open it.
    """

    name: str
    title: str
    role: Role = "viewer"

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{PREFIX}/{self.name}" if self.name != "overview" else f"{PREFIX}/"


VIEWS: tuple[View, ...] = (
    View("overview", "Overview"),
    View("quality", "Quality"),
    View("segments", "Segments"),
    View("decisions", "Decisions"),
    View("cost", "Cost"),
    View("drift", "Drift"),
    View("ledger", "Ledger"),
    View("review", "Review", "reviewer"),
    View("actions", "Actions"),
    View("power", "Power"),
    View("health", "Data"),
)
"""In the order of the navigation."""


@dataclass(frozen=True, slots=True)
class Ui:
    """What pages are made from; at `request.app.state.ui`.

    Attributes:
        log: The log.
        store: Its root folder where it is a store of ours, else None: there is nothing to review or to act upon.
        settings: All settings.
        folder: Where relative paths in them start.
        access: Tells who asks.
        hosts: Names under which the dashboard may be asked for; empty: any.
        takes_addresses: It may be asked for by any IP address, too.
        desk: Where decisions are reviewed, or None: the log is no store.
        desk_lock: Held while the desk is used: pages are made in several threads.
        kept: What views computed from the last reading.
        planner: Simulates how soon losses would be seen.
    """

    log: LogView
    store: Path | None
    settings: Settings
    folder: Path
    access: Access
    hosts: frozenset[str] = field(default_factory=frozenset)
    takes_addresses: bool = False
    desk: ReviewDesk | None = None
    desk_lock: Lock = field(default_factory=Lock)
    kept: Kept = field(default_factory=Kept)
    planner: Planner = field(default_factory=Planner)


def ui_of(request: Request) -> Ui:
    """What pages are made from."""
    found = request.app.state.ui
    assert isinstance(found, Ui)
    return found


def as_of(request: Request) -> date | None:
    """The day whose view is asked for (`as_of` in the address), or None: the latest.

    Raises:
        UsageError: It is no day.
    """
    text = request.query_params.get("as_of", "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"as_of={plain(text)[:40]!r}: expected a day such as 2026-03-01") from None


def report_of(request: Request) -> AuditReport | None:
    """The audit that a page shows: the latest, or that of the day in the address. None: nothing has been read yet.

    Raises:
        UndertowError: There was nothing by that day.
    """
    log, day = ui_of(request).log, as_of(request)
    if day is not None and log.seen is not None:
        return log.as_of(day)
    return None if log.seen is None else log.seen.report


def address(request: Request, changes: Mapping[str, str | None], path: str | None = None) -> str:
    """The address of this page (or of another) with some of its state changed; None takes a part away."""
    kept = {name: value for name, value in request.query_params.items() if name not in changes}
    kept |= {name: value for name, value in changes.items() if value is not None}
    where = request.url.path if path is None else path
    return f"{where}?{urlencode(kept)}" if kept else where


def page(request: Request, template: str, *, status: int = 200, title: str = "", **values: Any) -> HTMLResponse:
    """A page.

    Args:
        request: What was asked.
        template: Its name among the templates.
        status: Of the answer.
        title: Of the page; default that of its view.
        values: What the template is given; text in them is escaped, `Markup` is not.
    """
    ui, here = ui_of(request), request.url.path
    view = next((view for view in VIEWS if view.path.rstrip("/") == here.rstrip("/")), None) or next(
        (view for view in VIEWS if view.name != "overview" and here.startswith(f"{view.path}/")), None
    )
    day = request.query_params.get("as_of", "")
    seen = ui.log.seen
    body = (
        environment()
        .get_template(template)
        .render(
            request=request,
            views=VIEWS,
            view=view,
            title=title or (view.title if view is not None else "Undertow"),
            person=getattr(request.state, "person", None),
            reading=ui.log.reading,
            seen=seen,
            store=ui.store,
            day=day,
            keeps={"as_of": day} if day else {},
            now=datetime.now(UTC),
            address=lambda path=None, **changes: address(request, changes, path),
            version=undertow.__version__,
            **values,
        )
    )
    # A lone surrogate cannot be written as UTF-8.
    return HTMLResponse(body.encode("utf-8", "replace"), status)


@cache
def environment() -> Environment:
    """The templates. They escape whatever is put in them."""
    made = Environment(
        # The sections of an audit's page are those of the report.
        loader=ChoiceLoader(
            [PackageLoader("undertow.dashboard", "templates"), PackageLoader("undertow.reports", "templates")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {**shared_filters(), **dict(PAGE_FILTERS), "iso": _iso, "inert": inert}
    shared: dict[str, Any] = {
        "VERDICTS": words.VERDICTS,
        "STATES": words.STATES,
        "CAUSES": words.CAUSES,
        "BASES": words.BASES,
        "REFERENCES": words.REFERENCES,
        "CHANGES": words.CHANGES,
        "plural": figures.plural,
        "duration": figures.duration,
        "time": local_time,
    }
    made.globals.update(shared)
    return made


def local_time(moment: datetime | None) -> Markup:
    """A moment, in UTC as it is sent; the page's script shows it in the reader's zone, with UTC on hover.

    Examples:
        >>> local_time(datetime(2026, 3, 1, 12, tzinfo=UTC))
        Markup('<time datetime="2026-03-01T12:00:00+00:00">2026-03-01 12:00 UTC</time>')
    """
    if moment is None:
        return Markup("not known")
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(utc.isoformat(), f"{utc:%Y-%m-%d %H:%M}")


def inert(text: str) -> str:
    r"""A text of many lines as it is, with nothing in it that acts; at most `MAX_TEXT` characters.

    Examples:
        >>> inert("one\n\ttwo\x1b[31m")
        'one\n    two␛[31m'
    """
    lines = (
        "".join(plain(line[start : start + _CHUNK]) for start in range(0, len(line), _CHUNK))
        for line in text[:MAX_TEXT].expandtabs(4).splitlines()
    )
    return "\n".join(lines)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
