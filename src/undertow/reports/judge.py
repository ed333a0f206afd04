"""What a judge came to, for people and as JSON: verdicts, what has none, how far its place or a change of its own decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from undertow.judging.position import PositionBias, position_bias
from undertow.records.judged import AnchorResult
from undertow.records.serving import JudgePlan
from undertow.reports.figures import plural
from undertow.reports.names import clip
from undertow.services.judge_run import LABELS, MISSING, missing_share, total
from undertow.stats.confidence import beta_binomial_interval

if TYPE_CHECKING:
    from undertow.bootstrap.judge import JudgeRun
    from undertow.detectors.judge_drift import JudgeDrift

RUN_SCHEMA, CHECK_SCHEMA = "undertow.judge/1", "undertow.judge-check/1"

MUCH_MISSING = 0.05
"""Share of pairs without a verdict from which their absence may move what the labels say."""
MUCH_INCONSISTENT = 0.5
"""Share of verdicts that come to a tie because the two orders disagree, from which the judge tells little."""
LITTLE_AGREEMENT = 0.6
"""Agreement with people below which, as the interval shows, a judge is hardly better than a coin."""

_COLUMNS = 48
_WORDS: Mapping[str, str] = {
    "refused": "refused",
    "unparsable": "not a verdict",
    "timeout": "too late",
    "failed": "failed",
    "injected": "an answer told the judge how to vote",
    "over_budget": "budget spent",
    "empty": "both answers empty",
}


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run over waiting pairs.

    Attributes:
        judge: Model or function.
        counts: Of this run, by outcome, all of them named.
        totals: Of all runs so far.
        bias: To the first place, in this run.
        cost_usd: Of this run's questions, as far as it is known.
        unpriced: Questions whose cost nobody knows.
        waiting: Pairs that still wait.
        unreadable: Lines of pairs/ that are none.
        stopped: Why it ended early, or None.
        warnings: A sentence each.
    """

    judge: str
    counts: Mapping[str, int]
    totals: Mapping[str, int]
    bias: PositionBias
    cost_usd: float
    unpriced: int
    waiting: int
    unreadable: int
    stopped: str | None
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, done: "JudgeRun", plan: JudgePlan, own_tiers: Sequence[str]) -> "RunReport":
        """The report of a run.

        Args:
            done: The run.
            plan: Of the judge.
            own_tiers: Tiers whose model the judge is.
        """
        tally = done.ended.tally
        counts = {
            name: tally.counts.get(name, 0) for name in (*LABELS, *MISSING, "not_drawn", "inconsistent", "suspicious")
        }
        bias = position_bias(tally.leans)
        warnings = [
            *_about_itself(plan, own_tiers),
            *_about_order(bias, counts["inconsistent"], total(counts, LABELS)),
            *_about_missing(counts),
        ]
        if counts["over_budget"]:
            judged = total(counts, LABELS) + total(counts, MISSING) - counts["over_budget"]
            share = plan.share * judged / (judged + counts["over_budget"])
            warnings.append(
                f"{plural(counts['over_budget'], 'pair')} left out because judge.budget_usd_day (${plan.budget_usd_day:g}) is spent, or too many calls "
                f"have no price; " + (f"judge.share = {share:.2g} would last the day, and is corrected for" if judged else "raise it, or set judge.usd_per_call")
            )  # fmt: skip
        if tally.unpriced:
            warnings.append(
                f"the cost of {plural(tally.unpriced, 'call')} is unknown, so no budget in USD holds them; set judge.usd_per_call, 0.0 where it is free"
            )
        if done.broken:
            warnings.append(f"{plural(done.broken, 'line')} of pairs/ left out: not readable")
        return cls(
            plan.function or plan.model or "",
            counts,
            dict(done.state.counts),
            bias,
            tally.cost_usd,
            tally.unpriced,
            done.waiting,
            done.broken,
            done.ended.stopped,
            tuple(warnings),
        )


@dataclass(frozen=True, slots=True)
class CheckReport:
    """A judge against people.

    Attributes:
        judge: Model or function.
        asked: Anchors that it was asked about.
        agreeing: Those on which it says what people say.
        agreement: Share of those that it could be asked about, or None.
        interval: Of that share, valid at every moment, or None.
        counts: Anchors without a verdict, by reason.
        inconsistent: Ties because the two orders disagreed.
        bias: To the first place.
        drift: Against its own first verdicts.
        warnings: A sentence each.
    """

    judge: str
    asked: int
    agreeing: int
    agreement: float | None
    interval: tuple[float, float] | None
    counts: Mapping[str, int]
    inconsistent: int
    bias: PositionBias
    drift: "JudgeDrift"
    warnings: tuple[str, ...]

    @classmethod
    def of(
        cls, results: Sequence[AnchorResult], drift: "JudgeDrift", plan: JudgePlan, own_tiers: Sequence[str]
    ) -> "CheckReport":
        """The report on some results.

        Args:
            results: Of this check.
            drift: Over all results that are kept.
            plan: Of the judge.
            own_tiers: Tiers whose model the judge is.
        """
        told = [result for result in results if result.is_right is not None]
        agreeing = sum(result.is_right is True for result in told)
        counted = {str(name): sum(result.outcome == name for result in results) for name in MISSING}
        counts = {name: count for name, count in counted.items() if count}
        bias = position_bias([result.lean for result in results if result.lean is not None])
        inconsistent = sum(result.inconsistent for result in results)
        verdicts = sum(result.verdict is not None for result in results)
        interval = None
        if told:
            found = beta_binomial_interval(agreeing, len(told))
            interval = float(found.low), float(found.high)
        warnings = [*_about_itself(plan, own_tiers), *_about_order(bias, inconsistent, verdicts)]
        verdict_of = {result.verdict for result in results if result.verdict is not None}
        if verdicts >= 10 and len(verdict_of) == 1 and len({result.human for result in results}) > 1:
            warnings.append(
                f"each of its {verdicts} verdicts is {next(iter(verdict_of))}, whatever people say; it tells nothing"
            )
        if len(told) < len(results) or total(counts, MISSING) > MUCH_MISSING * len(results):
            said = ", ".join(f"{count} {_WORDS[name]}" for name, count in counts.items())
            warnings.append(f"no verdict on {total(counts, MISSING)} of {plural(len(results), 'anchor')}: {said}")
        if interval is not None and interval[1] < LITTLE_AGREEMENT:
            warnings.append(
                f"it agrees with people on {agreeing / len(told):.0%} of the anchors: its verdicts can hardly narrow what people's say"
            )
        if drift.has_changed:
            warnings.append(
                f"the judge has changed: it agreed with people on {drift.first_agreement or 0:.0%} of the anchors at first, since then on "
                f"{drift.agreement or 0:.0%}; shown on {drift.detected_on}. Warnings that rest on it since are in doubt; estimates stay right where people label as well"
            )  # fmt: skip
        return cls(
            plan.function or plan.model or "",
            len(results),
            agreeing,
            agreeing / len(told) if told else None,
            interval,
            counts,
            inconsistent,
            bias,
            drift,
            tuple(warnings),
        )


def run_lines(report: RunReport) -> list[str]:
    """A run, a line at a time."""
    counts = report.counts
    labels, missing = total(counts, LABELS), total(counts, MISSING)
    lines = [
        f"judge      {clip(report.judge, _COLUMNS)}",
        f"verdicts   {labels:,}: the served answer is better in {counts['wins']:,}, as good in {counts['ties']:,}, worse in {counts['losses']:,}",
    ]
    if counts["inconsistent"]:
        lines.append(f"           {counts['inconsistent']:,} of the ties because the two orders disagree")
    if missing:
        said = ", ".join(f"{counts[name]:,} {_WORDS[name]}" for name in MISSING if counts[name])
        lines.append(f"no verdict {missing:,} of {labels + missing:,} ({missing / (labels + missing):.1%}): {said}")
    if counts["not_drawn"]:
        lines.append(f"not drawn  {counts['not_drawn']:,}, by judge.share")
    if counts["suspicious"]:
        lines.append(
            f"suspicious {counts['suspicious']:,}, judged a second time without what seems to be said to a judge"
        )
    lines += [
        *_bias_line(report.bias),
        f"cost       ${report.cost_usd:.4f}"
        + (f", and {report.unpriced:,} calls of unknown cost" if report.unpriced else ""),
    ]
    if report.waiting:
        lines.append(f"waiting    {report.waiting:,}")
    return lines


def check_lines(report: CheckReport) -> list[str]:
    """A check, a line at a time."""
    lines = [f"judge      {clip(report.judge, _COLUMNS)}"]
    told = report.asked - total(report.counts, ("timeout", "failed", "over_budget", "empty"))
    if report.agreement is None or report.interval is None:
        lines.append(f"agreement  unknown: none of {report.asked:,} anchors has an answer of the judge")
    else:
        low, high = report.interval
        lines.append(
            f"agreement  {report.agreement:.1%} with people (95 % interval {low:.1%} to {high:.1%}) on {told:,} anchors"
        )
    if report.inconsistent:
        lines.append(f"orders     {report.inconsistent:,} ties because the two orders disagree")
    lines += _bias_line(report.bias)
    drift = report.drift
    if not drift.verdicts:
        lines.append("change     unknown until anchors were judged again: these are its first verdicts")
    else:
        lines.append(
            f"change     {'shown' if drift.has_changed else 'not shown'}: {drift.first_agreement or 0:.1%} at first, {drift.agreement or 0:.1%} "
            f"in {drift.verdicts:,} verdicts since; evidence {float(drift.evidence.max() if drift.has_changed else drift.evidence[-1]):.3g}, "
            f"it would take {drift.line:,.0f}"
        )
    if drift.sets > 1:
        lines.append(
            f"           on the anchors of {drift.since}: the set has been changed, and each set is compared with itself alone"
        )
    return lines


def run_document(report: RunReport) -> dict[str, object]:
    """A run as JSON (undertow.judge/1)."""
    return {
        "schema": RUN_SCHEMA,
        "judge": report.judge,
        "outcomes": dict(report.counts),
        "labels": total(report.counts, LABELS),
        "missing_share": missing_share(report.counts),
        "position_bias": _bias_document(report.bias),
        "cost_usd": report.cost_usd,
        "unpriced_calls": report.unpriced,
        "waiting": report.waiting,
        "unreadable": report.unreadable,
        "stopped": report.stopped,
        "totals": dict(report.totals),
        "total_missing_share": missing_share(report.totals),
        "warnings": list(report.warnings),
    }


def check_document(report: CheckReport) -> dict[str, object]:
    """A check as JSON (undertow.judge-check/1)."""
    drift = report.drift
    return {
        "schema": CHECK_SCHEMA,
        "judge": report.judge,
        "anchors": report.asked,
        "agreeing": report.agreeing,
        "agreement": report.agreement,
        "interval": None if report.interval is None else list(report.interval),
        "missing": dict(report.counts),
        "inconsistent": report.inconsistent,
        "position_bias": _bias_document(report.bias),
        "drift": {
            "version": drift.version,
            "anchor_sets": drift.sets,
            "since": drift.since,
            "anchors": drift.anchors,
            "first_agreement": drift.first_agreement,
            "verdicts": drift.verdicts,
            "agreement": drift.agreement,
            "evidence": float(np.max(drift.evidence, initial=0.0)),
            "line": drift.line,
            "detected_on": drift.detected_on,
        },
        "warnings": list(report.warnings),
    }


def _about_itself(plan: JudgePlan, own_tiers: Sequence[str]) -> list[str]:
    if not own_tiers:
        return []
    named = ", ".join(f"tiers.{name}" for name in own_tiers)
    return [
        f"judge.model is the model of {named} as well ({clip(plan.model or '', _COLUMNS)!r}): models favour their own answers; take another one to judge"
    ]


def _about_order(bias: PositionBias, inconsistent: int, verdicts: int) -> list[str]:
    found = []
    if bias.is_shown and bias.mean is not None:
        place = "first" if bias.mean > 0 else "second"
        found.append(
            f"the judge favours the {place} answer, whichever it is (lean {bias.mean:+.2f}, where +1 or -1 is always)"
        )
    if verdicts and inconsistent > MUCH_INCONSISTENT * verdicts:
        found.append(
            f"in {inconsistent} of {verdicts} verdicts the two orders disagree: these are ties that tell nothing of the answers, so a loss would hardly show"
        )
    return found


def _about_missing(counts: Mapping[str, int]) -> list[str]:
    share = missing_share(counts)
    if share is None or share <= MUCH_MISSING:
        return []
    return [
        f"{share:.1%} of the pairs have no verdict; the labels describe the others, and pairs that a judge cannot judge may be worse"
    ]


def _bias_line(bias: PositionBias) -> list[str]:
    if bias.mean is None or bias.low is None or bias.high is None:
        return []
    return [
        f"place      leans {bias.mean:+.2f} to the first answer (95 % interval {bias.low:+.2f} to {bias.high:+.2f})"
    ]


def _bias_document(bias: PositionBias) -> dict[str, object]:
    interval = None if bias.low is None or bias.high is None else [bias.low, bias.high]
    return {"n": bias.n, "mean": bias.mean, "interval": interval, "shown": bias.is_shown}
