"""The rules by which labels may move a threshold that is in force: bounded, never looser under an alarm, never without a certificate.

`undertow.calibration.online` says where the threshold should be; here it is decided how much of that comes into force now:

- A run moves a threshold by at most `max_step` of log-odds; the rest follows in the next runs.
- While an alarm on the tier (or on a segment that the group shares) is open, or where none could be looked for, it only rises.
- A group whose certificate is void is left alone: first somebody calibrates anew or restores it.
- A group that was never certified is left alone: there is no floor to return to.
- A change smaller than `LEAST_MOVE` waits, unless it is the last step back to the floor: a version for each label helps nobody.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from undertow.calibration.online import Followed, Rules, begin, follow, is_served, log_odds, relax, threshold_of
from undertow.records.calibration import Group, GroupState
from undertow.records.tuning import ControllerState, TuningLabel
from undertow.stats.confidence import beta_binomial_interval

Alarm = Literal["none", "open", "unknown"]

LEAST_MOVE = 0.05
"""Of log-odds: about one percentage point of confidence at .8."""

LEVEL = 0.95


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
        controller: Where it stands; None: none has begun.
        labels: New labels.
        loss: Marginal loss on them at the threshold before; None without labels.
        interval: Its 95 % interval, valid however often one looks.
        evidence: log10 of the e-value against the certified threshold; None without labels.
        why: In words.
    """

    threshold: float | None
    is_changed: bool
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
) -> Retuned:
    """Where the threshold of one group should be after its labels.

    Args:
        group: As it was calibrated.
        before: What is in force instead; None: as it was calibrated.
        controller: Where it stood; None: it begins.
        labels: All labels of the group that are at hand, in the order in which they became known; those the controller has seen are
            context.
        alarm: Whether one is open.
        limits: How a run may move it.
    """
    held = group.threshold if before is None else before.threshold
    if before is not None and before.is_void:
        return _left(held, controller, f"its certificate is void ({before.why}), so it is not tuned")
    if group.threshold is None:
        return _left(held, controller, "it was never certified; calibrate it with more labels first")
    if controller is None and not labels:
        return _left(held, None, "there are no labels yet")
    rules = Rules.of(group.threshold, limits.margin, limits.delta, limits.step)
    if controller is None:
        controller = begin(group.threshold, statistics.median(label.weight for label in labels))
    seen = controller.seen_until or ""
    earlier = [label for label in labels if label.available_at <= seen]
    new = labels[len(earlier) :]
    if not new and _in_force(threshold_of(controller, rules), rules) == _in_force(held, rules):
        return _left(held, controller, "there are no new labels")
    followed = follow(controller, new, rules, earlier=earlier, may_loosen=alarm == "none")
    state = followed.state
    if alarm == "none":
        fresh = [label for label in labels if label.available_at > (state.floor_since or "")]
        state = relax(state, fresh, rules)
    threshold, is_held_back = _bounded(held, state, rules, alarm, limits.max_step)
    loss, interval = _loss(new, held, rules)
    return Retuned(
        threshold,
        _in_force(threshold, rules) != _in_force(held, rules),
        state,
        len(new),
        loss,
        interval,
        followed.evidence,
        _why(held, threshold, followed, state, alarm, rules, loss=loss, is_held_back=is_held_back),
    )


def _left(threshold: float | None, controller: ControllerState | None, why: str) -> Retuned:
    return Retuned(threshold, False, controller, 0, None, None, None, why)


def _in_force(threshold: float | None, rules: Rules) -> float:
    return rules.cap if threshold is None else min(log_odds(threshold), rules.cap)


def _bounded(
    held: float | None, state: ControllerState, rules: Rules, alarm: Alarm, max_step: float
) -> tuple[float | None, bool]:
    """The threshold to put in force, and whether the controller wants it further away than one run may move it."""
    at, wanted = _in_force(held, rules), min(state.log_odds, rules.cap)
    if alarm != "none":
        wanted = max(wanted, at)
    goal = min(max(wanted, at - max_step), at + max_step)
    is_at_end = wanted <= state.floor or wanted >= rules.cap
    if math.isclose(goal, at, abs_tol=1e-9) or (abs(goal - at) < LEAST_MOVE and not is_at_end):
        return held, False
    return (None if goal >= rules.cap else 1.0 / (1.0 + math.exp(-goal))), not math.isclose(goal, wanted)


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
