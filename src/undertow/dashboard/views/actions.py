"""Rollout and actions: what waits for a person, what is in force, how far a rollout is, versions of policies, and the audit trail.

What a person does goes to the line or version that he saw, by its id: where another process changed it meanwhile, nothing is done, and the page
says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from undertow.actions.controls import unknown_to
from undertow.actions.entries import failures, place_name, released, waiting
from undertow.actions.standing import rollouts_of
from undertow.actions.versions import KnownVersion
from undertow.adapters.guard.book import StoreGuardBook
from undertow.bootstrap.guarding import Guarded, guarded_of, standing_of
from undertow.bootstrap.rollout_start import serving_versions
from undertow.dashboard.access import Person, needs
from undertow.dashboard.charts import Chart, both, csv_response
from undertow.dashboard.forms import form_of
from undertow.dashboard.pages import PREFIX, Ui, page, ui_of
from undertow.dashboard.policy_versions import SHOWN as SHOWN_VERSIONS
from undertow.dashboard.policy_versions import Difference, VersionRow, difference, version_rows
from undertow.dashboard.rollouts import RolloutView, rollout_view, steps_of
from undertow.dashboard.saying import NOTES, WHOLE, saying
from undertow.dashboard.trail import HEADING, KINDS, STATUSES, Line, TrailFilter, filter_of, line_of, rows
from undertow.errors import ConfigError, DataError, UsageError
from undertow.records.guard import Controls, TrailEntry
from undertow.records.moment import rfc3339
from undertow.reports.names import plain
from undertow.reports.svg.exposure import exposure_chart
from undertow.services.guard import by_person as written

HERE = f"{PREFIX}/actions"
SHOWN, SHOWN_OPEN, SHOWN_LABELS = 100, 50, 200
"""Lines of the trail on a page; suggestions and restrictions; labels that the field for a segment offers."""

IN_FORCE = frozenset({"route_back", "tighten", "roll_back"})
"""Kinds of entries that can be released."""

LATELY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Held:
    """Something in force that can be released.

    Attributes:
        id: Of the line that put it there, or the source of what the trail has lost.
        what, policy, place: What, of which policy, where.
        after: What is in force, a sentence.
        line: The line, or None: the trail has lost it.
    """

    id: str
    what: str
    policy: str
    place: str
    after: str
    line: Line | None


@dataclass(frozen=True, slots=True)
class ActionsView:
    """What the page is made from.

    Attributes:
        asked: Suggestions that wait.
        held: What is in force.
        failed: What could not be applied within the last day.
        rollouts: Each with its chart.
        versions: Of all policies, the latest first.
        diff: What differs between two of them, or None.
        policies: Names that are known.
        labels: Segments that the log knows.
        trail: Lines that are asked for, latest first.
        older: How many more there are.
        total: All lines.
        problem: Why some of it cannot be told, or empty.
    """

    asked: tuple[Line, ...] = ()
    held: tuple[Held, ...] = ()
    failed: tuple[Line, ...] = ()
    rollouts: tuple[tuple[RolloutView, Chart | None], ...] = ()
    versions: tuple[VersionRow, ...] = ()
    diff: Difference | None = None
    policies: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    trail: tuple[Line, ...] = ()
    older: int = 0
    total: int = 0
    problem: str = ""
    asks: TrailFilter = field(default_factory=TrailFilter)


def actions(request: Request) -> Response:
    """`/ui/actions`."""
    store = ui_of(request).store
    if store is not None and request.query_params.get("format") == "csv":
        asks = filter_of(request.query_params)
        return csv_response(
            "undertow-trail", HEADING, rows([e for e in StoreGuardBook(store).trail() if asks.keeps(e)])
        )
    return _page(request)


def _page(request: Request, problem: str = "", status: int = 200) -> Response:
    ui, said = ui_of(request), "" if problem else request.query_params.get("note", "")
    view = ActionsView()
    if ui.store is not None:
        try:
            view = _view(ui, ui.store, request)
        except (ConfigError, OSError) as error:
            # Somebody who comes to see what is wrong gets the page that can tell him, not an error.
            why = str(error) if isinstance(error, ConfigError) else f"the store cannot be read ({error.strerror or type(error).__name__})"  # fmt: skip
            view, status = ActionsView(problem=why), 503 if status == 200 else status
    return page(
        request, "actions.html.j2", status=status, guard=view, note=NOTES.get(said, ""), did=said if said in NOTES else "",
        problem=problem or view.problem, KINDS=KINDS, STATUSES=STATUSES, shown_open=SHOWN_OPEN, shown_versions=SHOWN_VERSIONS,
        whole=WHOLE,
    )  # fmt: skip


def _view(ui: Ui, store: Path, request: Request) -> ActionsView:
    now, book, asks = datetime.now(UTC), StoreGuardBook(store), filter_of(request.query_params)
    trail, versions, plan = book.trail(), book.versions(), _plan(ui, datetime.now(UTC))
    problem, controls = "", None
    try:
        controls = book.controls()
    except ConfigError as error:
        problem = str(error)
    try:
        diff = difference(versions, request.query_params.get("before", ""), request.query_params.get("after", ""))
    except UsageError as error:
        problem, diff = str(error), None
    found = [entry for entry in reversed(trail) if asks.keeps(entry)]
    start = _start(request.query_params, len(found))
    known = [KnownVersion(each.policy.name, each.version, each.first_served_at) for each in versions]
    serving = serving_versions(plan.policies, controls, known)
    return ActionsView(
        asked=tuple(map(line_of, waiting(trail))),
        held=held(trail, controls),
        failed=tuple(map(line_of, failures(trail, rfc3339(now - LATELY)))),
        rollouts=_rollouts(ui, store, trail, plan, now),
        versions=version_rows(versions, serving, controls),
        diff=diff,
        policies=_policies(plan, trail, serving),
        labels=_labels(ui),
        trail=tuple(map(line_of, found[start : start + SHOWN])),
        older=max(0, len(found) - start - SHOWN),
        total=len(trail),
        problem=problem,
        asks=asks,
    )


def held(trail: Sequence[TrailEntry], controls: Controls | None) -> tuple[Held, ...]:
    """What is in force and can be released, the latest first; what the trail has lost before all.

    Args:
        trail: Oldest first.
        controls: In force, or None: nothing is, or it cannot be read.
    """
    undone, lost = released(trail), []
    for policy, each in unknown_to(controls, trail).items():
        for one in each.restrictions:
            after = "served by the capable tier" if one.exposure <= 0.0 else f"{one.exposure:.0%} of users below the capable tier, confidence raised by {one.raised_by:g}"  # fmt: skip
            lost.append(Held(one.source, KINDS["route_back"], policy, place_name(one.segment), after, None))
        if each.pin is not None:
            after = f"version {each.pin.good} serves instead of {each.pin.bad}"
            lost.append(Held(each.pin.source, KINDS["roll_back"], policy, place_name(""), after, None))
    known = [e for e in reversed(trail) if e.kind in IN_FORCE and e.status == "done" and e.id not in undone]
    lines = ((e, line_of(e)) for e in known)
    return (*lost, *(Held(e.id, line.what, e.policy, line.place, e.after, line) for e, line in lines))


def _rollouts(
    ui: Ui, store: Path, trail: tuple[TrailEntry, ...], plan: Guarded, now: datetime
) -> tuple[tuple[RolloutView, Chart | None], ...]:
    """Rollouts by the log as it was last read; weighing the evidence takes a moment, so it is kept until something changes."""
    seen = ui.log.seen

    def made() -> tuple[tuple[RolloutView, Chart | None], ...]:
        report, cells = (None, None) if seen is None else (seen.report, seen.cells)
        note = "" if seen is not None else "the log has not been read yet"
        found = standing_of(store, plan, report, cells, now, note)
        return tuple(
            (rollout_view(each, trail), _chart(trail, each.state.policy, now, i)) for i, each in enumerate(found)
        )

    if not rollouts_of(trail):
        return ()
    key = ("rollouts", len(trail), trail[-1].id, now.replace(second=0, microsecond=0))
    return made() if seen is None else ui.kept.of(seen, key, made)


def _chart(trail: Sequence[TrailEntry], policy: str, now: datetime, number: int) -> Chart | None:
    lines = {place_name(segment): [(s.at, s.exposure) for s in steps] for segment, steps in steps_of(trail, policy).items()}  # fmt: skip
    return both(lambda width, ident: exposure_chart(lines, now, width, ident), f"rollout-{number}")


def _policies(plan: Guarded, trail: Sequence[TrailEntry], serving: Mapping[str, str]) -> tuple[str, ...]:
    """Names that a person may act on: those of the settings, else those that are known to have served or been acted upon."""
    names = [each.name for each in plan.policies] or [*serving, *(entry.policy for entry in trail)]
    return tuple(dict.fromkeys(names)) or ("auto",)


def _labels(ui: Ui) -> tuple[str, ...]:
    seen = ui.log.seen
    found = () if seen is None else (str(one.segment) for one in seen.report.segments if not one.segment.is_whole)
    return tuple(dict.fromkeys(found))[:SHOWN_LABELS]


def _start(query: Mapping[str, str], total: int) -> int:
    """Where the shown part of the trail begins: lines that came meanwhile move it, and change nothing else."""
    text = query.get("from", "")
    return min(int(text), max(total - 1, 0)) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _plan(ui: Ui, now: datetime) -> Guarded:
    return guarded_of(ui.settings, ui.folder, now.date())


async def act(request: Request) -> Response:
    """What an operator says: to a suggestion, of what is in force, of a rollout, or of a segment that he routes back himself."""
    person = needs(request, "operator")
    form = await form_of(request, person)
    return await run_in_threadpool(_acted, request, person, form)


def _acted(request: Request, person: Person, form: Mapping[str, str]) -> Response:
    ui = ui_of(request)
    if ui.store is None:
        raise UsageError("this log is no store, so there is nothing to act upon")
    now, book = datetime.now(UTC), StoreGuardBook(ui.store)
    plan, what = _plan(ui, now), form.get("do", "")
    say = saying(form, plain(person.name)[:80], now, lambda: _lost(book))
    policy = form.get("policy", "auto")
    if plan.policies and "policy" in form and policy not in {each.name for each in plan.policies}:
        raise UsageError(f"there is no policy {plain(policy)[:60]!r} in the settings")
    try:
        written(book, say, plan.guard, now)
    except (UsageError, DataError) as error:
        return _page(request, f"Nothing was done. {_sentence(str(error))}", 409)
    except OSError as error:
        why = f"The guard's files cannot be written ({error.strerror or type(error).__name__}). Look at the audit trail before you try again."  # fmt: skip
        return _page(request, why, 503)
    return RedirectResponse(f"{HERE}?note={what}", 303)


def _lost(book: StoreGuardBook) -> dict[str, str]:
    """Policy by source of what is in force without a line in the trail; nothing where it cannot be told what is in force."""
    try:
        found = unknown_to(book.controls(), book.trail())
    except ConfigError:
        return {}
    sources = {each.source: policy for policy, held in found.items() for each in held.restrictions}
    return sources | {held.pin.source: policy for policy, held in found.items() if held.pin is not None}


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


ROUTES = (Route("/actions", actions, name="actions"), Route("/actions", act, methods=["POST"]))
