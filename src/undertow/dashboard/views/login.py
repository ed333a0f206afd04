"""Logging in with a gateway key, and out."""

import logging
import math
import time
from urllib.parse import quote, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from undertow.adapters.telemetry.json_logs import fields as event
from undertow.dashboard.access import person_of
from undertow.dashboard.forms import fields_of, form_of
from undertow.dashboard.key_access import COOKIE, KeyAccess, cookie_of
from undertow.dashboard.pages import PREFIX, page, ui_of

log = logging.getLogger("undertow.dashboard")

LOGIN = f"{PREFIX}/login"
MAX_KEY = 200
"""Characters; a longer one is no key."""
MAX_NEXT = 2_000


def login_address(target: str) -> str:
    """Where to log in, to be at a page of ours afterwards.

    Examples:
        >>> login_address("/ui/ledger?as_of=2026-03-01"), login_address("/ui/"), login_address("//evil.example")
        ('/ui/login?next=%2Fui%2Fledger%3Fas_of%3D2026-03-01', '/ui/login', '/ui/login')
    """
    there = next_page(target)
    return LOGIN if there == f"{PREFIX}/" else f"{LOGIN}?next={quote(there, safe='')}"


def next_page(target: str) -> str:
    r"""Where somebody goes who has logged in: the page asked for if it is one of ours, else the overview.

    Examples:
        >>> next_page("/ui/quality?tier=cheap"), next_page("//evil.example/ui/"), next_page("/ui/login"), next_page("/ui/\r\nx")
        ('/ui/quality?tier=cheap', '/ui/', '/ui/', '/ui/')
        >>> next_page("/ui/../v1/models"), next_page("/ui/%2e%2e//evil.example"), next_page("/ui/decisions?q=../..")
        ('/ui/', '/ui/', '/ui/decisions?q=../..')
    """
    is_ours = (
        target.startswith(f"{PREFIX}/") and not target.startswith(LOGIN) and not target.startswith(f"{PREFIX}/logout")
    )
    is_plain = len(target) <= MAX_NEXT and target.isascii() and target.isprintable() and "\\" not in target
    path = unquote(target.partition("?")[0].partition("#")[0])
    # A browser takes `..` out of a path, and with it what stands before.
    climbs = any(part in {".", ".."} for part in path.split("/")) or "//" in path
    return target if is_ours and is_plain and not climbs else f"{PREFIX}/"


def show(request: Request) -> Response:
    """The form; whoever is known already goes on."""
    if request.state.person is not None:
        return RedirectResponse(next_page(request.query_params.get("next", "")), 303)
    return _form(request, request.query_params.get("next", ""))


async def enter(request: Request) -> Response:
    """Take a key."""
    access = ui_of(request).access
    fields = await fields_of(request)
    there = fields.get("next", "")
    if not isinstance(access, KeyAccess):  # whoever comes here is known already
        return RedirectResponse(next_page(there), 303)
    address, now = access.proxies.caller(request), time.monotonic()
    wait_s = math.ceil(access.attempts.wait_s(address, now))
    if wait_s > 0:
        log.warning("login_refused_for_now", extra=event(address=address))
        said = f"Too many keys were tried that are none. Try again in {-(-wait_s // 60)} min."
        return await run_in_threadpool(_form, request, there, said, 429, {"retry-after": str(wait_s)})
    given = fields.get("key", "").strip()
    key = access.find_key(given) if len(given) <= MAX_KEY else None
    if key is None or key.ui is None:
        access.attempts.failed(address, now)
        log.warning("login_failed", extra=event(address=address, key=None if key is None else key.name))
        said = (
            "That is no key of this gateway."
            if key is None
            else 'That key calls the gateway, but does not open the dashboard. Its section in the settings needs ui = "viewer", "reviewer" or "operator".'
        )
        return await run_in_threadpool(_form, request, there, said, 403)
    log.info("login", extra=event(address=address, key=key.name))
    answer = RedirectResponse(next_page(there), 303)
    answer.set_cookie(
        COOKIE, access.sessions.begin(key), max_age=int(access.sessions.lasts_s), path=PREFIX, httponly=True, samesite="strict",
        secure=access.proxies.is_https(request),
    )  # fmt: skip
    return answer


async def leave(request: Request) -> Response:
    """End the login."""
    access = ui_of(request).access
    await form_of(request, person_of(request))
    token = cookie_of(request)
    if isinstance(access, KeyAccess) and token is not None:
        await run_in_threadpool(access.sessions.end, token)
    answer = RedirectResponse(LOGIN, 303)
    answer.delete_cookie(COOKIE, path=PREFIX, httponly=True, samesite="strict")
    return answer


def _form(
    request: Request, there: str, said: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    access = ui_of(request).access
    has_keys = isinstance(access, KeyAccess) and access.sessions.are_possible
    target = next_page(there)
    answer = page(
        request, "login.html.j2", status=status, title="Log in", said=said, has_keys=has_keys,
        there="" if target == f"{PREFIX}/" else target,
    )  # fmt: skip
    answer.headers.update(headers or {})
    return answer


ROUTES = (
    Route("/login", show, methods=["GET"], name="login"),
    Route("/login", enter, methods=["POST"], name="enter"),
    Route("/logout", leave, methods=["POST"], name="leave"),
)
