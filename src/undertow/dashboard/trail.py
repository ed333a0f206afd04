"""The audit trail as pages show it: in words, searched, and as rows of a table to take away."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from undertow.actions.entries import GUARD, place_name
from undertow.records.guard import TrailEntry
from undertow.records.moment import moment_of
from undertow.reports import figures
from undertow.reports.names import clip

KINDS: dict[str, str] = {
    "route_back": "Send to the capable tier",
    "tighten": "Ask for more confidence",
    "roll_back": "Go back to an earlier version",
    "stop_rollout": "Stop the rollout",
    "leave": "Weighed, and left",
    "start": "Begin a rollout",
    "advance": "Expose more users",
    "hold": "Keep a place where it stands",
    "step_back": "Expose fewer users",
    "finish": "Finish the rollout",
    "release": "Release",
    "accept_risk": "Accept a risk",
}
"""What a line of the trail does, or asks to do."""

STATUSES: dict[str, str] = {
    "done": "done",
    "suggested": "suggested",
    "approved": "approved",
    "rejected": "rejected",
    "failed": "could not be applied",
    "dry": "would be done",
}

HEADING = (
    "at", "who", "kind", "status", "policy", "segment", "before", "after", "why", "evidence", "episode", "id", "of", "controls_version",
)  # fmt: skip
"""Of the CSV."""

MAX_QUERY = 200
MAX_EVIDENCE = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the trail.

    Attributes:
        id: Its id.
        at: When, aware; None: the file has no time that can be read.
        who: `guard`, or a person.
        what: In words.
        status: In words.
        policy: Name of the policy.
        place: `key=value`, or in words all requests.
        before, after: What was in force, and is now.
        why: A sentence.
        evidence: Name and value of what it rests on.
        is_bad: It could not be applied.
    """

    id: str
    at: datetime | None
    who: str
    what: str
    status: str
    policy: str
    place: str
    before: str
    after: str
    why: str
    evidence: tuple[tuple[str, str], ...]
    is_bad: bool

    @property
    def is_by_guard(self) -> bool:
        """Whether no person said so."""
        return self.who == GUARD


def line_of(entry: TrailEntry) -> Line:
    """A line for people; a kind that this version does not know keeps its own name.

    Examples:
        >>> line = line_of(TrailEntry(id="a", at="2026-03-01T00:00:00Z", who="ada", kind="route_back", evidence={"loss": 0.0812345}))
        >>> line.what, line.place, line.evidence
        ('Send to the capable tier', 'all requests', (('loss', '0.0812'),))
    """
    return Line(
        entry.id,
        read_moment(entry.at),
        entry.who,
        KINDS.get(entry.kind, entry.kind),
        STATUSES.get(entry.status, entry.status),
        entry.policy,
        place_name(entry.segment),
        entry.before,
        entry.after,
        entry.why,
        tuple((clip(name, 40), _value(value)) for name, value in list(entry.evidence.items())[:MAX_EVIDENCE]),
        entry.status == "failed",
    )


def read_moment(text: str) -> datetime | None:
    """The moment that a file names, or None: it names none.

    Examples:
        >>> read_moment("2026-03-01T00:00:00Z").year, read_moment("soon")
        (2026, None)
    """
    try:
        return moment_of(text)
    except ValueError:
        return None


def _value(value: float | str | None) -> str:
    match value:
        case None:
            return figures.ABSENT
        case str():
            return clip(value, 120)
        case _:
            return f"{value:.3g}" if abs(value) < 1e3 else figures.count(value)


@dataclass(frozen=True, slots=True)
class TrailFilter:
    """Which lines are asked for; what is empty is left open.

    Attributes:
        q: Text in any of its words.
        kind, status, policy: Exactly.
        by: `guard` or `people`.
    """

    q: str = ""
    kind: str = ""
    status: str = ""
    policy: str = ""
    by: str = ""

    @property
    def is_open(self) -> bool:
        """Whether every line is asked for."""
        return self == TrailFilter()

    def keeps(self, entry: TrailEntry) -> bool:
        """Whether a line is asked for.

        Examples:
            >>> entry = TrailEntry(id="a", at="2026-03-01T00:00:00Z", who="ada", kind="route_back", segment="intent=billing")
            >>> TrailFilter(q="BILL", by="people").keeps(entry), TrailFilter(by="guard").keeps(entry)
            (True, False)
        """
        exact = ((self.kind, entry.kind), (self.status, entry.status), (self.policy, entry.policy))
        if any(asked and asked != found for asked, found in exact):
            return False
        if self.by and (entry.who == GUARD) != (self.by == "guard"):
            return False
        words = (entry.id, KINDS.get(entry.kind, entry.kind), entry.status, entry.who, entry.policy, entry.segment, entry.why, entry.after)  # fmt: skip
        return not self.q or any(self.q.casefold() in word.casefold() for word in words)


def filter_of(query: Mapping[str, str]) -> TrailFilter:
    """What the address of a page asks for; what is nothing that can be asked is left open."""
    kind, status, by = query.get("kind", ""), query.get("status", ""), query.get("by", "")
    return TrailFilter(
        query.get("q", "").strip()[:MAX_QUERY],
        kind if kind in KINDS else "",
        status if status in STATUSES else "",
        query.get("policy", "")[:MAX_QUERY],
        by if by in {"guard", "people"} else "",
    )


def rows(trail: Sequence[TrailEntry]) -> Iterable[tuple[object, ...]]:
    """Cells of the CSV, under `HEADING`."""
    for e in trail:
        evidence = "; ".join(f"{name}={value}" for name, value in e.evidence.items())
        yield e.at, e.who, e.kind, e.status, e.policy, e.segment, e.before, e.after, e.why, evidence, e.episode, e.id, e.of, e.controls_version  # fmt: skip
