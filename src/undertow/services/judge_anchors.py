"""Judging pairs whose better answer people have told: how often the judge agrees with them, and whether that changes."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from undertow.judging.orders import Preference, uniform
from undertow.ports.progress import Progress, silent
from undertow.records.judged import Anchor, AnchorResult, Verdict
from undertow.records.moment import rfc3339
from undertow.records.serving import JudgePlan
from undertow.services.judge import PairJudge
from undertow.services.judge_run import AT_ONCE, in_time, never

_VERDICTS: Mapping[Preference, Verdict] = {"served": "A", "reference": "B", "tie": "tie"}


@dataclass(frozen=True, slots=True)
class Scorer:
    """A judge with what its results bear.

    Attributes:
        judge: Whom to ask.
        name: Model or function.
        version: See `judge_version`.
        anchors: See `anchor_set`.
        now: The time, aware.
    """

    judge: PairJudge
    name: str
    version: str
    anchors: str
    now: Callable[[], datetime]


def anchor_id(anchor: Anchor) -> str:
    """Hash of an anchor: one that was edited is another one.

    Examples:
        >>> anchor_id(Anchor(request="2 + 2?", answer_a="4", answer_b="5", human="A"))
        '35e1367e2774'
    """
    return hashlib.sha256(msgspec.json.encode(anchor)).hexdigest()[:12]


def anchor_set(anchors: Sequence[Anchor]) -> str:
    """Hash of all anchors, in whatever order: with one added, edited or taken out they are another set, which may be easier or harder.

    Examples:
        >>> one, other = (Anchor(request="2 + 2?", answer_a="4", answer_b=b, human="A") for b in "56")
        >>> anchor_set([one, other]) == anchor_set([other, one]), anchor_set([one, other]) == anchor_set([one])
        (True, False)
    """
    return hashlib.sha256(" ".join(sorted(map(anchor_id, anchors))).encode()).hexdigest()[:12]


def judge_version(plan: JudgePlan) -> str:
    """Hash of all that is set of a judge and can change its verdicts. What its provider changes behind a model's name shows nowhere: for
    that there are anchors.
    """
    document = msgspec.json.encode(
        [plan.model, plan.function, plan.parameters, plan.rubric, plan.rubrics, plan.both_orders, plan.max_chars],
        order="deterministic",
    )
    return hashlib.sha256(document).hexdigest()[:12]


def anchors_of_day(anchors: Sequence[Anchor], count: int, day: str, salt: str) -> list[Anchor]:
    """A day's anchors, drawn without replacement by a hash of the day, the same whoever draws.

    Args:
        anchors: All of them.
        count: How many.
        day: `YYYY-MM-DD`.
        salt: Of the store.

    Examples:
        >>> all_of_them = [Anchor(request=str(n), answer_a="", answer_b="x", human="B") for n in range(50)]
        >>> [anchor.request for anchor in anchors_of_day(all_of_them, 3, "2026-03-01", "s")]
        ['43', '20', '30']
    """
    ranked = sorted(anchors, key=lambda anchor: uniform(salt, f"{day}\0{anchor_id(anchor)}", "anchor"))
    return ranked[:count]


async def score_anchors(
    scorer: Scorer,
    anchors: Sequence[Anchor],
    progress: Progress = silent,
    *,
    is_over: Callable[[], bool] = never,
) -> list[AnchorResult]:
    """Judge anchors; stops where the judge cannot be reached or the day's budget is spent.

    Args:
        scorer: The judge.
        anchors: What is judged.
        progress: Told what is done.
        is_over: Whether the run is to end now.
    """
    results: list[AnchorResult] = []
    for start in range(0, len(anchors), AT_ONCE):
        progress("judging anchors", start, len(anchors))
        some = anchors[start : start + AT_ONCE]
        found = await in_time([_score(scorer, anchor) for anchor in some], is_over)
        if found is None:
            break
        results += found
        if all(result.outcome in {"failed", "over_budget", "timeout"} for result in found):
            break
    progress("judging anchors", len(anchors), len(anchors))
    return results


async def _score(scorer: Scorer, anchor: Anchor) -> AnchorResult:
    name = anchor_id(anchor)
    found = await scorer.judge.compare(name, anchor.request, anchor.answer_a, anchor.answer_b, anchor.segment)
    return AnchorResult(
        anchor_id=name,
        at=rfc3339(scorer.now()),
        judge=scorer.name,
        version=scorer.version,
        anchors=scorer.anchors,
        human=anchor.human,
        outcome=found.missing or "ok",
        verdict=None if found.combined is None else _VERDICTS[found.combined.preference],
        lean=found.lean,
        inconsistent=found.combined is not None and found.combined.is_inconsistent,
    )
