"""What is done at an alarm: each action off, suggested or automatic, at most once an episode and place, and only ever a restriction.

Which action, for an open episode whose cause is routing (never `mix` or `provider`: no restriction of the cheap tier helps there):

* `stop_rollout` where the policy is being rolled out: it stays where it stands until a person decides.
* `roll_back` where a version began to serve within the onset's interval and an earlier one serves no episode: that one serves again. It
  answers the episode alone: nothing is taken off the cheap tier besides.
* `route_back`: the segment goes back to the capable tier; where its tier's segments were weighed (`AlarmLook.weighed`), those that probably cost more
  than they save, which may be others, more, or none. An episode that was answered so goes on being weighed as labels come in.
* `tighten`: the segment's answers need more confidence. Not where the segment is routed back.

An action is taken without asking only where its mode is `automatic`, the evidence is from people, from checks with a right answer or
anchored by people, and the cause is known to be routing. Everything else that is not `off` is suggested. Bounds: at most
`max_actions_per_day` without asking (more are suggested), and none of a kind at a place within `cooldown_hours` of the last one.

Pure: the same input gives the same entries, and input that holds their result gives none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from undertow.actions.controls import kept_policies, next_controls
from undertow.actions.entries import GUARD, NOTED, entry_id, place_name, released, restrictable, waiting, with_own_ids
from undertow.actions.restoring import restorable
from undertow.actions.standing import rollouts_of
from undertow.actions.versions import KnownVersion, last_good
from undertow.records.alert import Episode
from undertow.records.guard import ActionKind, ActionMode, Controls, GuardMemory, TrailEntry
from undertow.records.moment import moment_of, rfc3339
from undertow.records.serving import GuardPlan

ACTING = frozenset({"human", "exact", "anchored"})
"""Bases of evidence on which something is done without asking."""

ACTIONS: tuple[ActionKind, ...] = ("stop_rollout", "roll_back", "route_back", "tighten")

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WeighedPlace:
    """A place that is expected to cost more than it saves.

    Attributes:
        segment: `key=value`; empty: all requests.
        expected_loss: Expected rise of the failure rate since the onset, in [0, 1].
        net_usd: Expected net value of serving one request there below the capable tier, in USD; None: money is unknown, and the margin decides.
    """

    segment: str
    expected_loss: float = 0.0
    net_usd: float | None = None


@dataclass(frozen=True, slots=True)
class AlarmLook:
    """What is known at a look.

    Attributes:
        episodes: All of them, open and lately closed.
        acting: Ids of those with an alarm whose basis is one of `ACTING`.
        weighed: By id of an episode: the places that are worth routing back, where that was weighed (perhaps none). Else its own place.
        serving: By policy: version that serves now.
        versions: All that have served, oldest first.
        tightens: Policies with a confidence that can be raised.
        kinds: By id of an episode: `level` or `change`, for what is said.
    """

    episodes: tuple[Episode, ...] = ()
    acting: frozenset[str] = frozenset()
    weighed: Mapping[str, tuple[WeighedPlace, ...]] = field(default_factory=dict)
    serving: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[KnownVersion, ...] = ()
    tightens: frozenset[str] = frozenset()
    kinds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a look does.

    Attributes:
        entries: New lines of the trail.
        memory: Where the guard stands after them.
        controls: What is in force from now on, or None: as before.
    """

    entries: tuple[TrailEntry, ...]
    memory: GuardMemory
    controls: Controls | None


def at_alarm(
    look: AlarmLook,
    memory: GuardMemory,
    controls: Controls | None,
    trail: Sequence[TrailEntry],
    plan: GuardPlan,
    now: datetime,
) -> Outcome:
    """What to do about the alarms of a look.

    Args:
        look: What is known.
        memory: Where the guard stood.
        controls: What is in force, or None: nothing ever was.
        trail: All that was done, oldest first, what this look did before included.
        plan: Modes and bounds.
        now: Aware.
    """
    deciding, undone = _Deciding(look, memory, trail, plan, now), released(trail)
    entries: list[TrailEntry] = []
    # Alarms first: what they call for need not be suggested for a warning about the same place as well.
    for episode in sorted(look.episodes, key=lambda each: each.kind == "warning"):
        if episode.closed_at is None and episode.cause in {"routing", "unknown"}:
            entries += deciding.answer(episode)
        elif episode.closed_by is not None and episode.closed_by not in undone and episode.id in look.weighed:
            entries += deciding.restrict(episode)
    entries += restorable(look.episodes, [*trail, *entries], plan.restore_after_days, now)
    return settle(memory, controls, trail, entries, plan, now)


def settle(
    memory: GuardMemory,
    controls: Controls | None,
    trail: Sequence[TrailEntry],
    entries: Sequence[TrailEntry],
    plan: GuardPlan,
    now: datetime,
) -> Outcome:
    """Memory and controls as they follow from the trail with new entries.

    Args:
        memory: Before them.
        controls: In force before them, or None.
        trail: Before them, oldest first.
        entries: New ones.
        plan: Cool-down.
        now: Aware.
    """
    at = rfc3339(now)
    entries = with_own_ids(map(_with_plain_numbers, entries), trail)
    whole = (*trail, *entries)
    after = next_controls(controls, kept_policies(controls, whole), at)
    cooling = {place: until for place, until in memory.cooling.items() if until > at}
    for entry in entries:
        if entry.status == "done" and entry.kind in ACTIONS and entry.who == GUARD:
            cooling[_cooling_key(entry.policy, entry.segment, entry.kind)] = rfc3339(now + timedelta(hours=plan.cooldown_hours))  # fmt: skip
    new = msgspec.structs.replace(
        memory,
        at=at,
        rollouts=tuple(state for _, state in sorted(rollouts_of(whole).items())),
        suggested=tuple(entry.id for entry in waiting(whole)),
        cooling=cooling,
    )
    if after is not None:
        changing = {entry.id for entry in entries if entry.status == "done" and entry.kind not in NOTED | {"start"}}
        entries = tuple(
            msgspec.structs.replace(entry, controls_version=after.version) if entry.id in changing else entry
            for entry in entries
        )
    return Outcome(tuple(entries), new, after)


def _with_plain_numbers(entry: TrailEntry) -> TrailEntry:
    """Numbers of an audit are NumPy's, which are floats and yet cannot be written down."""
    plain = {name: float(value) if isinstance(value, float) else value for name, value in entry.evidence.items()}
    return msgspec.structs.replace(entry, evidence=plain)


def mode_of(plan: GuardPlan, kind: ActionKind, segment: str) -> ActionMode:
    """What is to be done of a kind at a place: what the settings say of the segment, else of the kind.

    Examples:
        >>> plan = GuardPlan(route_back="suggest", segments={"intent=fraud": "automatic"})
        >>> mode_of(plan, "route_back", "intent=fraud"), mode_of(plan, "route_back", "intent=faq")
        ('automatic', 'suggest')
    """
    return plan.segments.get(segment) or getattr(plan, kind)


def _cooling_key(policy: str, segment: str, kind: str) -> str:
    return f"{policy}|{segment}|{kind}"


@dataclass(slots=True)
class _Deciding:
    """Decides one look; counts what it has done already."""

    look: AlarmLook
    memory: GuardMemory
    trail: Sequence[TrailEntry]
    plan: GuardPlan
    now: datetime
    done: list[TrailEntry] = field(default_factory=list)
    asked: list[TrailEntry] = field(default_factory=list)

    def answer(self, episode: Episode) -> Iterable[TrailEntry]:
        """Actions that an episode calls for, and that were not taken or suggested before."""
        found: list[TrailEntry] = []
        rolled_back = self._was_done(episode, "roll_back", None, found)
        if any(state.policy == episode.policy and state.status == "running" for state in self.memory.rollouts):
            found += self._take(episode, "stop_rollout", "", {})
        bad = self.look.serving.get(episode.policy, "")
        good = last_good(self.look.versions, episode, self.look.episodes, bad, self._rolled_back_from())
        if good is not None and not rolled_back:
            evidence: dict[str, float | str | None] = {"bad": self._compiled(episode.policy, bad), "good": good}
            found += self._take(episode, "roll_back", "", evidence)
            rolled_back = any(entry.kind == "roll_back" and entry.status == "done" for entry in found)
        return found if rolled_back else [*found, *self.restrict(episode)]

    def restrict(self, episode: Episode) -> Iterable[TrailEntry]:
        """Restrictions that an episode calls for, and that were not taken or suggested before."""
        found: list[TrailEntry] = []
        places = self.look.weighed.get(episode.id, (WeighedPlace(restrictable(episode.segment)),))
        if not places:
            found += self._leave(episode)
        for weighed in places:
            place = weighed.segment
            if self._is_taken_off(episode.policy, place):
                continue
            found += self._take(episode, "route_back", place, self._worth(episode, weighed))
            is_off = any(
                entry.kind == "route_back" and entry.status == "done" and entry.segment == place for entry in found
            )
            if not is_off and episode.policy in self.look.tightens:
                raised = min(self._raised(episode.policy, place) + self.plan.tighten_by, 1.0)
                found += self._take(episode, "tighten", place, {"raised_by": round(raised, 6)})
        return found

    def _leave(self, episode: Episode) -> Iterable[TrailEntry]:
        """Said once an episode, so that nobody wonders why nothing was done."""
        is_off = mode_of(self.plan, "route_back", restrictable(episode.segment)) == "off"
        if (
            is_off
            or episode.kind == "warning"
            or any(e.episode == episode.id and e.kind == "leave" for e in self.trail)
        ):
            return
        yield TrailEntry(
            id=entry_id("leave", episode.policy, episode.id),
            at=rfc3339(self.now),
            who=GUARD,
            kind="leave",
            policy=episode.policy,
            episode=episode.id,
            evidence=_evidence(episode, self.look),
            after="left as it is",
            why=_why(episode, "", "", {})
            + "; no segment probably loses more than its savings (or the margin) are worth",
        )

    def _worth(self, episode: Episode, place: WeighedPlace) -> dict[str, float | str | None]:
        if episode.id not in self.look.weighed:
            return {}
        return {"expected_loss": place.expected_loss, "net_usd_request": place.net_usd}

    def _take(
        self,
        episode: Episode,
        kind: ActionKind,
        place: str,
        evidence: dict[str, float | str | None],
    ) -> list[TrailEntry]:
        plan = self.plan
        mode = mode_of(plan, kind, place or restrictable(episode.segment))
        if mode == "off" or self._was_answered(episode, kind, place) or self._is_cooling(episode.policy, place, kind):
            return []
        held = self._held_back(episode, kind, mode)
        asked = self._asked(episode, kind, place)
        if held and asked is not None:
            return []
        if asked is not None and asked.evidence.get("asks_because") != "evidence":
            return []  # it is a person's now
        if held and (episode.policy, kind, place) in self._waiting_places():
            return []
        before, after = _in_words(kind, evidence)
        at = rfc3339(self.now)
        entry = TrailEntry(
            id=entry_id(kind, episode.policy, place, episode.id, "suggested" if held else "done", at),
            at=at,
            who=GUARD,
            kind=kind,
            status="suggested" if held else "done",
            policy=episode.policy,
            segment=place,
            of=None if asked is None else asked.id,
            episode=episode.id,
            evidence=_evidence(episode, self.look) | evidence | ({"asks_because": held} if held else {}),
            before=before,
            after=after,
            why=_why(episode, place, held, evidence),
        )
        (self.asked if held else self.done).append(entry)
        return [entry]

    def _held_back(self, episode: Episode, kind: ActionKind, mode: ActionMode) -> str:
        """Why a person is asked; empty: none need be."""
        if episode.kind == "warning" or episode.cause != "routing" or episode.id not in self.look.acting:
            return "evidence"
        if mode != "automatic":
            return "mode"
        if restrictable(episode.segment) != episode.segment and kind in {"route_back", "tighten"}:
            return "place"
        return "bound" if self._today() >= self.plan.max_actions_per_day else ""

    def _today(self) -> int:
        since = rfc3339(self.now - DAY)
        recent = [e for e in self.trail if e.at > since and e.who == GUARD and e.status == "done" and e.kind in ACTIONS]
        return len(recent) + len(self.done)

    def _is_cooling(self, policy: str, place: str, kind: str) -> bool:
        until = self.memory.cooling.get(_cooling_key(policy, place, kind))
        # Further away than a cool-down lasts: the clock was ahead when that was written.
        return until is not None and timedelta() < moment_of(until) - self.now <= timedelta(
            hours=self.plan.cooldown_hours
        )

    def _was_done(self, episode: Episode, kind: str, place: str | None, more: Sequence[TrailEntry] = ()) -> bool:
        return any(
            entry.episode == episode.id
            and entry.kind == kind
            and entry.status == "done"
            and place in {None, entry.segment}
            for entry in (*self.trail, *more)
        )

    def _was_answered(self, episode: Episode, kind: str, place: str) -> bool:
        said = {"done", "approved", "rejected"}
        return any(
            entry.episode == episode.id and entry.kind == kind and entry.segment == place and entry.status in said
            for entry in self.trail
        )

    def _asked(self, episode: Episode, kind: str, place: str) -> TrailEntry | None:
        return next(
            (e for e in waiting(self.trail) if e.episode == episode.id and e.kind == kind and e.segment == place), None
        )

    def _waiting_places(self) -> set[tuple[str, str, str]]:
        """Where a person is asked already, whatever the episode: one answer is enough."""
        return {(entry.policy, entry.kind, entry.segment) for entry in (*waiting(self.trail), *self.asked)}

    def _in_force(self, policy: str) -> Iterable[TrailEntry]:
        undone = released(self.trail)
        return (
            e for e in (*self.trail, *self.done) if e.policy == policy and e.status == "done" and e.id not in undone
        )

    def _is_taken_off(self, policy: str, place: str) -> bool:
        return any(e.kind == "route_back" and e.segment in {"", place} for e in self._in_force(policy))

    def _raised(self, policy: str, place: str) -> float:
        """Most that thresholds are raised by already, where requests of a place are."""
        raised = [e.evidence.get("raised_by") for e in self._in_force(policy) if e.kind == "tighten" and e.segment in {"", place}]  # fmt: skip
        return max((float(value) for value in raised if isinstance(value, int | float)), default=0.0)

    def _compiled(self, policy: str, serving: str) -> str:
        """The version that the settings compile to: what a pin must name where one is in force already."""
        pinned = [e for e in self._in_force(policy) if e.kind == "roll_back" and e.evidence.get("good") == serving]
        return str(pinned[-1].evidence.get("bad")) if pinned else serving

    def _rolled_back_from(self) -> frozenset[str]:
        return frozenset(str(e.evidence.get("bad")) for e in self.trail if e.kind == "roll_back" and e.status == "done")


def _evidence(episode: Episode, look: AlarmLook) -> dict[str, float | str | None]:
    low, high = episode.loss_interval or (None, None)
    return {
        "tier": episode.tier,
        "kind": look.kinds.get(episode.id, episode.kind),
        "cause": episode.cause,
        "monitors": ", ".join(episode.monitors),
        "loss": episode.loss,
        "low": low,
        "high": high,
        "detected_at": episode.detected_at,
        "onset": episode.onset,
        "net_usd_month": episode.net_usd_month,
    }


def _in_words(kind: ActionKind, evidence: Mapping[str, float | str | None]) -> tuple[str, str]:
    match kind:
        case "route_back":
            return "served by the policy", "served by the capable tier"
        case "tighten":
            return "confidence as calibrated", f"confidence raised by {float(evidence['raised_by'] or 0.0):g}"
        case "roll_back":
            return f"version {evidence['bad']}", f"version {evidence['good']}"
        case "stop_rollout":
            return "rollout goes on", "rollout stays where it stands"


def _why(episode: Episode, place: str, held: str, evidence: Mapping[str, float | str | None]) -> str:
    where = place_name(restrictable(episode.segment))
    size = "" if episode.loss is None else f" of about {max(episode.loss, 0.0):.1%}"
    since = "" if episode.onset is None else f" since about {episode.onset[:10]}"
    said = f"{'a warning' if episode.kind == 'warning' else 'an alarm'} about tier {episode.tier} ({where}): a loss{size}{since}"
    expected, net = evidence.get("expected_loss"), evidence.get("net_usd_request")
    if isinstance(expected, float):
        worth = "" if net is None else f", which costs more than it saves by ${-float(net):.2g} a request"
        said += f"; in {place_name(place)} a loss of {expected:.1%} is expected{worth}"
    asks = {
        "evidence": "; it is only suggested, since the evidence or its cause is not sure enough to act on",
        "mode": "; a person decides, as the settings say",
        "place": "; requests bear no label for the topic that it sits in, so all of the policy's would be restricted, and a person decides",
        "bound": "; a person decides, since guard.max_actions_per_day is reached",
    }
    return said + asks.get(held, "")
