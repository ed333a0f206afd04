"""The rules by which labels may move a threshold that is in force: bounded, never looser under an alarm, never without a certificate.

`undertow.calibration.online` says where the threshold should be; here it is decided how much of that comes into force now:

- A run moves a threshold by at most `max_step` of log-odds; the rest follows in the next runs.
- While an alarm on the tier (or on a segment that the group shares) is open, or where none could be looked for, it only rises.
- A group whose certificate is void is left alone: first somebody calibrates anew or restores it.
- A group that was never certified is left alone: there is no floor to return to.
- While the floor is the certified threshold, no lower number comes into force, not even by rounding, and one that stands there goes at once.
- A change smaller than `LEAST_MOVE` waits, unless it is the last step back to the floor: a version for each label helps nobody.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from undertow.calibration.online import (
    Followed,
    Rules,
    begin,
    confidence_at,
    follow,
    is_served,
    log_odds,
    relax,
)
from undertow.records.calibration import Group, GroupState
from undertow.records.tuning import ControllerState, TuningLabel
from undertow.stats.confidence import beta_binomial_interval

Alarm = Literal["none", "open", "unknown"]

LEAST_MOVE = 0.05
"""Of log-odds: about one percentage point of confidence at .8."""

LEVEL = 0.95

REMEMBERED = 5000
"""Labels that a controller knows by name: so many may come late and still count."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How a run may move thresholds.

    Attributes:
        margin, delta: Of the calibration.
        step: Log-odds per served failure.
        max_step: Most that one run moves a threshold, in log-odds.
    """

    margin: float
    delta: float
    step: float
    max_step: float


@dataclass(frozen=True, slots=True)
class Retuned:
    """What becomes of one group.

    Attributes:
        threshold: To be in force (a confidence); None: nothing is served cheaply.
        is_changed: It is another than before.
        is_certified: Labels since the calibration certified it, below the calibration's own.
        controller: Where it stands; None: none has begun.
        labels: New labels.
        loss: Marginal loss on them at the threshold before; None without labels.
        interval: Its 95 % interval, valid however often one looks.
        evidence: log10 of the e-value against the certified threshold; None without labels.
        why: In words.
    """

    threshold: float | None
    is_changed: bool
    is_certified: bool
    controller: ControllerState | None
    labels: int
    loss: float | None
    interval: tuple[float, float] | None
    evidence: float | None
    why: str


def retune(
    group: Group,
    before: GroupState | None,
    controller: ControllerState | None,
    labels: Sequence[TuningLabel],
    alarm: Alarm,
    limits: Limits,
    *,
    withheld: Sequence[TuningLabel] | None = None,
    now: str | None = None,
) -> Retuned:
    """Where the threshold of one group should be after its labels.

    Args:
        group: As it was calibrated: its threshold is the certified one.
        before: What is in force instead; None: as it was calibrated.
        controller: Where it stood; None: it begins.
        labels: All labels of the group that are at hand, in the order in which they became known; those the controller has seen are
            context. One that comes late counts when it comes, and each decision counts once.
        alarm: Whether one is open.
        limits: How a run may move it.
        withheld: Answers of the group that labels could not be of; None: unknown.
        now: When the run is, RFC 3339 in UTC with milliseconds; None: as the last label became known.
    """
    held = group.threshold if before is None else before.threshold
    if before is not None and before.is_void:
        return _left(held, controller, f"its certificate is void ({before.why}), so it is not tuned")
    if group.threshold is None:
        return _left(held, controller, "it was never certified; calibrate it with more labels first")
    if controller is None and not labels:
        return _left(held, None, "there are no labels yet")
    rules = Rules.of(group.threshold, limits.margin, limits.delta, limits.step)
    controller = controller or begin(group.threshold)
    if labels:
        # What a label stands for is told up to a factor that may be another at each reading.
        controller = msgspec.structs.replace(controller, weight=statistics.median(label.weight for label in labels))
    new = [label for label in labels if not _has_seen(controller, label)]
    earlier = [label for label in labels if _has_seen(controller, label)]
    if not new and math.isclose(min(controller.log_odds, rules.cap), _in_force(held, rules), abs_tol=1e-9):
        return _left(held, controller, "there are no new labels")
    followed = follow(controller, new, rules, earlier=earlier, may_loosen=alarm == "none", now=now)
    state = _with_seen(followed.state, new)
    if alarm == "none":
        # By the decision: a label that comes after a jump may still be of an answer that was served before it.
        fresh = _decided_after(state.floor_since, labels)
        beside = None if withheld is None else _decided_after(state.floor_since, withheld)
        state = relax(state, fresh, rules, withheld=beside, now=now)
    threshold, is_held_back = _bounded(held, state, rules, alarm, limits.max_step, group.threshold)
    loss, interval = _loss(new, held, rules)
    return Retuned(
        threshold,
        threshold != held,
        threshold is not None and threshold < group.threshold,
        state,
        len(new),
        loss,
        interval,
        followed.evidence,
        _why(held, threshold, followed, state, alarm, rules, loss=loss, is_held_back=is_held_back),
    )


def _left(threshold: float | None, controller: ControllerState | None, why: str) -> Retuned:
    return Retuned(threshold, False, False, controller, 0, None, None, None, why)


def _has_seen(controller: ControllerState, label: TuningLabel) -> bool:
    return label.decision_id in controller.seen or label.available_at <= (controller.seen_until or "")


def _with_seen(state: ControllerState, new: Sequence[TuningLabel]) -> ControllerState:
    """The controller that remembers labels; of the ones that it forgets it knows until when they were available."""
    seen = state.seen | {label.decision_id: label.available_at for label in new}
    if len(seen) <= REMEMBERED:
        return msgspec.structs.replace(state, seen=seen)
    oldest_first = sorted(seen.items(), key=lambda item: (item[1], item[0]))
    until = max(oldest_first[-REMEMBERED - 1][1], state.seen_until or "")
    return msgspec.structs.replace(state, seen=dict(oldest_first[-REMEMBERED:]), seen_until=until)


def _decided_after(moment: str | None, rows: Sequence[TuningLabel]) -> list[TuningLabel]:
    """Rows of later decisions; all of them where no moment is given."""
    return [row for row in rows if moment is None or (row.event_time is not None and row.event_time > moment)]


def _in_force(threshold: float | None, rules: Rules) -> float:
    return rules.cap if threshold is None else min(log_odds(threshold), rules.cap)


def _bounded(
    held: float | None, state: ControllerState, rules: Rules, alarm: Alarm, max_step: float, certified: float
) -> tuple[float | None, bool]:
    """The threshold to put in force, and whether the controller wants it further away than one run may move it."""
    at, wanted = _in_force(held, rules), min(state.log_odds, rules.cap)
    is_floor = state.floor >= log_odds(certified)
    if is_floor and held is not None and held < certified:
        # No label vouches for what is in force. What the controller wants beyond the certified threshold follows from there.
        held, at = certified, log_odds(certified)
    if alarm != "none":
        wanted = max(wanted, at)
    goal = min(max(wanted, at - max_step), at + max_step)
    is_at_end = wanted <= state.floor or wanted >= rules.cap
    if math.isclose(goal, at, abs_tol=1e-9) or (abs(goal - at) < LEAST_MOVE and not is_at_end):
        return held, False
    if goal >= rules.cap:
        return None, not math.isclose(goal, wanted)
    goes_to = confidence_at(goal)
    if is_floor and math.isclose(goal, log_odds(certified), abs_tol=1e-9):
        goes_to = certified
    return (max(goes_to, certified) if is_floor else goes_to), not math.isclose(goal, wanted)


def _loss(
    labels: Sequence[TuningLabel], threshold: float | None, rules: Rules
) -> tuple[float | None, tuple[float, float] | None]:
    """Marginal loss of a threshold on labels, each weighted, with its interval at Kish's effective number of labels."""
    if not labels:
        return None, None
    at = _in_force(threshold, rules)
    total = sum(label.weight for label in labels)
    share = sum(label.weight * label.share for label in labels) / total
    failing = sum(label.weight for label in labels if label.is_failed and is_served(label, at, rules)) / total
    n = total**2 / sum(label.weight**2 for label in labels)
    found = beta_binomial_interval(failing * n, n, LEVEL)
    return share * failing, (share * float(found.low), share * float(found.high))


def _why(
    held: float | None,
    threshold: float | None,
    followed: Followed,
    state: ControllerState,
    alarm: Alarm,
    rules: Rules,
    *,
    loss: float | None,
    is_held_back: bool,
) -> str:
    before, after = _in_force(held, rules), _in_force(threshold, rules)
    reasons = {
        "open": "an alarm is open, so it does not come down",
        "unknown": "no alarm could be looked for, so it does not come down",
    }
    if after > before:
        if followed.jumps:
            said = (
                "the labels speak against the certified threshold, so it goes to where the latest of them certify one"
            )
        elif loss is not None and loss > rules.margin:
            said = "more served answers failed than the margin allows"
        else:
            said = "the latest failures hold it up; labels without one let it come down again"
    elif after < before:
        is_back = math.isclose(state.log_odds, state.floor)
        said = f"losses are within the margin, so it comes {'' if is_back else 'nearer '}to the certified threshold"
    elif alarm != "none" and state.log_odds < before:
        said = reasons[alarm]
    else:
        said = "it is where the labels want it"
    return f"{said}; one run moves it no further" if is_held_back else said
