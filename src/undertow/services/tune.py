"""Tuning the thresholds that are in force: labels in, thresholds and a line of history out; and undoing it.

One writer at a time, whoever it is: each entry point takes the book's lock, reads, decides by `undertow.calibration.tuning`, and writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from undertow.calibration.online import begin
from undertow.calibration.tuning import Alarm, Limits, Retuned, retune
from undertow.calibration.versions import Held, as_of, latest_version, version_to_undo_to
from undertow.errors import DataError, UsageError
from undertow.policies.scores import confidence_of, score_of
from undertow.ports.tuning import AlarmView, AnswerSource, ThresholdBook
from undertow.records.calibration import Calibration, Group, GroupState
from undertow.records.labelled_answers import LabelledAnswers
from undertow.records.tuning import ControllerState, GroupMemory, TuningLabel
from undertow.services.tuning_run import GroupReport, Now, Run, Target, TuneReport, rfc3339

ALL = "all"
BUSY = "another process is tuning this store (a keeper, or another `undertow tune`); try again in a moment"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Settings of a run; see `[tuning]`.

    Attributes:
        step: Log-odds per served failure.
        max_step: Most that one run moves a threshold, in log-odds.
        window_days: Days of decisions whose labels are looked at.
    """

    step: float
    max_step: float
    window_days: float


def tune(
    targets: Sequence[Target], answers: AnswerSource, alarms: AlarmView, book: ThresholdBook, bounds: Bounds, run: Run
) -> TuneReport:
    """Move thresholds to where the labels want them.

    Args:
        targets: Calibrations in use.
        answers: Where labels come from.
        alarms: What is known of alarms.
        book: Thresholds in force.
        bounds: How far a run may go.
        run: Who and when.

    Raises:
        DataError: Another process is tuning.
        ConfigError: A file of the book cannot be read.
        OSError: The book cannot be written.
    """
    with book.locked() as is_mine:
        if not is_mine:
            raise DataError(BUSY)
        now = Now.of(book)
        reports, controllers, notes = [], [], []
        for target in targets:
            groups = now.groups(target)
            labels, said = _labels(target, groups, answers, bounds, run.at)
            notes += said
            for group in groups:
                before = now.state(target, group.value)
                alarm = _alarm(alarms, target, group.value)
                controller = now.memory.controller(target.policy, target.calibration.tier, group.value, target.version)
                limits = Limits(target.calibration.margin, target.calibration.delta, bounds.step, bounds.max_step)
                mine = [label for label in labels if label.group == group.value]
                found = retune(group, before, controller, mine, alarm, limits)
                reports.append(_report(target, group, before, found, alarm))
                if found.controller is not None:
                    controllers.append(_memory(target, group.value, found.controller))
        if alarms.unknown is not None:
            notes.append(f"no alarm could be looked for ({alarms.unknown}), so thresholds only rise")
        return now.settle(targets, reports, controllers, run, tuple(dict.fromkeys(notes)))


def void(
    targets: Sequence[Target], book: ThresholdBook, which: str, why: str, run: Run, *, is_void: bool = True
) -> TuneReport:
    """Mark certificates void by hand, or restore them.

    Args:
        targets: Calibrations in use.
        book: Thresholds in force.
        which: `key=value`, or `all`.
        why: In the user's words, for the history.
        run: Who and when.
        is_void: False: restore.

    Raises:
        UsageError: No calibration is divided by that key.
        DataError, ConfigError, OSError: As for `tune`.
    """
    with book.locked() as is_mine:
        if not is_mine:
            raise DataError(BUSY)
        now = Now.of(book)
        reports, controllers = [], []
        for target, group in _chosen(targets, which, now):
            before = now.state(target, group.value)
            held = group.threshold if before is None else before.threshold
            was = before is not None and before.is_void
            said = why if was != is_void else f"it is {'void' if was else 'in force'} already"
            reports.append(_plain(target, group.value, held, held, said, was_void=was, is_void=is_void))
            if was and not is_void:
                controllers += _restarted(now, target, group.value, held, run.at)
        return now.settle(targets, reports, controllers, run, ())


def undo(targets: Sequence[Target], book: ThresholdBook, version: int | None, run: Run) -> TuneReport:
    """Bring back the thresholds of an earlier version.

    Args:
        targets: Calibrations in use.
        book: Thresholds in force.
        version: Which; 0: as calibrated; None: that before the last change.
        run: Who and when.

    Raises:
        UsageError: There is no such version, or nothing to undo.
        DataError, ConfigError, OSError: As for `tune`.
    """
    with book.locked() as is_mine:
        if not is_mine:
            raise DataError(BUSY)
        now = Now.of(book)
        last = latest_version(now.history)
        goal = version_to_undo_to(now.history) if version is None else version
        if goal is None:
            raise UsageError("there is nothing to undo: thresholds are as they were calibrated")
        if not 0 <= goal <= last:
            raise UsageError(f"--to {goal}: the history of this store has versions 0 to {last}; see --history")
        then = as_of(now.history, goal)
        reports, controllers = [], []
        for target in targets:
            for group in now.groups(target):
                before = now.state(target, group.value)
                kept = then.get((target.policy, target.calibration.tier, group.value))
                state = _of_this_artefact(kept, target)
                held = group.threshold if before is None else before.threshold
                after = group.threshold if state is None else state.threshold
                was, is_void = before is not None and before.is_void, state is not None and state.is_void
                said = f"back to version {goal}" if (held, was) != (after, is_void) else f"as in version {goal}"
                reports.append(_plain(target, group.value, held, after, said, was_void=was, is_void=is_void))
                if (held, was) != (after, is_void):
                    controllers += _restarted(now, target, group.value, after, run.at)
        return now.settle(targets, reports, controllers, run, (), restores=goal)


def labels_of(calibration: Calibration, groups: Sequence[Group], found: LabelledAnswers) -> list[TuningLabel]:
    """Labelled answers as the controllers of a calibration see them, in the order in which the labels became known.

    Rows without a label are withheld answers that labels could not be of; they give the share that labels stand for.

    Args:
        calibration: That judges them.
        groups: Its groups, and those whose certificate was voided apart from the rest.
        found: Labelled answers of its tier.
    """
    values = {group.value for group in groups}
    maps = {group.value: group.map for group in groups}
    key = calibration.group_key
    given = (None if key is None else segment.get(key) for segment in found.segments)
    places = [value if value in values else None for value in given]
    known = found.is_labelled
    share = {}
    for value in values:
        mine = [place for place, group in enumerate(places) if group == value]
        total = sum(float(found.weight[place]) for place in mine)
        share[value] = sum(float(found.weight[place]) for place in mine if known[place]) / total if total else 1.0
    labels = []
    for place, group in enumerate(places):
        if not known[place] or found.available_at is None:
            continue
        measured = {
            name: float(column[place]) for name, column in found.features.items() if column[place] == column[place]
        }
        score = score_of(calibration.features, calibration.intercept, measured, group)
        labels.append(
            TuningLabel(
                available_at=rfc3339(datetime.fromtimestamp(float(found.available_at[place]), UTC)),
                decision_id=found.decision_ids[place] if found.decision_ids else str(place),
                confidence=None if score is None else confidence_of(maps[group], calibration.link, score),
                is_failed=not found.good[place],
                weight=float(found.weight[place]),
                share=share[group],
                group=group,
            )
        )
    return sorted(labels, key=lambda label: (label.available_at, label.decision_id))


def _labels(
    target: Target, groups: Sequence[Group], answers: AnswerSource, bounds: Bounds, at: datetime
) -> tuple[list[TuningLabel], tuple[str, ...]]:
    """Labels of decisions since the artefact was fitted: those that it was fitted on are spent."""
    calibration = target.calibration
    since = max(_fitted_at(calibration), at - timedelta(days=bounds.window_days))
    found = answers.read(calibration.tier, calibration.capable_tier, since)
    return labels_of(calibration, groups, found), found.notes


def _fitted_at(calibration: Calibration) -> datetime:
    try:
        moment = datetime.fromisoformat(calibration.fitted_at)
    except ValueError:
        raise DataError(
            f"the calibration of tier {calibration.tier!r} says that it was fitted at {calibration.fitted_at[:40]!r}, which is no time; "
            "run `undertow calibrate` again"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _alarm(alarms: AlarmView, target: Target, value: str | None) -> Alarm:
    """Whether an alarm is open where requests of a group are."""
    key = target.calibration.group_key
    others = {group.value for group in target.calibration.groups}
    for alarm in alarms.open:
        named = alarm.segment.get(key) if key is not None else None
        elsewhere = named is not None and (named if named in others else None) != value
        if alarm.tier == target.calibration.tier and not elsewhere:
            return "open"
    return "none" if alarms.unknown is None else "unknown"


def _chosen(targets: Sequence[Target], which: str, now: Now) -> list[tuple[Target, Group]]:
    if which == ALL:
        return [(target, group) for target in targets for group in now.groups(target)]
    key, _, value = which.partition("=")
    chosen = []
    for target in targets:
        if target.calibration.group_key != key or not value:
            continue
        groups = {group.value: group for group in now.groups(target)}
        rest = groups[None]
        chosen.append((target, groups.get(value) or msgspec.structs.replace(rest, value=value)))
    if not chosen:
        keys = sorted({t.calibration.group_key for t in targets if t.calibration.group_key is not None})
        known = (
            f"key=value with the key {' or '.join(map(repr, keys))}, or"
            if keys
            else "no calibration has groups; expected"
        )
        raise UsageError(f"{which!r}: expected {known} `all`")
    return chosen


def _of_this_artefact(held: Held | None, target: Target) -> GroupState | None:
    return held.state if held is not None and held.calibration_version == target.version else None


def _restarted(now: Now, target: Target, value: str | None, threshold: float | None, at: datetime) -> list[GroupMemory]:
    """A controller that was there already begins anew at a threshold: labels until now say nothing of it."""
    old = now.memory.controller(target.policy, target.calibration.tier, value, target.version)
    if old is None or threshold is None:
        return []
    moment = rfc3339(at)
    fresh = msgspec.structs.replace(
        begin(threshold, old.weight), labels=old.labels, seen_until=moment, floor_since=moment
    )
    return [_memory(target, value, fresh)]


def _memory(target: Target, value: str | None, controller: ControllerState) -> GroupMemory:
    return GroupMemory(
        policy=target.policy,
        tier=target.calibration.tier,
        group=value,
        calibration_version=target.version,
        controller=controller,
    )


def _report(target: Target, group: Group, before: GroupState | None, found: Retuned, alarm: Alarm) -> GroupReport:
    held = group.threshold if before is None else before.threshold
    is_void = before is not None and before.is_void
    return GroupReport(
        target.policy,
        target.calibration.tier,
        target.calibration.group_key,
        group.value,
        held,
        found.threshold if found.is_changed else held,
        target.calibration.margin,
        is_void,
        is_void,
        found.labels,
        found.loss,
        found.interval,
        found.evidence,
        alarm,
        found.why,
    )


def _plain(
    target: Target,
    value: str | None,
    before: float | None,
    after: float | None,
    why: str,
    *,
    was_void: bool,
    is_void: bool,
) -> GroupReport:
    calibration = target.calibration
    return GroupReport(
        target.policy,
        calibration.tier,
        calibration.group_key,
        value,
        before,
        after,
        calibration.margin,
        was_void,
        is_void,
        why=why,
    )
