"""The review queue: one item after the other, blind; every verdict is kept before the next item is shown.

Terminal, files and browser use one desk (`undertow.services.review`), which hands an item to one reviewer at a time. Tier, model and confidence
never reach the page. The address names the item, so a page that is gone back to says what became of it and never gives a verdict twice.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from undertow.dashboard.access import Person, needs
from undertow.dashboard.forms import form_of
from undertow.dashboard.pages import PREFIX, Ui, address, page, ui_of
from undertow.errors import DataError, UsageError
from undertow.records.review import Sheet
from undertow.reviewing.cases import item_of
from undertow.reviewing.status import FLAGS, ReviewStatus
from undertow.services.review import Progress, ReviewDesk

HERE = f"{PREFIX}/review"

ONE = (("y", "Good"), ("n", "Bad"), ("1", "1 worst"), ("2", "2"), ("3", "3"), ("4", "4"), ("5", "5 best"))
TWO = (("a", "Only A is good"), ("b", "Only B is good"), ("t", "Both are good"), ("x", "Neither is good"))
"""What may be said, and its button."""

LONGEST_S = 3_600.0
"""A verdict that took longer was not being thought about all the time, so its time is not kept."""

SHOWN_RATERS = 40

NOTES = {
    "kept": "Kept.",
    "skipped": "Skipped; somebody else will see it.",
    "undone": "Taken back; here it is again.",
    "nothing": "There is nothing that can still be taken back.",
    "already": "You judged that item already, so nothing was changed.",
    "taken": "That item went to somebody else while your page was away, or its text was removed, so what you said of it was not kept.",
    "other": "That item is not yours to judge now: somebody else has it, it needs no more verdicts, or its text was removed.",
    "left": "Your session is over; all that you judged is kept.",
}
"""What is said above the next item."""


@dataclass(frozen=True, slots=True)
class RaterRow:
    """A reviewer as the page shows him. Nothing by tier, and nothing of the seeded cases: either would tell what was just judged.

    Attributes:
        name: Who.
        votes, skipped: How many.
        median_s: Seconds that a verdict takes him, or None: not known.
        concerns: What is odd about his votes; for operators and himself alone.
    """

    name: str
    votes: int
    skipped: int
    median_s: float | None
    concerns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeskView:
    """The desk as one person sees it.

    Attributes:
        sheet: The item, or None.
        judged: Item of the address that he has judged or skipped already, or empty.
        undoable: Item whose verdict he can take back, or empty.
        progress: How far the day is.
        status: Where the review stands.
        raters: Reviewers, most votes first.
    """

    sheet: Sheet | None
    judged: str
    undoable: str
    progress: Progress
    status: ReviewStatus
    raters: tuple[RaterRow, ...]

    @property
    def buttons(self) -> tuple[tuple[str, str], ...]:
        """What may be said of the item."""
        return () if self.sheet is None else TWO if self.sheet.is_side_by_side else ONE


def review(request: Request) -> Response:
    """`/ui/review`, `/ui/review?item=ITEM`."""
    person, ui = needs(request, "reviewer"), ui_of(request)
    asked, said = request.query_params.get("item", ""), request.query_params.get("note", "")
    if ui.desk is None:
        return page(request, "review.html.j2", desk=None, note="", is_over=False, now_s=0.0)
    is_over = said == "left" and not asked
    with ui.desk_lock:
        ui.desk.publish()
        seen = _seen(ui.desk, person, asked, is_over=is_over)
    if seen.sheet is not None and seen.sheet.item != asked:
        note = said or ("other" if asked else None)
        return RedirectResponse(address(request, {"item": seen.sheet.item, "note": note}), 303)
    if seen.sheet is None and asked and not seen.judged:
        said = said or "other"
    return page(
        request, "review.html.j2", desk=seen, note=NOTES.get(said, ""), is_over=is_over, now_s=time.time(), shown_raters=SHOWN_RATERS
    )  # fmt: skip


def _seen(desk: ReviewDesk, person: Person, asked: str, *, is_over: bool) -> DeskView:
    is_judged = bool(asked) and _has_judged(desk, person, asked)
    sheet = None if is_judged or is_over else desk.next(person.name)
    last, status = desk.undoable(person.name), desk.status()
    return DeskView(
        sheet,
        asked if is_judged else "",
        "" if last is None else item_of(last.decision_id),
        desk.progress(),
        status,
        rater_rows(status, person),
    )


def rater_rows(status: ReviewStatus, person: Person) -> tuple[RaterRow, ...]:
    """Reviewers, most votes first, for a person who looks at them."""
    rows = [
        RaterRow(
            each.rater,
            each.votes,
            each.skipped,
            each.median_s,
            tuple(FLAGS[flag] for flag in each.flags) if person.may("operator") or each.rater == person.name else (),
        )
        for each in status.raters
    ]
    return tuple(sorted(rows, key=lambda row: (-row.votes, row.name)))


def _has_judged(desk: ReviewDesk, person: Person, item: str) -> bool:
    try:
        return desk.has_judged(person.name, item)
    except DataError:
        return False  # its text was removed, or it never was


async def vote(request: Request) -> Response:
    """A verdict, from a button."""
    return await _posted(request, _vote)


async def skip(request: Request) -> Response:
    """An item that is left to others, with a reason."""
    return await _posted(request, _skip)


async def undo(request: Request) -> Response:
    """The latest verdict is taken back, if it is the one that the page showed: two presses take back one."""

    def undone(desk: ReviewDesk, person: Person, form: dict[str, str]) -> str:
        last = desk.undoable(person.name)
        if last is None or item_of(last.decision_id) != form.get("item"):
            return "nothing"
        return "undone" if desk.undo(person.name) else "nothing"

    return await _posted(request, undone)


async def leave(request: Request) -> Response:
    """The session is over: what was shown goes to others, and verdicts become signals."""

    def left(desk: ReviewDesk, person: Person, _: dict[str, str]) -> str:
        desk.leave(person.name)
        return "left"

    return await _posted(request, left)


async def hold(request: Request) -> Response:
    """An open page keeps its item: `held`, or `gone` where another one has it by now or it was judged in another tab."""
    person, ui = needs(request, "reviewer"), ui_of(request)
    form = await form_of(request, person)
    said = await run_in_threadpool(_acted, ui, person, form, _hold)
    return Response(said, media_type="text/plain")


def _hold(desk: ReviewDesk, person: Person, form: dict[str, str]) -> str:
    desk.publish()
    return "held" if desk.hold(person.name, form.get("item", "")) else "gone"


def _vote(desk: ReviewDesk, person: Person, form: dict[str, str]) -> str:
    item = form.get("item", "")
    if _has_judged(desk, person, item):
        return "already"  # a page that was gone back to, or a second tab
    if not desk.hold(person.name, item):
        return "taken"
    desk.vote(person.name, item, form.get("said", ""), _seconds(form))
    desk.publish()
    return "kept"


def _skip(desk: ReviewDesk, person: Person, form: dict[str, str]) -> str:
    item = form.get("item", "")
    if _has_judged(desk, person, item):
        return "already"
    if not desk.hold(person.name, item):
        return "taken"
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
    Route("/review/hold", hold, methods=["POST"]),
)
