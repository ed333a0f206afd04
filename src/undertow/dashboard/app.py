"""The application: routes of all views, who asks, what no page may do, and errors that read as pages."""

import logging
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from undertow.dashboard.access import ForbiddenError
from undertow.dashboard.hosts import is_known_host
from undertow.dashboard.pages import PREFIX, Ui, page, ui_of
from undertow.dashboard.views import (
    actions,
    compare,
    cost,
    decisions,
    drift,
    ledger,
    login,
    overview,
    power,
    quality,
    review,
    sections,
    segment,
    segments,
)
from undertow.dashboard.views.login import LOGIN, login_address, next_page
from undertow.errors import UndertowError
from undertow.reports.page import source

log = logging.getLogger("undertow.dashboard")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'none'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No script or style but our own files runs on a page, whatever a log has in it."""

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)

STATIC = f"{PREFIX}/static/"

UNKNOWN_HOST = "this dashboard is not served under that name; name it under [ui] public_hosts"

ROUTES: tuple[BaseRoute, ...] = (
    *overview.ROUTES,
    *quality.ROUTES,
    *segments.ROUTES,
    *cost.ROUTES,
    *drift.ROUTES,
    *segment.ROUTES,
    *compare.ROUTES,
    *decisions.ROUTES,
    *ledger.ROUTES,
    *review.ROUTES,
    *actions.ROUTES,
    *power.ROUTES,
    *login.ROUTES,
    *sections.ROUTES,
)
"""Of all views."""


def build_app(ui: Ui) -> Starlette:
    """The application, an ASGI one.

    Args:
        ui: What pages are made from.
    """
    static = StaticFiles(directory=Path(str(files("undertow.dashboard"))) / "static")
    app = Starlette(
        routes=[
            Route("/", _to_ui),
            Route(PREFIX, _to_ui),
            Route(f"{PREFIX}/static/report.css", _report_css),
            Mount(f"{PREFIX}/static", static, name="static"),
            Mount(PREFIX, routes=ROUTES, name="ui"),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=1024), Middleware(Guarded)],
        exception_handlers={
            HTTPException: _said,
            ForbiddenError: _forbidden,
            UndertowError: _wrong,
            Exception: _failed,
        },
    )
    app.state.ui = ui
    return app


class Guarded:
    """Before any page: which host was asked, who asks, whether a form came from a page of ours. After it: what pages may do.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                is_static = scope["path"].startswith(STATIC)
                caching = b"public, max-age=3600" if is_static else b"no-store"
                message["headers"] = [*message["headers"], *HEADERS, (b"cache-control", caching)]
            await send(message)

        refusal = self._refusal(request)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        ui = ui_of(request)
        # Of the address only the path is looked at, and not as `request.url` has it: that is made with the host that the caller names.
        path: str = request.scope["path"]
        if ui.hosts and not is_known_host(
            request.headers.get("host", ""), ui.hosts, takes_addresses=ui.takes_addresses
        ):
            return Response(UNKNOWN_HOST, 421, media_type="text/plain")
        request.state.person = None
        try:
            person = request.state.person = ui.access.person(request)
        except ForbiddenError as error:
            if path.startswith(STATIC):
                return None
            return page(request, "refused.html.j2", status=403, title="Not for you", said=str(error))
        if person is None and path != LOGIN and not path.startswith(STATIC):
            return _nobody(request)
        if request.method not in {"GET", "HEAD"} and not _is_same_origin(request):
            return Response("a form of another site is not taken", 403, media_type="text/plain")
        return None


def _nobody(request: Request) -> Response:
    """Nobody that is known asks for a page, or sends a form."""
    if request.method not in {"GET", "HEAD"}:
        login = login_address(_came_from(request))
        return page(request, "over.html.j2", status=401, title="Log in again", login=login)
    headers = request.headers
    if "hx-request" in headers or headers.get("sec-fetch-dest", "document") != "document":
        return Response("log in again", 401, media_type="text/plain")  # a script asks: the page that is open stays
    query = request.scope["query_string"].decode("latin-1")
    here = f"{request.scope['path']}?{query}" if query else request.scope["path"]
    if headers.get("sec-fetch-site") == "cross-site":
        return page(request, "again.html.j2", title="One moment", here=next_page(here))
    return RedirectResponse(login_address(here), 303)


def _came_from(request: Request) -> str:
    """The page of ours that a form was on; the overview if that is not known. What it said of an earlier form is old by now."""
    said = urlsplit(request.headers.get("referer", ""))
    if said.netloc != request.headers.get("host"):
        return f"{PREFIX}/"
    query = urlencode([each for each in parse_qsl(said.query, keep_blank_values=True) if each[0] != "note"])
    return f"{said.path}?{query}" if query else said.path


def _is_same_origin(request: Request) -> bool:
    """By `Sec-Fetch-Site`, else by `Origin`; a browser that sends neither with a form is none that we know."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host", "")


async def _to_ui(_: Request) -> Response:
    return RedirectResponse(f"{PREFIX}/", 307)


async def _report_css(_: Request) -> Response:
    return Response(source("report.css"), media_type="text/css")


async def _said(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    texts = {404: "There is nothing at this address.", 405: "This address is not asked for that way."}
    said = texts.get(error.status_code, error.detail)
    return await run_in_threadpool(_error_page, request, error.status_code, said)


async def _forbidden(request: Request, error: Exception) -> Response:
    return await run_in_threadpool(_error_page, request, 403, str(error), "Not for you")


async def _wrong(request: Request, error: Exception) -> Response:
    return await run_in_threadpool(_error_page, request, 400, str(error))


async def _failed(request: Request, error: Exception) -> Response:
    log.error("page_failed", exc_info=error, extra={"path": request.url.path[:100]})
    return await run_in_threadpool(
        _error_page, request, 500, "The page could not be made; the dashboard's log says why."
    )


def _error_page(request: Request, status: int, said: str, title: str = "Not this way") -> Response:
    is_known = getattr(request.state, "person", None) is not None
    template = "error.html.j2" if is_known else "refused.html.j2"
    return page(request, template, status=status, title=title if status < 500 else "Failed", said=said)
