"""What tuning a threshold reads, remembers and writes down.

state/thresholds.json   in force (`undertow.records.calibration.ThresholdStates`): read by every worker
state/tuning.jsonl      what was changed, when, by whom and why (`TuningEntry`), one line a group: appended to, never rewritten
state/tuning.json       where each controller stands (`TuningMemory`)
state/tuning.lock       held by whoever tunes
"""

import msgspec

HISTORY = "state/tuning.jsonl"
MEMORY = "state/tuning.json"
LOCK = "state/tuning.lock"
"""Under the store's folder."""

SCHEMA = "undertow.tuning/1"


class TuningLabel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One decision of which somebody said whether its cheap answer was as good as the capable one.

    Attributes:
        available_at: When that was known, RFC 3339 in UTC with milliseconds: texts sort as times do.
        decision_id: Of the decision.
        confidence: Of its cheap answer; None: none was measured, so no threshold serves it.
        is_failed: The cheap answer was not as good.
        weight: 1 / inclusion probability, at least 1.
        share: Share of the group's eligible requests from which it was drawn, in (0, 1]: 1 where any of them could be labelled; where only
            cheaply served ones are, their share (the others lose nothing).
        group: Value of the calibration's group, or None: the rest.
        event_time: When the decision was made, likewise; None: unknown.
    """

    available_at: str
    decision_id: str
    confidence: float | None
    is_failed: bool
    weight: float = 1.0
    share: float = 1.0
    group: str | None = None
    event_time: str | None = None


class ControllerState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the controller of one group's threshold stands. Log-odds are those of a confidence.

    Attributes:
        log_odds: Of its threshold.
        floor: Of the lowest threshold that a certificate vouches for: the threshold does not fall below it.
        weight: That counts as one label: of a typical one when labels were last read.
        wealth: Log of each bet against "the loss at the floor is within the margin".
        ages: Labels since each bet began.
        labels: Labels that it has seen.
        seen: `available_at` of the labels that it has seen, by decision id: the latest of them.
        seen_until: All labels that were available until then count as seen, named in `seen` or not; None: only those are.
        floor_since: Labels of decisions after that are fresh evidence on the floor; None: since the calibration.
        looks: How often the fresh labels were asked for a lower floor since then.
        spent: How often labels were asked for one in all: each time takes its part of the calibration's error probability.
    """

    log_odds: float
    floor: float
    weight: float = 1.0
    wealth: tuple[float, ...] = ()
    ages: tuple[int, ...] = ()
    labels: int = 0
    seen: dict[str, str] = {}
    seen_until: str | None = None
    floor_since: str | None = None
    looks: int = 0
    spent: int = 0


class GroupMemory(msgspec.Struct, frozen=True, kw_only=True):
    """The controller of one group of one calibration.

    Attributes:
        policy: Name of the policy.
        tier: Tier whose answers are judged.
        group: Value of the group, or None: the rest.
        calibration_version: Hash of the artefact; another artefact begins anew.
        controller: Where it stands.
        commits: It follows answers that may be served from their first tokens on; a policy that changes its way begins anew.
    """

    policy: str
    tier: str
    group: str | None
    calibration_version: str
    controller: ControllerState
    commits: bool = False


class TuningMemory(msgspec.Struct, frozen=True, kw_only=True):
    """The file `state/tuning.json`."""

    schema: str = SCHEMA
    at: str
    groups: tuple[GroupMemory, ...] = ()

    def controller(
        self, policy: str, tier: str, group: str | None, calibration_version: str, *, commits: bool = False
    ) -> ControllerState | None:
        """The controller of a group under this very artefact and this way of serving, or None."""
        wanted = (policy, tier, group, calibration_version, commits)
        return next(
            (
                m.controller
                for m in self.groups
                if (m.policy, m.tier, m.group, m.calibration_version, m.commits) == wanted
            ),
            None,
        )


class TuningEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of one group's threshold: a line of the history.

    Attributes:
        version: Of the thresholds after it; entries of one run share it.
        at: RFC 3339.
        who: `keeper`, or whoever ran the command.
        policy, tier, group: What was changed.
        calibration_version: Hash of the artefact that it is about.
        before, after: Thresholds (confidence); None: nothing is served cheaply.
        was_void, is_void: Whether the certificate was void before, and is after.
        certified, commits: Of `after`, as in `undertow.records.calibration.GroupState`.
        labels: New labels that it rests on.
        loss: Marginal loss on them at the threshold before; None without labels.
        interval: Its 95 % interval.
        evidence: log10 of the e-value against the certified threshold, before the change.
        restores: Version whose thresholds were brought back; None: it is no undoing.
        why: In words.
    """

    version: int
    at: str
    who: str
    policy: str
    tier: str
    group: str | None = None
    calibration_version: str
    before: float | None
    after: float | None
    was_void: bool = False
    is_void: bool = False
    certified: bool = False
    commits: bool = False
    labels: int = 0
    loss: float | None = None
    interval: tuple[float, float] | None = None
    evidence: float | None = None
    restores: int | None = None
    why: str
