"""The gate: a candidate policy against what is live, on logged traffic and on a suite.

Which evidence. Where both policies choose by what the log holds of every request, the log knows with which probability each tier answered,
and labels were drawn from both tiers, served answers speak for what was not served (off-policy). Else logged answers of the cheap tier are
sorted anew by either policy, and labelled ones say what that adds to the losses (replay). Of another model, or other parameters, neither
says anything: that takes a suite.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from undertow.actions.gate import (
    GateRules,
    PlaceInput,
    judge_places,
    no_rows,
    verdict_of,
    without_loss_by_judge,
)
from undertow.records.gate import (
    ComparedRows,
    Difference,
    GateMethod,
    GatePlace,
    GateReport,
    GateVerdict,
    OffPolicyLog,
    PlaceCounts,
    SuiteCheck,
)
from undertow.records.labelled_answers import LabelledAnswers
from undertow.records.segment import WHOLE, Segment
from undertow.services.gate_choices import Side, compared, keys_of, serving
from undertow.services.gate_differences import asks_for_suite, routes_otherwise

FloatArray = npt.NDArray[np.float64]

DAYS_A_MONTH = 30.4375
MOST_WITHOUT_OVERLAP = 0.01
"""Of the requests that two policies serve differently, the share that the logged one may never have served so."""

FEWEST_STAND_FOR, MOST_STAND_FOR = 0.5, 2.0
"""Labels of a tier must stand for about as many requests as it answered."""

MOST_UNKNOWN = 0.01
"""Share of the decisions whose propensity, or what would become of them, may be unknown."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was compared, and how.

    Attributes:
        method: How.
        why: Why so.
        places: Inputs of all places.
        source: Sort of labels.
        basis: Who gave them.
        savings_usd_month: What the candidate saves more, or None.
        period: First and last decision, or None.
        decisions: How many were compared.
        notes: Sentences for the reader.
    """

    method: GateMethod
    why: str
    places: tuple[PlaceInput, ...] = ()
    source: str = ""
    basis: str = "none"
    savings_usd_month: float | None = None
    period: tuple[str, str] | None = None
    decisions: int = 0
    notes: tuple[str, ...] = ()


def off_policy_problem(log: OffPolicyLog) -> str | None:
    """Why a log's propensities cannot answer, or None: they can."""
    whole = log.counts[""]
    if not whole.n:
        return "no decision has a known propensity"
    if log.unknown > MOST_UNKNOWN * (log.unknown + whole.n):
        return f"of {log.unknown:,} decisions the propensity, or what either policy would do, is not known"
    if whole.without_overlap > MOST_WITHOUT_OVERLAP * whole.changed:
        return (
            f"{whole.without_overlap:,.0f} of {whole.changed:,.0f} requests that would be served otherwise were never served so by the logged "
            "policy (no overlap)"
        )
    if not log.source:
        return "no label of served answers was drawn with a known inclusion probability"
    uneven = [tier for tier, share in sorted(log.by_tier.items()) if not FEWEST_STAND_FOR <= share <= MOST_STAND_FOR]
    if uneven:
        return f"labels of the tier {uneven[0]} stand for {log.by_tier[uneven[0]]:.0%} of the requests that it answered"
    return None


def off_policy_evidence(log: OffPolicyLog, tier: str) -> Evidence:
    """Places of a log with propensities.

    Args:
        log: Without a problem.
        tier: The cheap tier.
    """
    whole = log.counts[""]
    places = [_counted_place(name, counts, log, tier, whole) for name, counts in sorted(log.counts.items())]
    per_month = _per_month(log.saved_usd, log.period)
    why = "both policies choose by what the log holds of every request, and its propensities are known"
    basis = "judge" if log.source.startswith("judge") else "human"
    notes = (
        (
            "self-normalised inverse-propensity weights on labels of served answers; intervals are anytime-valid (betting), and assume that labels "
            "are independent given their requests"
        ),
    )
    return Evidence("off_policy", why, tuple(places), log.source, basis, per_month, log.period, int(whole.n), notes)


def _counted_place(name: str, counts: PlaceCounts, log: OffPolicyLog, tier: str, whole: PlaceCounts) -> PlaceInput:
    segment = _segment(name)
    mine = np.array(
        [segment.is_whole or given.get(segment.key) == segment.value for given in log.segments], dtype=np.bool_
    )
    lacks = counts.without_overlap > MOST_WITHOUT_OVERLAP * counts.changed
    return PlaceInput(
        tier=tier,
        segment=segment,
        rows=log.rows.where(mine),
        share=counts.after / whole.after if whole.after else 0.0,
        cheap_before=counts.before / counts.n if counts.n else 0.0,
        cheap_after=counts.after / counts.n if counts.n else 0.0,
        changed_share=counts.changed / counts.n if counts.n else 0.0,
        new_share=counts.newly / counts.n if counts.n else 0.0,
        blocked="the logged policy never served such requests so (no overlap)" if lacks else "",
    )


def replay_evidence(
    found: Mapping[str, LabelledAnswers], live: Side, candidate: Side, keys: tuple[str, ...] | None, why: str
) -> Evidence:
    """Places of logged answers, sorted anew.

    Args:
        found: Logged answers, by tier.
        live: What is live.
        candidate: What may take its place.
        keys: Keys of segments, or None: those with few values.
        why: Why it is not done off-policy.
    """
    places: list[PlaceInput] = []
    notes: list[str] = [
        (
            "logged answers of the tier, sorted anew by both policies; intervals are anytime-valid (betting), and assume that labels are "
            "independent given their requests"
        )
    ]
    saved: list[float | None] = []
    n = 0
    for tier, answers in found.items():
        before, after = serving(live, tier, answers), serving(candidate, tier, answers)
        unknown = next((one for one in (before, after) if isinstance(one, str)), None)
        if isinstance(before, str) or isinstance(after, str) or not len(answers):
            blocked = (
                unknown or f"no answer of the tier {tier} in this log has a label that can be used{_reasons(answers)}"
            )
            places.append(PlaceInput(tier, WHOLE, no_rows(), 1.0, 0.0, 1.0, 1.0, 1.0, blocked))
            continue
        n += len(answers)
        notes += answers.notes
        places += _sorted_places(tier, answers, before, after, keys)
        saved.append(_saved(answers, before, after, live, candidate))
    known = [one for one in saved if one is not None]
    first = next(iter(found.values()), None)
    source = ", ".join(dict.fromkeys(one.source for one in found.values() if len(one)))
    return Evidence(
        "replay",
        why,
        tuple(places),
        source,
        "judge" if source.startswith("judge") else "human" if source else "none",
        sum(known) if saved and len(known) == len(saved) else None,
        None if first is None or first.from_at is None or first.to_at is None else (first.from_at, first.to_at),
        n,
        tuple(dict.fromkeys(notes)),
    )


def _reasons(answers: LabelledAnswers) -> str:
    said = ", ".join(
        f"{reason} {count:,}" for reason, count in sorted(answers.reasons.items(), key=lambda pair: -pair[1])[:4]
    )
    return f" ({said})" if said else ""


def _sorted_places(
    tier: str, answers: LabelledAnswers, before: FloatArray, after: FloatArray, keys: tuple[str, ...] | None
) -> list[PlaceInput]:
    rows = compared(before, after, answers)
    segments = answers.segments or ({},) * len(answers)
    total = float(rows.weight @ after)
    places = [_sorted_place(tier, WHOLE, rows, before, after, total)]
    for key in keys_of(segments, keys):
        values = np.array([segment.get(key, "") for segment in segments])
        for value in sorted(set(values.tolist()) - {""}):
            mine = values == value
            places.append(_sorted_place(tier, Segment(key, value), rows.where(mine), before[mine], after[mine], total))
    return places


def _sorted_place(
    tier: str, segment: Segment, rows: ComparedRows, before: FloatArray, after: FloatArray, total: float
) -> PlaceInput:
    weight = float(rows.weight.sum()) or 1.0
    served = float(rows.weight @ after)
    return PlaceInput(
        tier=tier,
        segment=segment,
        rows=rows,
        share=served / total if total else 0.0,
        cheap_before=float(rows.weight @ before) / weight,
        cheap_after=served / weight,
        changed_share=float(rows.weight @ np.abs(after - before)) / weight,
        new_share=float(rows.weight @ rows.most) / weight,
    )


def _saved(
    answers: LabelledAnswers, before: FloatArray, after: FloatArray, live: Side, candidate: Side
) -> float | None:
    """USD a month that the candidate saves more: capable answers that it does not need, and cheap ones that it asks for."""
    cheap, capable = answers.cheap_cost_usd, answers.capable_cost_usd
    if capable is None or np.isnan(capable).all():
        return None
    dear = np.where(np.isnan(capable), np.nanmean(capable), capable)
    saved = float(answers.weight @ ((after - before) * dear))
    if live.kind != candidate.kind or live.kind != "cascade":
        # Only a cascade asks the cheap tier for answers that it does not serve.
        if cheap is None or np.isnan(cheap).all():
            return None
        low = np.where(np.isnan(cheap), np.nanmean(cheap), cheap)
        asked = [
            np.ones(len(answers)) if side.kind == "cascade" else served
            for side, served in ((live, before), (candidate, after))
        ]
        saved -= float(answers.weight @ ((asked[1] - asked[0]) * low))
    period = None if answers.from_at is None or answers.to_at is None else (answers.from_at, answers.to_at)
    return _per_month(saved, period)


def _per_month(usd: float | None, period: tuple[str, str] | None) -> float | None:
    if usd is None or period is None:
        return None
    first, last = (datetime.fromisoformat(one) for one in period)
    days = max((last - first).total_seconds() / 86_400.0, 1.0)
    return usd / days * DAYS_A_MONTH


def _segment(name: str) -> Segment:
    key, _, value = name.partition("=")
    return Segment(key, value) if name else WHOLE


def gate_report(
    evidence: Evidence,
    found: tuple[Difference, ...],
    rules: GateRules,
    *,
    candidate: str,
    suite: SuiteCheck | None = None,
    trust_judge: bool = False,
) -> GateReport:
    """The verdict, and what leads to it.

    Args:
        evidence: What was compared.
        found: What differs.
        rules: What is asked.
        candidate: Name of the candidate.
        suite: What a suite says, or None: none was asked.
        trust_judge: A judge's word alone shows and rules out losses.
    """
    places = judge_places(evidence.places, rules)
    notes = list(evidence.notes)
    if evidence.basis == "judge" and not trust_judge:
        places = without_loss_by_judge(places)
        notes.append(
            "labels are a judge's alone, so they show no loss and rule none out; have people review, or give --trust-judge"
        )
    states = [] if suite is None else [suite.state]
    lacking = asks_for_suite(found) and suite is None
    verdict = verdict_of(places, [*states, *(("hole",) if lacking else ())])
    return GateReport(
        verdict=verdict,
        headline=_headline(verdict, places, suite, found, rules, lacking=lacking),
        candidate=candidate,
        differences=found,
        method=evidence.method,
        method_why=evidence.why,
        source=evidence.source,
        basis="judge" if evidence.basis == "judge" else "human" if evidence.basis == "human" else "none",
        places=places,
        suite=suite,
        savings_usd_month=evidence.savings_usd_month,
        alpha=rules.alpha,
        level=1.0 - rules.alpha,
        period=evidence.period,
        decisions=evidence.decisions,
        notes=tuple(notes),
        next=_next(places, suite, evidence, lacking=lacking),
    )


def nothing_to_compare(found: tuple[Difference, ...]) -> Evidence:
    """The evidence where the log has nothing to say, or nothing needs to be said."""
    if routes_otherwise(found) or asks_for_suite(found):
        return Evidence("none", "nothing differs of which logged traffic tells")
    return Evidence("none", "nothing differs that decides which answers are served")


def _headline(
    verdict: GateVerdict,
    places: Sequence[GatePlace],
    suite: SuiteCheck | None,
    found: tuple[Difference, ...],
    rules: GateRules,
    *,
    lacking: bool,
) -> str:
    worst = next((place for place in places if place.is_watched and place.state == verdict), None)
    if verdict == "loss" and worst is not None and worst.interval is not None:
        more = sum(place.is_watched and place.state == "loss" for place in places) - 1
        also = f", and in {more} more" if more > 0 else ""
        return f"Fails: {place_name(worst)} loses at least {_points(worst.interval[0])} more than now (accepted: {_points(worst.margin)}){also}."
    if verdict == "loss":
        return f"Fails: the suite {suite.suite if suite else ''} shows a loss."
    if verdict == "hole" and worst is not None:
        return f"Not shown to be safe: {place_name(worst)}: {worst.why}; it must be shown below {_points(worst.bar)}."
    if verdict == "hole" and lacking:
        name = next(one.name for one in found if one.kind in {"answers", "unseen"})
        return f"Not shown to be safe: {name} differs, of which logged traffic tells nothing."
    if verdict == "hole":
        return f"Not shown to be safe: {suite.why if suite else ''}."
    if not places and suite is None:
        return "Passes: nothing differs that decides which answers are served."
    if not places and suite is not None:
        return f"Passes: the suite {suite.suite} shows no loss."
    worst_end = max((place.interval[1] for place in places if place.is_watched and place.interval), default=0.0)
    if worst_end <= 0.0:
        return "Passes: nothing is served cheaply that is not now."
    return f"Passes: no tier is shown to lose more than {_points(rules.margin)} beyond now, and no large segment more than {_points(rules.segment_margin)}."


def _next(
    places: Sequence[GatePlace], suite: SuiteCheck | None, evidence: Evidence, *, lacking: bool
) -> tuple[str, ...]:
    steps = []
    if lacking:
        steps.append(
            "run the suite with the candidate (`undertow suite run SUITE --config CANDIDATE`), then check again with --suite SUITE"
        )
    if suite is not None and suite.state == "hole":
        steps.append(f"suite {suite.suite}: {suite.why}")
    for place in places:
        if place.state != "hole" or not place.is_watched:
            continue
        if place.unlabelled > 0.0 and evidence.method == "replay":
            steps.append(
                f"{place_name(place)}: {place.unlabelled:.0%} of what would newly be served cheaply has no label; compare withheld answers too "
                "(`undertow judge run` and `undertow review`), or lower the threshold in smaller steps"
            )
        elif place.labels_missing is not None:
            steps.append(
                f"{place_name(place)}: about {place.labels_missing:,} more labels like those in the log (raise [review] per_day or [shadow] share, or wait)"
            )
        else:
            steps.append(f"{place_name(place)}: {place.why}")
    return tuple(steps)


def place_name(place: GatePlace) -> str:
    """A place for people."""
    return place.tier if place.segment.is_whole else f"{place.tier} in {place.segment}"


def _points(loss: float) -> str:
    return f"{100.0 * loss:.1f} points"
