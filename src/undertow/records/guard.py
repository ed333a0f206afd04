"""What restricts the policies of a store, who restricted them, and why: written by the guard, read by every worker.

    <store>/state/controls.json          in force (`Controls`): read by every worker
    <store>/state/guard.jsonl            the audit trail (`TrailEntry`), one line an entry: appended to, never rewritten
    <store>/state/guard.json             where the guard stands (`GuardMemory`)
    <store>/state/guard.lock             held by whoever changes any of them
    <store>.guard/                       a second copy of controls and trail, beside the store: a store that is lost undoes nothing
    <store>.guard/policies/VERSION.json  every version of a policy that has served (`PolicyVersion`); never changed

A control only ever restricts: it takes requests off cheaper tiers, or raises thresholds. Nothing in these files can open a tier that
settings or a calibration keep shut, so a forged or stale file can cost money and never quality.
"""

from typing import Literal

import msgspec

from undertow.records.serving import ConstraintsPlan, HoldoutPlan, PolicyPlan

CONTROLS = "state/controls.json"
TRAIL = "state/guard.jsonl"
GUARD_MEMORY = "state/guard.json"
GUARD_LOCK = "state/guard.lock"
GUARD_SUFFIX = ".guard"
"""Ends the name of the folder beside the store with the second copy."""
POLICY_VERSIONS = "policies"
"""Folder in it with every version of a policy."""

CONTROLS_SCHEMA = "undertow.controls/1"
VERSION_SCHEMA = "undertow.policy-version/1"

ActionKind = Literal["route_back", "tighten", "roll_back", "stop_rollout"]
"""What the guard may do at an alarm: keep a segment on the capable tier, raise a threshold, serve by the last good version of the policy,
or stop a rollout where it stands."""

ActionMode = Literal["off", "suggest", "automatic"]


class Restriction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What holds for requests with a label. Of all restrictions that match a request the smallest exposure and the largest raise hold.

    Attributes:
        segment: `key=value`; empty: every request of the policy.
        exposure: Share of the units of randomisation whose requests may be served below the capable tier, in [0, 1]: by a sticky hash of
            the unit, so that who is exposed at 10 % still is at 25 %.
        raised_by: Added to the confidence that a cheap answer needs, in [0, 1].
        reason: Reason in the log of those kept on the capable tier: `not_exposed` (a rollout), `routed_back` (an action).
        source: What put it there: `rollout`, or the id of the trail's entry.
    """

    segment: str = ""
    exposure: float = 1.0
    raised_by: float = 0.0
    reason: Literal["not_exposed", "routed_back"] = "routed_back"
    source: str


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is replaced by another, good one. Settings that compile to a third version are served as they are.

    Attributes:
        bad: Version that was rolled back.
        good: Version that serves instead.
        source: Id of the trail's entry.
    """

    bad: str
    good: str
    source: str


class PolicyControls(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What restricts one policy.

    Attributes:
        restrictions: In no order that matters.
        pin: Version that is replaced, or None.
    """

    restrictions: tuple[Restriction, ...] = ()
    pin: Pin | None = None


class Controls(msgspec.Struct, frozen=True, kw_only=True):
    """The file `state/controls.json`: all that is in force.

    Attributes:
        schema: Version of this document.
        version: Counts changes, from 1; of two copies the higher one holds.
        at: When it was written, RFC 3339.
        policies: By name of the policy.
    """

    schema: str = CONTROLS_SCHEMA
    version: int
    at: str
    policies: dict[str, PolicyControls] = {}


class PolicyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a policy as it served, whole: enough to serve by it again.

    Attributes:
        schema: Version of this document.
        version: Its hash.
        first_served_at: RFC 3339.
        policy: Its plan; paths of artefacts point to copies in the guard's folder, named by their hash.
        tiers: By name: each of its tiers as it was (`TierPlan`): model, parameters, context length, addresses, prices.
        constraints: Those that held.
        holdout: That which held.
    """

    schema: str = VERSION_SCHEMA
    version: str
    first_served_at: str
    policy: PolicyPlan
    tiers: dict[str, dict[str, object]]
    constraints: ConstraintsPlan = ConstraintsPlan()
    holdout: HoldoutPlan = HoldoutPlan()


TrailKind = Literal[
    "route_back", "tighten", "roll_back", "stop_rollout",  # at an alarm
    "leave",  # at an alarm: what it is about was weighed, and nothing was taken off
    "start", "advance", "hold", "step_back", "finish",  # of a rollout
    "release",  # a restriction or a pin is taken away
    "accept_risk",  # somebody accepted a segment whose risk could not be shown to be small
]  # fmt: skip


class TrailEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the audit trail.

    Attributes:
        id: Unique; short.
        at: When, RFC 3339.
        who: `guard`, or the name of a person.
        kind: What.
        status: `done`; `suggested` (waits for a person); `approved` or `rejected` (what a person said of the entry `of`); `failed` (could not be
            applied; `why` says why, and it is tried again); `dry` (would have been done).
        policy: Name of the policy.
        segment: `key=value`; empty: all of it.
        of: Entry that this one answers, repeats or undoes, or None.
        episode: Episode of the alarm (`undertow.records.alert.Episode.id`), or None.
        evidence: What it rests on, by name: numbers and short texts of the report, never text of users.
        before, after: What was in force, and is now, in words that `undertow guard list` prints.
        controls_version: Version of the controls after it, or None: they did not change.
        why: A sentence for people.
    """

    id: str
    at: str
    who: str
    kind: TrailKind
    status: Literal["done", "suggested", "approved", "rejected", "failed", "dry"] = "done"
    policy: str = "auto"
    segment: str = ""
    of: str | None = None
    episode: str | None = None
    evidence: dict[str, float | str | None] = {}
    before: str = ""
    after: str = ""
    controls_version: int | None = None
    why: str = ""


class RolloutState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the rollout of one policy version stands.

    Attributes:
        policy: Name of the policy.
        version: Version that is rolled out; another version begins anew.
        stages: Shares, rising, the last is 1.
        stage: By segment (`key=value`; empty: all that have none of their own): place in `stages`.
        since: By segment, likewise: when that stage began, RFC 3339.
        accepted: Segments whose residual risk somebody accepted.
        status: `running`, `stopped` (by an action or a person), `finished`.
    """

    policy: str
    version: str
    stages: tuple[float, ...]
    stage: dict[str, int]
    since: dict[str, str]
    accepted: tuple[str, ...] = ()
    status: Literal["running", "stopped", "finished"] = "running"


class GuardMemory(msgspec.Struct, frozen=True, kw_only=True):
    """The file `state/guard.json`.

    Attributes:
        schema: Version of this document.
        at: When it was written, RFC 3339.
        looked_until: Event time up to which the guard has looked, RFC 3339; a clock that was set back moves it nowhere. Empty: never.
        rollouts: One for each policy that is being rolled out.
        suggested: Ids of entries that wait for a person.
        cooling: By `policy|segment|kind`: until when nothing of the kind is done there again, RFC 3339.
    """

    schema: str = "undertow.guard/1"
    at: str
    looked_until: str = ""
    rollouts: tuple[RolloutState, ...] = ()
    suggested: tuple[str, ...] = ()
    cooling: dict[str, str] = {}
