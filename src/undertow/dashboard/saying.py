"""What the forms of the page about actions say, as new lines of the audit trail.

A form goes to the line or the version that its page showed, by its whole id. Where another process changed it meanwhile it is refused: a page
that was made for another trail must hit nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from undertow.actions import by_person
from undertow.actions.standing import rollouts_of
from undertow.errors import UsageError
from undertow.records.guard import TrailEntry
from undertow.reports.names import plain

WHOLE = "all"
"""What is typed for all requests."""

LONGEST_WHY = 500

NOTES = {
    "approve": "Approved, and done: gateways read it within seconds.",
    "reject": "Rejected; it is not suggested again for the same episode.",
    "release": "Released: gateways read it within seconds.",
    "route_back": "Done: gateways read it within seconds.",
    "pause": "The rollout stays where it stands.",
    "resume": "The rollout goes on; each stage needs new evidence.",
    "take_off": "Stopped: the capable tier answers all of the policy's requests. Gateways read it within seconds.",
    "accept_risk": "Accepted; it stands in the audit trail with your name.",
}
"""What can be done, and what is said once it was."""

Say = Callable[[tuple[TrailEntry, ...]], Sequence[TrailEntry]]


def saying(form: Mapping[str, str], who: str, now: datetime, lost: Callable[[], Mapping[str, str]]) -> Say:
    """What a form says, as a function from the trail to new lines of it.

    Args:
        form: Its fields.
        who: Name of the person.
        now: Aware.
        lost: Policy by source of what is in force without a line in the trail.

    Raises:
        UsageError: It says nothing that can be done, or gives no reason.
    """
    what, why, which = form.get("do", ""), plain(form.get("why", "").strip())[:LONGEST_WHY], form.get("id", "")
    policy, segment = form.get("policy", "auto"), form.get("segment", "").strip()
    if what not in NOTES:
        raise UsageError(f"{plain(what)[:40]!r} is nothing that can be done here; expected one of {', '.join(NOTES)}")
    if not why:
        raise UsageError("a reason is missing; it stands in the audit trail with your name")
    if what in {"approve", "reject", "release"} and not which:
        raise UsageError("the id of a line is missing")
    if what in {"route_back", "accept_risk"} and not segment:
        raise UsageError(f"a segment is missing; expected key=value, such as intent=billing, or {WHOLE}")
    place = "" if segment == WHOLE and what == "route_back" else segment
    by_person.check_label(place)
    match what:
        case "approve":
            return lambda trail: by_person.approve(_same_line(trail, which), which, who, why, now)
        case "reject":
            return lambda trail: by_person.reject(_same_line(trail, which), which, who, why, now)
        case "release":
            gone = lost()
            return lambda trail: by_person.release(_same_line(trail, which, gone), which, who, why, now, gone)
        case "route_back":
            return lambda trail: by_person.route_back(trail, policy, place, who, why, now)
        case "pause":
            return lambda trail: by_person.pause(_same_rollout(trail, form), policy, who, why, now)
        case "resume":
            return lambda trail: by_person.resume(_same_rollout(trail, form), policy, who, why, now)
        case "take_off":
            return lambda trail: by_person.take_off(_same_rollout(trail, form), policy, who, why, now)
        case _:
            return lambda trail: by_person.accept_risk(_same_rollout(trail, form), policy, segment, who, why, now)


def _same_line(
    trail: tuple[TrailEntry, ...], which: str, lost: Mapping[str, str] | None = None
) -> tuple[TrailEntry, ...]:
    """The trail, if it has the very line, and nobody has answered it.

    Raises:
        UsageError: It has not, or somebody has: who, and when.
    """
    if which in (lost or {}):
        return trail
    if all(entry.id != which for entry in trail):
        # The beginning of an id is for people who type; a page that was made for another trail must hit nothing.
        raise UsageError(f"the audit trail has no line {plain(which)[:40]!r} any more")
    answers = [e for e in trail if e.of == which and (e.status in {"done", "rejected"})]
    if answers:
        last = answers[-1]
        did = "rejected" if last.status == "rejected" else "released" if last.kind == "release" else "approved"
        raise UsageError(f"{plain(last.who)[:80]} {did} that already, on {last.at[:16].replace('T', ' at ')} UTC")
    return trail


def _same_rollout(trail: tuple[TrailEntry, ...], form: Mapping[str, str]) -> tuple[TrailEntry, ...]:
    """The trail, if the rollout is of the version that the page showed.

    Raises:
        UsageError: It is of another one by now.
    """
    state = rollouts_of(trail).get(form.get("policy", "auto"))
    if state is not None and state.version != form.get("version"):
        raise UsageError(f"version {plain(state.version)[:40]} is rolled out by now, not the one that your page showed")
    return trail
