"""One run of tuning: what was in force before it, what it reports, and what it writes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from undertow.calibration.tuning import Alarm
from undertow.calibration.versions import latest_version
from undertow.policies.standing import group_ahead, threshold_in_force
from undertow.ports.tuning import ThresholdBook
from undertow.records.calibration import Calibration, Group, GroupState, PolicyState, ThresholdStates
from undertow.records.moment import rfc3339
from undertow.records.tuning import GroupMemory, TuningEntry, TuningMemory


@dataclass(frozen=True, slots=True)
class Target:
    """One calibration that a policy uses.

    Attributes:
        policy: Name of the policy.
        calibration: The artefact's content.
        version: Its hash.
        commits: The policy serves streams from their first tokens on where it may.
    """

    policy: str
    calibration: Calibration
    version: str
    commits: bool = False

    def certifying(self, group: Group) -> Group:
        """A group with the threshold that is certified for how the policy serves: that of the prefix where answers may be served early.

        Args:
            group: One of the calibration's groups, or its rest under another value.
        """
        ahead = self.ahead(group)
        return group if ahead is None else msgspec.structs.replace(group, threshold=ahead.threshold)

    def ahead(self, group: Group) -> Group | None:
        """The group of the prefix where answers may be served early; None: whole ones alone are."""
        return group_ahead(self.calibration, group) if self.commits else None

    def in_force(self, group: Group, state: GroupState | None) -> GroupState:
        """How a group stands where the policy is not strict.

        Args:
            group: With its certified threshold, as `certifying` gives it.
            state: What was tuned or voided; None: nothing.
        """
        is_early = self.ahead(group) is not None
        threshold = threshold_in_force(group.threshold, state, strict=False, commits=is_early)
        if state is None or threshold != state.threshold:
            is_void, why = (False, "") if state is None else (state.is_void, state.why)
            return GroupState(value=group.value, threshold=threshold, is_void=is_void, why=why)
        return state


@dataclass(frozen=True, slots=True)
class Run:
    """Who tunes, and when.

    Attributes:
        who: `keeper`, or the name of a person.
        at: Now, aware.
        is_dry: Change nothing.
    """

    who: str
    at: datetime
    is_dry: bool = False


@dataclass(frozen=True, slots=True)
class GroupReport:
    """What became of one group.

    Attributes:
        policy, tier: Where.
        group_key: Label by whose values requests are divided; None: one group.
        group: Value, or None: the rest.
        before, after: Thresholds; None: nothing is served cheaply.
        was_void, is_void: Whether the certificate was void before, and is after.
        certified, commits: Of `after`, as in `undertow.records.calibration.GroupState`.
        margin: That the loss is held to.
        labels: New labels.
        loss, interval, evidence: As in `Retuned`.
        alarm: Whether one is open.
        why: In words.
    """

    policy: str
    tier: str
    group_key: str | None
    group: str | None
    before: float | None
    after: float | None
    margin: float
    was_void: bool = False
    is_void: bool = False
    certified: bool = False
    commits: bool = False
    labels: int = 0
    loss: float | None = None
    interval: tuple[float, float] | None = None
    evidence: float | None = None
    alarm: Alarm = "none"
    why: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether what is in force is another than before."""
        return self.before != self.after or self.was_void != self.is_void


@dataclass(frozen=True, slots=True)
class TuneReport:
    """What a run did.

    Attributes:
        version: Of the thresholds in force after it; 0: as calibrated.
        groups: One report a group.
        notes: Sentences for the reader.
    """

    version: int
    groups: tuple[GroupReport, ...]
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> int:
        """How many groups were changed."""
        return sum(group.is_changed for group in self.groups)


@dataclass(frozen=True, slots=True)
class Now:
    """What the book says at the beginning of a run."""

    book: ThresholdBook
    states: ThresholdStates | None
    memory: TuningMemory
    history: tuple[TuningEntry, ...]

    @classmethod
    def of(cls, book: ThresholdBook) -> "Now":
        """What the book says now."""
        return cls(book, book.states(), book.memory() or TuningMemory(at=""), book.history())

    def policy_state(self, target: Target) -> PolicyState | None:
        """Of this very artefact, or None."""
        tiers = {} if self.states is None else self.states.policies.get(target.policy, {})
        found = tiers.get(target.calibration.tier)
        return found if found is not None and found.calibration_version == target.version else None

    def state(self, target: Target, value: str | None) -> GroupState | None:
        """What is in force for a group instead of what was calibrated, or None."""
        found = self.policy_state(target)
        return None if found is None else next((group for group in found.groups if group.value == value), None)

    def in_force(self, target: Target, group: Group) -> GroupState:
        """How a group stands now.

        Args:
            target: Its calibration.
            group: As `groups` has it.
        """
        return target.in_force(group, self.state(target, group.value))

    def groups(self, target: Target) -> list[Group]:
        """Groups of the artefact as the policy serves them, and of the values that were voided out of its rest."""
        groups = list(target.calibration.groups)
        held = {group.value for group in groups}
        rest = next(group for group in groups if group.value is None)
        state = self.policy_state(target)
        extra = [] if state is None else [group.value for group in state.groups if group.value not in held]
        groups += [msgspec.structs.replace(rest, value=value) for value in extra]
        return [target.certifying(group) for group in groups]

    def settle(
        self,
        targets: Sequence[Target],
        reports: Sequence[GroupReport],
        controllers: Sequence[GroupMemory],
        run: Run,
        notes: tuple[str, ...],
        restores: int | None = None,
    ) -> TuneReport:
        """Write what came of a run, and report it."""
        changed = [report for report in reports if report.is_changed]
        last = max(latest_version(self.history), *self._versions(), 0)
        version = last + 1 if changed else last
        if not run.is_dry and (changed or controllers):
            at = rfc3339(run.at)
            versions = {(t.policy, t.calibration.tier): t.version for t in targets}
            entries = [_entry(one, versions[one.policy, one.tier], version, run, at, restores) for one in changed]
            kept = {
                (m.policy, m.tier, m.group): m
                for m in self.memory.groups
                if versions.get((m.policy, m.tier), m.calibration_version) == m.calibration_version
            }
            kept |= {(m.policy, m.tier, m.group): m for m in controllers}
            states = self._states(targets, changed, version, at) if changed else None
            self.book.write(states, TuningMemory(at=at, groups=tuple(kept.values())), entries)
        return TuneReport(version, tuple(reports), notes)

    def _versions(self) -> Iterable[int]:
        tiers = [] if self.states is None else self.states.policies.values()
        return [state.version for by_tier in tiers for state in by_tier.values()]

    def _states(
        self, targets: Sequence[Target], changed: Sequence[GroupReport], version: int, at: str
    ) -> ThresholdStates:
        policies = {} if self.states is None else {name: dict(tiers) for name, tiers in self.states.policies.items()}
        for target in targets:
            tier = target.calibration.tier
            mine = [one for one in changed if (one.policy, one.tier) == (target.policy, tier)]
            if not mine:
                continue
            old = self.policy_state(target)
            groups: dict[str | None, GroupState] = {} if old is None else {group.value: group for group in old.groups}
            for one in mine:
                if not one.is_void and _is_as_calibrated(target, one):
                    groups.pop(one.group, None)
                else:
                    groups[one.group] = GroupState(
                        value=one.group,
                        threshold=one.after,
                        is_void=one.is_void,
                        certified=one.certified,
                        commits=one.commits,
                        why=one.why,
                    )
            policies.setdefault(target.policy, {})[tier] = PolicyState(
                calibration_version=target.version, version=version, groups=tuple(groups.values())
            )
        return ThresholdStates(at=at, policies=policies)


def _is_as_calibrated(target: Target, one: GroupReport) -> bool:
    """Whether nothing need be noted: a value that the artefact does not know follows the rest again."""
    thresholds = {group.value: target.certifying(group).threshold for group in target.calibration.groups}
    return one.group not in thresholds or one.after == thresholds[one.group]


def _entry(one: GroupReport, calibration: str, version: int, run: Run, at: str, restores: int | None) -> TuningEntry:
    return TuningEntry(
        version=version,
        at=at,
        who=run.who,
        policy=one.policy,
        tier=one.tier,
        group=one.group,
        calibration_version=calibration,
        before=one.before,
        after=one.after,
        was_void=one.was_void,
        is_void=one.is_void,
        certified=one.certified,
        commits=one.commits,
        labels=one.labels,
        loss=one.loss,
        interval=one.interval,
        evidence=one.evidence,
        restores=restores,
        why=one.why,
    )
