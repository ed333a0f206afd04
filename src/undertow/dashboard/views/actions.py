"""Rollout and actions: what waits for a person, what is in force, how far a rollout is, and the audit trail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from undertow.actions import by_person
from undertow.actions.entries import place_name, released, waiting
from undertow.adapters.guard.book import StoreGuardBook
from undertow.bootstrap.guarding import Guarded, guarded_of, standing_of
from undertow.dashboard.access import Person, needs
from undertow.dashboard.charts import csv_response
from undertow.dashboard.forms import form_of
from undertow.dashboard.pages import PREFIX, Ui, page, ui_of
from undertow.errors import UsageError
from undertow.records.guard import TrailEntry
from undertow.reports.names import plain
from undertow.services.guard import by_person as written

HERE = f"{PREFIX}/actions"
SHOWN = 100
IN_FORCE = frozenset({"route_back", "tighten", "roll_back"})
"""Kinds of entries that can be released."""

NOTES = {
    "approve": "Approved, and done: gateways read it within seconds.",
    "reject": "Rejected; it is not suggested again for the same episode.",
    "release": "Released: gateways read it within seconds.",
    "route_back": "Done: gateways read it within seconds.",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One place of a rollout.

    Attributes:
        place: As people read it.
        exposure: Share of users at its stage.
        needs: What is missing for the next, a sentence.
        decided: When that is expected, or empty.
        labels: Labels since the rollout began.
    """

    place: str
    exposure: float
    needs: str
    decided: str
    labels: int


def actions(request: Request) -> Response:
    """`/ui/actions`."""
    ui = ui_of(request)
    if ui.store is None:
        return page(request, "actions.html.j2", trail=(), asked=(), held=(), rollouts=(), note="", more=0, q="")
    trail = StoreGuardBook(ui.store).trail()
    if request.query_params.get("format") == "csv":
        rows = [(e.at, e.who, e.kind, e.status, e.policy, e.segment, e.before, e.after, e.why, e.id) for e in trail]
        return csv_response("undertow-trail", ("at", "who", "kind", "status", "policy", "segment", "before", "after", "why", "id"), rows)  # fmt: skip
    undone, query = released(trail), request.query_params.get("q", "")[:200]
    shown = [e for e in reversed(trail) if query.casefold() in f"{e.kind} {e.status} {e.who} {e.segment} {e.policy}".casefold()]  # fmt: skip
    return page(
        request,
        "actions.html.j2",
        trail=shown[:SHOWN],
        more=max(0, len(shown) - SHOWN),
        asked=waiting(trail),
        held=tuple(e for e in trail if e.kind in IN_FORCE and e.status == "done" and e.id not in undone),
        rollouts=_rollouts(ui),
        note=NOTES.get(request.query_params.get("note", ""), ""),
        q=query,
    )


def _rollouts(ui: Ui) -> list[tuple[str, str, str, list[Stage]]]:
    """Policy, version, status and places of each rollout, by the log as it was last read."""
    assert ui.store is not None
    seen, now = ui.log.seen, datetime.now(UTC)
    report, cells = (None, None) if seen is None else (seen.report, seen.cells)
    note = "" if seen is not None else "the log has not been read yet"
    return [
        (
            each.state.policy,
            each.state.version,
            f"{each.state.status}{f'; {each.note}' if each.note else ''}",
            [
                Stage(
                    place_name(place.segment), place.exposure, place.needs,
                    "" if place.decided_at is None else f"{place.decided_at:%Y-%m-%d}", place.labels,
                )
                for place in each.places
            ],
        )
        for each in standing_of(ui.store, _plan(ui, now), report, cells, now, note)
    ]  # fmt: skip


def _plan(ui: Ui, now: datetime) -> Guarded:
    return guarded_of(ui.settings, ui.folder, now.date())


async def act(request: Request) -> Response:
    """What an operator says: approve, reject, release, or a segment that he routes back himself."""
    person, ui = needs(request, "operator"), ui_of(request)
    form = await form_of(request, person)
    done = await run_in_threadpool(_acted, ui, person, form)
    return RedirectResponse(f"{HERE}?note={done}", 303)


def _acted(ui: Ui, person: Person, form: dict[str, str]) -> str:
    if ui.store is None:
        raise UsageError("this log is no store, so there is nothing to act upon")
    now, what = datetime.now(UTC), form.get("do", "")
    who, why, which = plain(person.name)[:80], plain(form.get("why", ""))[:500], form.get("id", "")
    if what in {"approve", "reject", "release"} and not which:
        raise UsageError("the id of a line is missing")
    say: dict[str, Callable[[tuple[TrailEntry, ...]], Sequence[TrailEntry]]] = {
        "approve": lambda trail: by_person.approve(trail, which, who, why, now),
        "reject": lambda trail: by_person.reject(trail, which, who, why, now),
        "release": lambda trail: by_person.release(trail, which, who, why, now),
        "route_back": lambda trail: by_person.route_back(trail, "auto", form.get("segment", "").strip(), who, why, now),
    }
    if what not in say:
        raise UsageError(f"{plain(what)[:40]!r} is nothing that can be done here; expected one of {', '.join(say)}")
    if what == "route_back" and not form.get("segment", "").strip():
        raise UsageError("a segment is missing; expected key=value, such as intent=billing")
    written(StoreGuardBook(ui.store), say[what], _plan(ui, now).guard, now)
    return what


ROUTES = (Route("/actions", actions, name="actions"), Route("/actions", act, methods=["POST"]))
