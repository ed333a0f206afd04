"""The review queue: one item after the other, blind; every verdict is kept before the next item is shown.

Terminal, files and browser use one desk (`undertow.services.review`), which hands an item to one reviewer at a time. Tier, model and confidence
never reach the page.
"""

import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from undertow.dashboard.access import Person, needs
from undertow.dashboard.forms import form_of
from undertow.dashboard.pages import PREFIX, Ui, page, ui_of
from undertow.errors import UsageError
from undertow.services.review import ReviewDesk

HERE = f"{PREFIX}/review"

ONE = (("y", "Good"), ("n", "Bad"), ("1", "1 worst"), ("2", "2"), ("3", "3"), ("4", "4"), ("5", "5 best"))
TWO = (("a", "Only A is good"), ("b", "Only B is good"), ("t", "Both are good"), ("x", "Neither is good"))
"""What may be said, and its button."""

LONGEST_S = 3_600.0
"""A verdict that took longer was not being thought about all the time, so its time is not kept."""

NOTES = {
    "kept": "Kept.",
    "skipped": "Skipped; somebody else will see it.",
    "undone": "Taken back; here it is again.",
    "nothing": "There is nothing that can still be taken back.",
    "already": "You judged that item already; here is the next one.",
    "left": "Your session is over; all that you judged is kept.",
}
"""What is said above the next item."""


def review(request: Request) -> Response:
    """`/ui/review`."""
    person, ui = needs(request, "reviewer"), ui_of(request)
    note = NOTES.get(request.query_params.get("note", ""), "")
    if ui.desk is None:
        return page(
            request, "review.html.j2", sheet=None, note=note, standing=None, progress=None, buttons=(), now_s=0.0
        )
    with ui.desk_lock:
        sheet = None if request.query_params.get("note") == "left" else ui.desk.next(person.name)
        progress, standing = ui.desk.progress(), ui.desk.status()
    buttons = () if sheet is None else TWO if sheet.is_side_by_side else ONE
    return page(
        request, "review.html.j2", sheet=sheet, note=note, standing=standing, progress=progress, buttons=buttons, now_s=time.time()
    )  # fmt: skip


async def vote(request: Request) -> Response:
    """A verdict, from a button."""
    return await _posted(request, _vote)


async def skip(request: Request) -> Response:
    """An item that is left to others, with a reason."""
    return await _posted(request, _skip)


async def undo(request: Request) -> Response:
    """The latest verdict is taken back."""
    return await _posted(request, lambda desk, person, _: "undone" if desk.undo(person.name) else "nothing")


async def leave(request: Request) -> Response:
    """The session is over: what was shown goes to others, and verdicts become signals."""

    def left(desk: ReviewDesk, person: Person, _: dict[str, str]) -> str:
        desk.leave(person.name)
        return "left"

    return await _posted(request, left)


def hold(request: Request) -> Response:
    """An open page keeps its item; `gone` where another one has it by now."""
    person, ui = needs(request, "reviewer"), ui_of(request)
    if ui.desk is None:
        return Response("gone", media_type="text/plain")
    with ui.desk_lock:
        sheet = ui.desk.next(person.name)
    is_mine = sheet is not None and sheet.item == request.query_params.get("item")
    return Response("held" if is_mine else "gone", media_type="text/plain")


def _vote(desk: ReviewDesk, person: Person, form: dict[str, str]) -> str:
    item, said = form.get("item", ""), form.get("said", "")
    if desk.has_judged(person.name, item):
        return "already"  # a page that was gone back to, or a second tab
    desk.vote(person.name, item, said, _seconds(form))
    desk.publish()
    return "kept"


def _skip(desk: ReviewDesk, person: Person, form: dict[str, str]) -> str:
    item = form.get("item", "")
    if desk.has_judged(person.name, item):
        return "already"
    desk.skip(person.name, item, form.get("why", ""), _seconds(form))
    return "skipped"


async def _posted(request: Request, act: Callable[[ReviewDesk, Person, dict[str, str]], str]) -> Response:
    person, ui = needs(request, "reviewer"), ui_of(request)
    form = await form_of(request, person)
    note = await run_in_threadpool(_acted, ui, person, form, act)
    return RedirectResponse(f"{HERE}?note={note}", 303)


def _acted(
    ui: Ui, person: Person, form: dict[str, str], act: Callable[[ReviewDesk, Person, dict[str, str]], str]
) -> str:
    if ui.desk is None:
        raise UsageError("this log is no store, so there is nothing to review")
    with ui.desk_lock:
        return act(ui.desk, person, form)


def _seconds(form: dict[str, str]) -> float | None:
    """Time since the item was shown; None where that is not known, or too long to be thought."""
    try:
        took = time.time() - float(form.get("shown_at", ""))
    except ValueError:
        return None
    return round(took, 1) if 0.0 <= took <= LONGEST_S else None


ROUTES = (
    Route("/review", review, name="review"),
    Route("/review/vote", vote, methods=["POST"]),
    Route("/review/skip", skip, methods=["POST"]),
    Route("/review/undo", undo, methods=["POST"]),
    Route("/review/leave", leave, methods=["POST"]),
    Route("/review/hold", hold),
)
