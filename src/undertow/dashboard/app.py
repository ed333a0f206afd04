"""The application: routes of all views, who asks, what no page may do, and errors that read as pages."""

import logging
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

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
from undertow.dashboard.pages import PREFIX, Ui, page, ui_of
from undertow.dashboard.views import (
    actions,
    compare,
    cost,
    decisions,
    drift,
    ledger,
    overview,
    quality,
    review,
    sections,
    segment,
    segments,
)
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
                is_static = scope["path"].startswith(f"{PREFIX}/static/")
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
        host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
        if ui.hosts and host.strip("[]") not in ui.hosts:
            return Response("this dashboard is not served under that name", 421, media_type="text/plain")
        is_open = request.url.path.startswith((f"{PREFIX}/static/", f"{PREFIX}/login"))
        person = ui.access.person(request)
        request.state.person = person
        if person is None and not is_open:
            if request.method in {"GET", "HEAD"}:
                return RedirectResponse(f"{PREFIX}/login", 303)
            return page(request, "over.html.j2", status=401)
        if request.method not in {"GET", "HEAD"} and not _is_same_origin(request):
            return Response("a form of another site is not taken", 403, media_type="text/plain")
        return None


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
    return await run_in_threadpool(_error_page, request, 403, str(error))


async def _wrong(request: Request, error: Exception) -> Response:
    return await run_in_threadpool(_error_page, request, 400, str(error))


async def _failed(request: Request, error: Exception) -> Response:
    log.error("page_failed", exc_info=error, extra={"path": request.url.path[:100]})
    return await run_in_threadpool(
        _error_page, request, 500, "The page could not be made; the dashboard's log says why."
    )


def _error_page(request: Request, status: int, said: str) -> Response:
    return page(request, "error.html.j2", status=status, title="Not this way" if status < 500 else "Failed", said=said)
