"""Rollouts as pages show them: each place with what it needs and when that is expected, and the moves so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from undertow.actions.controls import exposure_at
from undertow.actions.entries import place_name
from undertow.actions.outlook import NOT_BY_LABELS, PlaceOutlook
from undertow.actions.standing import OFF, rollouts_of, stage_of
from undertow.bootstrap.guarding import RolloutStanding
from undertow.dashboard.trail import Line, line_of, read_moment
from undertow.records.guard import TrailEntry
from undertow.reports import figures

MOVES = frozenset({"start", "advance", "hold", "step_back", "stop_rollout", "finish", "accept_risk", "release"})
"""Kinds of lines that move a rollout."""

SHOWN_PLACES, SHOWN_MOVES = 200, 60

LEAST_BORROWED = 0.0005
"""Less than this is not worth a word."""


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A place of a rollout.

    Attributes:
        segment: `key=value`; empty: all requests.
        place: In words.
        stage: `2 of 5`, or `taken off`.
        exposure, next_exposure: Share of users at its stage and at the next, or None: there is none.
        since: When the stage began, aware, or None.
        labels: Labels since the rollout began.
        high, bound: Loss that it may have by what was shown, and what that must come below; or None. No loss is small enough for a place that was
            taken off.
        own_high: The same by its own labels alone, where something was borrowed from the whole tier, or None.
        needs: What is missing, a sentence.
        expected: When the next decision comes, in words.
        decided_at: Its day, aware, or None.
        is_ready: Its evidence would let it go on.
        is_accepted: A person accepted its risk.
        may_accept: A person can do so.
    """

    segment: str
    place: str
    stage: str
    exposure: float
    next_exposure: float | None
    since: datetime | None
    labels: int
    high: float | None
    bound: float | None
    own_high: float | None
    needs: str
    expected: str
    decided_at: datetime | None
    is_ready: bool
    is_accepted: bool
    may_accept: bool


@dataclass(frozen=True, slots=True)
class RolloutView:
    """A rollout.

    Attributes:
        policy, version: Whose.
        status: `running`, `stopped` or `finished`.
        exposure: Share of users at the stage of all requests.
        stages: Shares of the stages.
        places: All requests first, then what is not ready.
        left_out: Places that are not shown.
        note: Why there are none, or empty.
        moves: Lines of the trail that moved it, latest first.
        is_off: Nobody is exposed.
    """

    policy: str
    version: str
    status: str
    exposure: float
    stages: tuple[float, ...]
    places: tuple[PlaceRow, ...]
    left_out: int
    note: str
    moves: tuple[Line, ...]
    is_off: bool


@dataclass(frozen=True, slots=True)
class Step:
    """The exposure of a place from a moment on."""

    at: datetime
    exposure: float


def rollout_view(found: RolloutStanding, trail: Sequence[TrailEntry]) -> RolloutView:
    """A rollout for people.

    Args:
        found: Where it stands.
        trail: Oldest first.
    """
    state, front = found.state, stage_of(found.state, "")
    places = sorted(found.places, key=lambda each: (each.segment != "", each.is_ready, each.segment))
    moves = [entry for entry in _mine(trail, state.policy) if entry.status == "done"]
    return RolloutView(
        state.policy,
        state.version,
        state.status,
        exposure_at(state, front),
        state.stages,
        tuple(place_row(each, state.status, len(state.stages)) for each in places[:SHOWN_PLACES]),
        max(0, len(places) - SHOWN_PLACES),
        found.note,
        tuple(line_of(entry) for entry in reversed(moves[-SHOWN_MOVES:])),
        front == OFF,
    )


def place_row(found: PlaceOutlook, status: str, stages: int) -> PlaceRow:
    """A place for people.

    Args:
        found: Its outlook.
        status: Of its rollout.
        stages: How many there are.
    """
    borrowed = found.borrowed if found.borrowed > LEAST_BORROWED else 0.0
    return PlaceRow(
        found.segment,
        place_name(found.segment),
        "taken off" if found.stage == OFF else f"{found.stage + 1} of {stages}",
        found.exposure,
        found.next_exposure,
        read_moment(found.since),
        found.labels,
        found.high,
        None if found.code == "off" else found.bound,
        found.high + borrowed if found.high is not None and borrowed else None,
        found.needs,
        expected(found, status),
        found.decided_at if _is_by_labels(found, status) else None,
        found.is_ready,
        found.is_accepted,
        bool(found.segment) and status != "finished" and (not found.is_accepted or found.stage == OFF),
    )


def expected(found: PlaceOutlook, status: str) -> str:
    """When the next decision about a place comes, in words.

    Args:
        found: Its outlook.
        status: Of its rollout.
    """
    if status == "finished" or found.next_exposure is None:
        return ""
    if status == "stopped":
        return "held until a person lets it go on"
    if found.is_ready:
        return "with the next step of all requests" if found.segment else "at the next look"
    if not _is_by_labels(found, status):
        return "not by labels: a person decides" if found.code == "off" else "not by labels alone"
    if found.missing is None:
        return "not by more labels, if the loss stays what it is estimated to be"
    more = f"after about {figures.plural(found.missing, 'more label')}"
    return f"{more}; not within two years at today's rate" if found.decided_at is None else more


def steps_of(trail: Sequence[TrailEntry], policy: str) -> dict[str, tuple[Step, ...]]:
    """How far each place was exposed, from move to move, since the version's rollout began.

    Args:
        trail: Oldest first.
        policy: Whose rollout.

    Returns:
        By `key=value`, the empty one for all requests; a place that always went with all is not told apart.
    """
    mine = _mine(trail, policy)
    begun = [
        i for i, e in enumerate(mine) if e.kind == "start" and e.status == "done" and not e.evidence.get("resumes")
    ]
    first = max(begun[-1] if begun else 0, len(mine) - SHOWN_MOVES)
    found: dict[str, list[Step]] = {"": []}
    for end in range(first + 1, len(mine) + 1):
        state, at = rollouts_of(mine[:end]).get(policy), read_moment(mine[end - 1].at)
        if state is None or at is None:
            continue
        for segment in ("", *(each for each in state.stage if each)):
            steps = found.setdefault(segment, found[""][:-1] if segment else [])
            steps.append(Step(at, exposure_at(state, stage_of(state, segment))))
    return {segment: tuple(steps) for segment, steps in found.items() if steps}


def _mine(trail: Sequence[TrailEntry], policy: str) -> list[TrailEntry]:
    mine = [entry for entry in trail if entry.policy == policy and entry.kind in MOVES]
    ids = {entry.id for entry in mine if entry.kind != "release"}
    return [entry for entry in mine if entry.kind != "release" or entry.of in ids]


def _is_by_labels(found: PlaceOutlook, status: str) -> bool:
    return status == "running" and found.code not in NOT_BY_LABELS and not found.is_ready and found.next_exposure is not None  # fmt: skip
