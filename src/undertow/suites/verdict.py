"""From the runs of a suite to its report: every target and segment with intervals, what was lost, and why."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from undertow.records.suite import ROUTED, CellReport, RunResults, SuiteFinding, SuiteReport
from undertow.suites.comparing import (
    Cell,
    Evidence,
    IndexedRun,
    cells_of,
    change_evidence,
    change_since,
    level_evidence,
    loss_against,
    quality,
    spent,
    visible_loss,
    windows_of,
)
from undertow.suites.telling import Told, tell_change, tell_level

TOO_MUCH_TO_MISS = 0.25
"""A run that could not have shown the loss of a quarter of its cases shows nothing."""

MOST_NAMED = 5
MOST_REASONS = 3
UNSCORED_SHARE = 0.1
"""From this share of answers without a score on, the report says so."""


def report_on(found: Sequence[RunResults], *, alpha: float, margin: float, level: float) -> SuiteReport:
    """What the last run shows beside the earlier ones.

    Half of alpha is for changes (all targets and segments), half for the routed answers against the capable tier.

    Args:
        found: Runs since the last baseline, oldest first.
        alpha: Probability that a cell which is no worse is ever called so, over all runs that will come.
        margin: Accepted loss of the routed answers against the capable tier, in (0, 1).
        level: Level of the intervals, which hold in all runs at once.
    """
    runs = [IndexedRun(one) for one in found]
    now = runs[-1]
    capable = now.run.capable
    line = math.log10(2.0 / alpha)
    at_level = 1.0 - (1.0 - level) * spent(len(runs))
    cells = cells_of(now)
    targets = len({cell.target for cell in cells})
    shown: list[CellReport] = []
    findings: list[SuiteFinding] = []
    levels: list[tuple[Cell, Evidence]] = []
    for cell in cells:
        change = change_evidence(runs, cell)
        # Only the routed answers may not be worse than the capable tier's: that a cheap tier is, is why they are routed.
        whole = Cell(cell.target, cell.segment, cell.share * targets)
        loss = level_evidence(runs, whole, capable, margin) if cell.target == ROUTED else None
        one = _cell_report(runs, cell, change, loss, line, at_level)
        shown.append(one)
        if one.is_worse and change is not None:
            told = tell_change(cell.target, cell.segment, change, now.run.tiers)
            # A segment is part of the whole: where all of a target's loss is the grader's, so is that of its segments.
            graded = next((each for each in findings if each.target == cell.target and each.cause == "grader"), None)
            told = told if graded is None else Told("grader", graded.why)
            findings.append(_finding("change", cell, told, change))
        if one.is_beyond and loss is not None:
            levels.append((cell, loss))
    fallen = {each.target for each in findings if each.cause == "provider"}
    findings += [_finding("level", cell, tell_level(loss, fallen), loss) for cell, loss in levels]
    findings.sort(key=lambda each: -each.evidence)
    visible = _visible(shown, len(runs), cells, line)
    losses = [each for each in findings if each.cause != "grader"]
    is_blind = len(runs) < 2 or visible is None or visible > TOO_MUCH_TO_MISS
    return SuiteReport(
        run=now.run,
        verdict="loss" if losses else "inconclusive" if findings or is_blind else "no_loss",
        runs=len(runs),
        cells=tuple(shown),
        findings=tuple(findings),
        alpha=alpha,
        margin=margin,
        level=level,
        line=line,
        changed=_changed(runs),
        notes=_notes(runs, visible),
    )


def _cell_report(
    runs: Sequence[IndexedRun], cell: Cell, change: Evidence | None, loss: Evidence | None, line: float, level: float
) -> CellReport:
    now = runs[-1]
    mean = quality(now, cell, level)
    against = loss_against(now, cell, now.run.capable, level) if cell.target != now.run.capable else None
    since = change_since(runs, cell, level)
    mine = [
        one
        for one in now.results
        if one.target == cell.target and cell.segment in now.segments[one.case_id, one.digest]
    ]
    return CellReport(
        target=cell.target,
        segment=cell.segment,
        n=0 if mean is None else mean.n,
        quality=None if mean is None else mean.mean,
        interval=None if mean is None else mean.interval,
        unscored=sum(one.status in {"failed", "ungraded"} for one in mine),
        loss=None if against is None else against.mean,
        loss_interval=None if against is None else against.interval,
        loss_evidence=None if loss is None else loss.log10,
        change=None if since is None else since.mean,
        change_interval=None if since is None else since.interval,
        change_evidence=None if change is None else change.log10,
        compared=0 if since is None else since.n,
        is_worse=change is not None and change.log10 >= line,
        is_beyond=loss is not None and loss.log10 >= line,
    )


def _finding(kind: Literal["change", "level"], cell: Cell, told: Told, evidence: Evidence) -> SuiteFinding:
    weight = sum(pair.weight for pair in evidence.pairs)
    return SuiteFinding(
        kind=kind,
        target=cell.target,
        segment=cell.segment,
        cause=told.cause,
        why=told.why,
        loss=sum(pair.weight * pair.loss for pair in evidence.pairs) / weight,
        evidence=evidence.log10,
    )


def _visible(shown: Sequence[CellReport], runs: int, cells: Sequence[Cell], line: float) -> float | None:
    """The loss of the whole suite that this run would have shown, in its best compared target."""
    for one, cell in zip(shown, cells, strict=True):
        if one.segment == "" and one.compared > 0:
            return visible_loss(one.compared, windows_of(runs), cell.share * spent(runs - 1), line)
    return None


def _changed(runs: Sequence[IndexedRun]) -> tuple[str, ...]:
    """What else is not as it was in the run before."""
    if len(runs) < 2:
        return ()
    before, now = runs[-2].run, runs[-1].run
    found = [
        f"{name} was {old or 'none'}, is {new or 'none'}"
        for name, old, new in (
            ("policy version", before.policy_version, now.policy_version),
            ("calibration", before.calibration_version, now.calibration_version),
            ("graders", ", ".join(before.graders), ", ".join(now.graders)),
        )
        if old != new
    ]
    for target in now.models:
        old, new = before.models.get(target), now.models[target]
        if target != ROUTED and old is not None and old != new:
            found.append(f"{target} was {', '.join(old)}, is {', '.join(new)}")
    moved = _moved(runs)
    if moved:
        found.append(moved)
    if before.digest != now.digest:
        found.append("the suite itself: cases that were added or edited are not compared")
    return tuple(found)


def _moved(runs: Sequence[IndexedRun]) -> str | None:
    """How the share of the tiers in the routed answers moved."""
    shares = []
    for run in runs[-2:]:
        tiers = [one.tier for one in run.results if one.target == ROUTED and one.tier is not None]
        if not tiers:
            return None
        shares.append(sum(tier != run.run.capable for tier in tiers) / len(tiers))
    if abs(shares[1] - shares[0]) < 0.005:
        return None
    return f"{100 * shares[0]:.0f} % of the cases were routed below the capable tier, now {100 * shares[1]:.0f} %"


def _notes(runs: Sequence[IndexedRun], visible: float | None) -> tuple[str, ...]:
    now = runs[-1]
    notes = []
    if len(runs) < 2:
        notes.append("the first run: there is nothing to compare it with yet")
    elif visible is None:
        notes.append("too few cases in common with the earlier runs to show any loss")
    else:
        notes.append(f"one run that lost {100 * visible:.1f} points or more of the whole suite would have been shown")
    if now.run.skipped:
        notes.append(f"the budget left out {now.run.skipped} case{'' if now.run.skipped == 1 else 's'}")
    unscored = [one.why or "not told" for one in now.results if one.status in {"failed", "ungraded"}]
    if len(unscored) > UNSCORED_SHARE * len(now.results):
        why = ", ".join(f"{reason} {count}" for reason, count in Counter(unscored).most_common(MOST_REASONS))
        notes.append(
            f"{len(unscored)} of {len(now.results)} answers have no score ({why}); what is missing may not be like the rest"
        )
    never = _never_right(runs)
    if never:
        named = ", ".join(never[:MOST_NAMED]) + (
            f" and {len(never) - MOST_NAMED} more" if len(never) > MOST_NAMED else ""
        )
        notes.append(f"no tier ever answered these right; check what they expect: {named}")
    swapped = _swapped(runs)
    if swapped:
        notes.append(
            f"{swapped} cases are graded by something else than in the run before, so they are not compared with it"
        )
    return tuple(notes)


def _never_right(runs: Sequence[IndexedRun]) -> list[str]:
    """Cases of this run that got 0 from every target in every run, of at least two runs and two targets."""
    best: dict[tuple[str, str], float] = {}
    for run in runs:
        for one in run.results:
            if one.score is not None:
                key = (one.case_id, one.digest)
                best[key] = max(best.get(key, 0.0), one.score)
    now = {(one.case_id, one.digest) for one in runs[-1].results}
    if len(runs) < 2 or len({one.target for one in runs[-1].results}) < 2:
        return []
    return sorted(key[0] for key, score in best.items() if score == 0.0 and key in now)


def _swapped(runs: Sequence[IndexedRun]) -> int:
    if len(runs) < 2:
        return 0
    before, now = ({(one.case_id, one.digest): one.grader for one in run.results if one.grader} for run in runs[-2:])
    return sum(key in before and before[key] != grader for key, grader in now.items())
