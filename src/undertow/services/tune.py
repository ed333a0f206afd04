"""Tuning the thresholds that are in force: labels in, thresholds and a line of history out; and undoing it.

One writer at a time, whoever it is: each entry point takes the book's lock, reads, decides by `undertow.calibration.tuning`, and writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec

from undertow.calibration.online import begin
from undertow.calibration.tuning import Alarm, Limits, Retuned, retune
from undertow.calibration.versions import Held, as_of, latest_version, version_to_undo_to
from undertow.errors import DataError, UsageError
from undertow.ports.tuning import AlarmView, AnswerSource, ThresholdBook
from undertow.records.calibration import Calibration, Group, GroupState
from undertow.records.moment import rfc3339
from undertow.records.tuning import ControllerState, GroupMemory
from undertow.services.tuning_labels import TuningRows, rows_of
from undertow.services.tuning_run import GroupReport, Now, Run, Target, TuneReport

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
            rows, said = _rows(target, groups, answers, bounds, run.at)
            notes += said
            for group in groups:
                before = now.in_force(target, group)
                alarm = _alarm(alarms, target, group.value)
                controller = _controller(now, target, group.value)
                limits = Limits(target.calibration.margin, target.calibration.delta, bounds.step, bounds.max_step)
                mine = rows.of(group.value)
                found = retune(
                    group,
                    before,
                    controller,
                    mine.labels,
                    alarm,
                    limits,
                    withheld=mine.withheld,
                    now=rfc3339(run.at),
                )
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
            before = now.in_force(target, group)
            said = why if before.is_void != is_void else f"it is {'void' if before.is_void else 'in force'} already"
            after = msgspec.structs.replace(before, is_void=is_void)
            reports.append(_plain(target, before, after, said))
            if before.is_void and not is_void:
                controllers += _restarted(now, target, group, after, run.at)
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
                before = now.in_force(target, group)
                kept = then.get((target.policy, target.calibration.tier, group.value))
                after = target.in_force(group, _of_this_artefact(kept, target))
                is_other = (before.threshold, before.is_void) != (after.threshold, after.is_void)
                said = f"{'back to' if is_other else 'as in'} version {goal}"
                reports.append(_plain(target, before, after, said))
                if is_other:
                    controllers += _restarted(now, target, group, after, run.at)
        return now.settle(targets, reports, controllers, run, (), restores=goal)


def _rows(
    target: Target, groups: Sequence[Group], answers: AnswerSource, bounds: Bounds, at: datetime
) -> tuple[TuningRows, tuple[str, ...]]:
    """Labels of decisions since the artefact was fitted: those that it was fitted on are spent."""
    calibration = target.calibration
    since = max(_fitted_at(calibration), at - timedelta(days=bounds.window_days))
    found = answers.read(calibration.tier, calibration.capable_tier, since)
    return rows_of(calibration, groups, found, commits=target.commits), found.notes


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


def _controller(now: Now, target: Target, value: str | None) -> ControllerState | None:
    return now.memory.controller(target.policy, target.calibration.tier, value, target.version, commits=target.commits)


def _restarted(now: Now, target: Target, group: Group, after: GroupState, at: datetime) -> list[GroupMemory]:
    """A controller that was there already begins anew at a threshold: labels until now say nothing of it."""
    old = _controller(now, target, group.value)
    if old is None or after.threshold is None or group.threshold is None:
        return []
    moment = rfc3339(at)
    floor = after.threshold if after.certified else max(after.threshold, group.threshold)
    fresh = msgspec.structs.replace(
        begin(floor, old.weight), labels=old.labels, seen_until=moment, floor_since=moment, spent=old.spent
    )
    return [_memory(target, group.value, fresh)]


def _memory(target: Target, value: str | None, controller: ControllerState) -> GroupMemory:
    return GroupMemory(
        policy=target.policy,
        tier=target.calibration.tier,
        group=value,
        calibration_version=target.version,
        controller=controller,
        commits=target.commits,
    )


def _report(target: Target, group: Group, before: GroupState, found: Retuned, alarm: Alarm) -> GroupReport:
    after = before
    if found.is_changed:
        after = GroupState(
            value=group.value,
            threshold=found.threshold,
            is_void=before.is_void,
            certified=found.is_certified,
            commits=target.ahead(group) is not None,
        )
    plain = _plain(target, before, after, found.why)
    return replace(
        plain, labels=found.labels, loss=found.loss, interval=found.interval, evidence=found.evidence, alarm=alarm
    )


def _plain(target: Target, before: GroupState, after: GroupState, why: str) -> GroupReport:
    calibration = target.calibration
    return GroupReport(
        target.policy,
        calibration.tier,
        calibration.group_key,
        before.value,
        before.threshold,
        after.threshold,
        calibration.margin,
        before.is_void,
        after.is_void,
        after.certified,
        after.commits,
        why=why,
    )
