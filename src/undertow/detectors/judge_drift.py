"""Whether the judge itself has changed: fixed pairs with people's verdicts, judged again and again.

A judge is a model behind a name, and what answers to that name changes. One percentage point more of false verdicts makes a detector on
judge scores alone alarm in nearly every healthy half-year, so a judge that drifts must be seen apart from a tier that does. The same anchors come
back, so what changes is the judge: its verdicts are compared with those it gave when each anchor was first judged.

They must be the same. Easier or harder anchors, added or taken out, move the rate of disagreement while the judge stays as it is. So whenever the
set of anchors changes, all begins anew, first verdicts included: what was shown before stays shown, and the sum of the evidence grows no
faster than by one a day, as without it. Leaving out what was added later would be no remedy for what was taken out.

Each anchor is in one of two strata, by whether the judge agreed with people at first; that first verdict is used for nothing else. From the
second verdict on, each stratum has an unknown rate of disagreement, constant while the judge is the same, and anchors are drawn anew each day. So
the self-calibrating detector applies as it is (`detectors.self_calibrating`), with the two strata as its strata: a judge that repeats
itself has a rate near 0 in the stratum where it agreed, and a few new disagreements are proof. It is run on disagreement and on agreement, for
a judge that becomes better has changed as well; the two are averaged, which keeps the bound.

References:
    arXiv 2606.15474 (an anchor set of human-labelled items, judged again, with an e-process of its own).
    Wasserman, Ramdas, Balakrishnan (2020), Universal inference, arXiv 1912.11436.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.detectors.e_detector import first_crossing
from undertow.detectors.multiplicity import judge_change_line
from undertow.detectors.self_calibrating import default_warmup, run_self_calibrating
from undertow.records.judged import AnchorResult

FloatArray = npt.NDArray[np.float64]

BASELINE_DAYS = 14
"""Days after the first verdicts that train the baseline before a change may begin: an eighth of them only trains."""
DEFAULT_LINE = judge_change_line(180, 0.05)
"""A judge that is the same passes it within 180 days with probability 5 % / 8 at most: its part of the budget of warnings."""


@dataclass(frozen=True, slots=True)
class JudgeDrift:
    """What the anchors say of the judge in use.

    Attributes:
        judge: Model or function, None without results.
        version: Of the judge (`AnchorResult.version`), None without results.
        sets: Sets of anchors that it was compared on, one after the other. The five below are of the one in which a change was shown,
            else of the latest.
        anchors: Anchors with a first verdict.
        first_agreement: Share of first verdicts that are people's, or None.
        verdicts: Later verdicts.
        agreement: Share of those that are people's, or None.
        since: UTC day of the first verdict, or None.
        days: UTC days with later verdicts, and those between them; what `evidence` is about.
        evidence: Evidence at the end of each day; at most the number of days on average while the judge is the same. Shape (T,).
        line: Evidence from which it is said to have changed.
        detected_on: First day at whose end the evidence reached the line, or None.
    """

    judge: str | None
    version: str | None
    sets: int
    anchors: int
    first_agreement: float | None
    verdicts: int
    agreement: float | None
    since: str | None
    days: tuple[str, ...]
    evidence: FloatArray
    line: float
    detected_on: str | None

    @property
    def has_changed(self) -> bool:
        """Whether the judge is no longer the one whose first verdicts are known."""
        return self.detected_on is not None


def judge_drift(results: Sequence[AnchorResult], *, line: float = DEFAULT_LINE) -> JudgeDrift:
    """Compare a judge's verdicts on anchors with its first ones.

    Args:
        results: In the order in which they were given. Those of the version that was used last count; another model, rubric or
            parameter is another judge, and begins anew; so does the comparison where the set of anchors is another one.
        line: Evidence that is called a change.

    Notes:
        Assumes that anchors are drawn at random each day, without a look at what the judge said of them
        (`undertow.services.judge_anchors.anchors_of_day`). Within a day they are drawn without replacement, which
        varies less than independent draws do, so the bound stays.

    Examples:
        >>> judge_drift(()).has_changed
        False
    """
    usable = [result for result in results if result.is_right is not None]
    if not usable:
        return JudgeDrift(None, None, 0, 0, None, 0, None, None, (), np.zeros(0), line, None)
    version = usable[-1].version
    usable = [result for result in usable if result.version == version]
    stretches = [_compared(list(group)) for _, group in itertools.groupby(usable, key=lambda result: result.anchors)]
    days = _days(sorted({day for each in stretches for day in each.days}))
    place = {day: number for number, day in enumerate(days)}
    evidence = np.zeros(len(days))
    for each in stretches:
        if each.days:
            # Of a day on which the set was changed, the larger one: no more than both together.
            at = slice(place[each.days[0]], place[each.days[-1]] + 1)
            evidence[at] = np.maximum(evidence[at], each.evidence)
    crossed = int(first_crossing(evidence, line)) if len(days) else -1
    told = next((each for each in stretches if np.any(each.evidence >= line)), stretches[-1])
    return JudgeDrift(
        judge=usable[-1].judge,
        version=version,
        sets=len(stretches),
        anchors=len(told.first),
        first_agreement=sum(told.first.values()) / len(told.first),
        verdicts=int(told.n),
        agreement=1.0 - told.wrong / told.n if told.n else None,
        since=told.since,
        days=days,
        evidence=evidence,
        line=line,
        detected_on=days[crossed] if crossed >= 0 else None,
    )


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Verdicts on one set of anchors: the first ones by anchor, how many came later and were wrong, and the evidence of these by day."""

    first: dict[str, bool]
    since: str
    n: float
    wrong: float
    days: tuple[str, ...]
    evidence: FloatArray


def _compared(results: Sequence[AnchorResult]) -> _Stretch:
    first: dict[str, bool] = {}
    later: list[tuple[str, int, bool]] = []
    for result in results:
        is_right = bool(result.is_right)
        if result.anchor_id in first:
            later.append((result.at[:10], 0 if first[result.anchor_id] else 1, is_right))
        else:
            first[result.anchor_id] = is_right
    days = _days(sorted({day for day, _, _ in later}))
    wrong, n = np.zeros((len(days), 2)), np.zeros((len(days), 2))
    place = {day: number for number, day in enumerate(days)}
    for day, stratum, is_right in later:
        n[place[day], stratum] += 1.0
        wrong[place[day], stratum] += not is_right
    return _Stretch(first, results[0].at[:10], float(n.sum()), float(wrong.sum()), days, _evidence(wrong, n))


def _evidence(wrong: FloatArray, n: FloatArray) -> FloatArray:
    """Mean of the evidence for more and for less disagreement. Shapes (T, 2) -> (T,)."""
    both = np.stack([wrong, n - wrong], axis=1)
    many = np.repeat(n[:, None, :], 2, axis=1)
    return np.mean(run_self_calibrating(both, many, default_warmup(BASELINE_DAYS), BASELINE_DAYS), axis=1)


def _days(named: Sequence[str]) -> tuple[str, ...]:
    """All days from the first to the last: one without verdicts is a day, too."""
    if not named:
        return ()
    first, last = np.datetime64(named[0]), np.datetime64(named[-1])
    return tuple(str(day) for day in np.arange(first, last + np.timedelta64(1, "D")))
