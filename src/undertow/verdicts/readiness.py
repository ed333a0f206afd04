"""What is missing to trust a verdict: the checks of `undertow doctor`, on the same cells that an audit reads.

Each check looks at one thing that a verdict needs (DESIGN: tiers, a reference, labels of known selection, outcomes, costs,
keys to join by) and says what is there, why it matters and what to do. No statistics beyond counts and one rule of
thumb for how many labels a margin needs; whether there is a loss is the audit's business.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from undertow.records.cells import ARM_HOLDOUT, BASIS_CODES, SELECTION_CODES, AuditCells, LabelCells
from undertow.records.finding import Finding, Severity

MIN_HOLDOUT_SHARE = 0.01
"""Below this the holdout arm is too thin to serve as a reference within weeks."""

MIN_HOLDOUT_LABELS = 50
"""With fewer an audit does not compare with the holdout (`undertow.estimators.periods.MIN_REFERENCE_LABELS`)."""

MAX_UNJOINED_SHARE = 0.10
MAX_REJECTED_SHARE = 0.01
PRE_ROUTING_CHEAP_SHARE = 0.01
"""Days with at most this share on cheaper tiers count as the time before routing."""

MIN_DAYS = 14
"""Two weeks: one to learn how labels behave, one to see a change; weekly rhythms show from then on."""


@dataclass(frozen=True, slots=True)
class Plans:
    """The settings that readiness depends on.

    Attributes:
        margin: Largest accepted loss per cheap-served decision, in (0, 1).
        alpha: Probability of any false alarm.
        priced_outcomes: Names of outcomes with a price in USD.
        is_id_key_set: Whether ids are pseudonymised.
        trusts_judge: Whether judge-only evidence may raise alarms.
        has_draws: Whether the input holds the record of draws; None: cannot be known.
    """

    margin: float = 0.02
    alpha: float = 0.05
    priced_outcomes: tuple[str, ...] = ()
    is_id_key_set: bool = False
    trusts_judge: bool = False
    has_draws: bool | None = None


def labels_needed(failure_rate: float, margin: float, alpha: float) -> int:
    """Labels that one tier needs at least before a failure rate can be shown within `margin` of a known reference.

    Inverts the normal-theory Chernoff bound, n = 2 p (1 - p) ln(1 / alpha) / margin^2: a floor for any valid test. Tests that
    may be looked at every day need about two to three times as many.

    Args:
        failure_rate: Failures per label, in [0, 1]; kept at .01 or more, since few labels without a failure prove little.
        margin: Accepted difference, in (0, 1).
        alpha: Error level, in (0, 1).

    Examples:
        >>> labels_needed(0.1, 0.02, 0.05)
        1349
    """
    rate = min(max(failure_rate, 0.01), 0.99)
    return math.ceil(2 * rate * (1 - rate) * math.log(1 / alpha) / margin**2)


def readiness(cells: AuditCells, plans: Plans) -> tuple[Finding, ...]:
    """Everything that is missing, the most serious first.

    Args:
        cells: The sufficient statistics of the log.
        plans: Settings that decide how much is enough.
    """
    findings = (
        *_tiers(cells),
        *_labels(cells, plans),
        *_reference(cells),
        *_selection(cells, plans),
        *_outcomes(cells, plans),
        *_costs(cells),
        *_joins(cells),
        *_columns(cells, plans),
        *_history(cells),
    )
    order: dict[Severity, int] = {"blocks": 0, "weakens": 1, "note": 2}
    return tuple(sorted(findings, key=lambda finding: order[finding.severity]))


def _tiers(cells: AuditCells) -> Iterator[Finding]:
    whole = cells.traffic.take(cells.traffic.segment == 0)
    served = [tier for code, tier in enumerate(cells.tiers) if whole.decisions[whole.tier == code].sum() > 0]
    if len(served) < 2:
        yield Finding(
            "one_tier",
            "blocks",
            f"{len(served)} tier in the log ({', '.join(served) or 'none'})",
            "A loss is the difference between tiers; with one of them there is nothing to compare.",
            'Log the tier of each request, or set models = ["pattern"] under [tiers.cheap] and [tiers.capable].',
        )
    elif cells.coverage.tier_source == "inferred":
        yield Finding(
            "tiers_inferred",
            "weakens",
            f"the log names no tiers; {', '.join(served)} were inferred from the models' prices",
            "Two models of one price class, or one model with two prompts, are taken for the wrong tiers.",
            'Set models = ["pattern"] under [tiers.NAME], or map a column to tier with --map.',
        )
    nothing_served, total = int(whole.decisions[whole.tier < 0].sum()), int(whole.decisions.sum())
    if nothing_served > 0.05 * total:
        yield Finding(
            "untiered",
            "weakens",
            f"{nothing_served:,} of {total:,} decisions name no served tier",
            "They are in no comparison; if they are failures of one tier, that tier looks better than it is.",
            "Log the tier that served, and null only where nothing was served.",
        )


def _whole(cells: AuditCells) -> LabelCells:
    return cells.labels.take(cells.labels.segment == 0)


def _labels(cells: AuditCells, plans: Plans) -> Iterator[Finding]:
    labels = _whole(cells)
    if len(labels) == 0 or labels.n.sum() == 0:
        yield Finding(
            "no_labels",
            "blocks",
            "no quality signal is joined to a decision",
            "Cost is in every log, quality is not: without labels any loss is invisible.",
            "Add --signals FILE with reviews, checks or ratings (docs: signals), starting with 50 reviewed decisions a day.",
        )
        return
    level = np.isin(labels.selection, [SELECTION_CODES.index("census"), SELECTION_CODES.index("sampled")])
    judged = labels.basis == BASIS_CODES.index("judge")
    if not level.any():
        n = int(labels.n.sum())
        yield Finding(
            "volunteered_only",
            "weakens",
            f"all {n:,} labels were volunteered (thumbs, ratings) or their selection is unknown",
            "Who bothers to vote is not who was served: such labels can show a change, never a level, so never `healthy`.",
            "Draw decisions at random for review and log the inclusion probability; 50 a day are a start.",
        )
        return
    if judged[level].all() and not plans.trusts_judge:
        yield Finding(
            "judge_only",
            "blocks",
            f"all {int(labels.n[level].sum()):,} labels that could show a level come from a judge model",
            "A judge has a bias of its own that may differ by tier; alone it can warn, not convict.",
            "Have people review a random part of what the judge saw, or accept it with --trust-judge.",
        )
    for code, tier in enumerate(cells.tiers[:-1]):
        own = level & (labels.tier == code)
        yield from _too_few(tier, labels.take(own), plans, max(1, len(cells.tiers) - 1))


def _too_few(tier: str, labels: LabelCells, plans: Plans, tiers: int) -> Iterator[Finding]:
    n = float(labels.n.sum())
    rate = (float(labels.failures.sum()) + 0.5) / (n + 1)
    needed = labels_needed(rate if n else 0.1, plans.margin, plans.alpha / 2 / tiers)
    if n >= needed:
        return
    days = len(np.unique(labels.available))
    speed = f" At {n / days:.0f} a day that is in {math.ceil((needed - n) / (n / days)):,} days." if days else ""
    yield Finding(
        "few_labels",
        "weakens" if n else "blocks",
        f"{n:,.0f} labels on tier {tier}",
        f"To show that it fails at most {plans.margin:g} more often takes at least {needed:,} (failure rate {rate:.2f}).{speed}",
        f"Label {needed - n:,.0f} more decisions of {tier}, drawn at random, or accept a wider --margin.",
    )


def _reference(cells: AuditCells) -> Iterator[Finding]:
    traffic = cells.traffic.take(cells.traffic.segment == 0)
    total = int(traffic.decisions.sum())
    held_out = int(traffic.decisions[traffic.arm == ARM_HOLDOUT].sum())
    labels = _whole(cells)
    held_labels = int(labels.n[labels.arm == ARM_HOLDOUT].sum()) if len(labels) else 0
    pairs = int(labels.pairs.sum()) if len(labels) else 0
    if held_out >= MIN_HOLDOUT_SHARE * total and (held_labels >= MIN_HOLDOUT_LABELS or len(labels) == 0):
        return
    if held_out > 0:
        yield Finding(
            "thin_holdout",
            "weakens",
            f"{held_out:,} of {total:,} decisions are held out, {held_labels:,} labels among them",
            f"The reference is as uncertain as its labels are few; with fewer than {MIN_HOLDOUT_LABELS} it is not compared with.",
            "Hold out 3 to 5 % of users and label them at the same rate as the others.",
        )
        return
    before, labels_before = _before_routing(cells)
    instead = []
    if pairs:
        instead.append(f"{pairs:,} pairs")
    if before and (labels_before or len(labels) == 0):
        instead.append(f"{before} {'day' if before == 1 else 'days'} before routing began")
    severity: Severity = "weakens"
    yield Finding(
        "no_holdout",
        severity,
        "no randomised holdout"
        + (f"; instead: {' and '.join(instead)}" if instead else ", no pairs, no time before routing"),
        "Without it nothing tells a loss of routing from a change of the provider or of the traffic"
        + ("." if instead else ", and `healthy` cannot be shown at all."),
        "Keep 3 to 5 % of users on the capable tier, drawn by a hash, and log arm = holdout"
        + (
            "."
            if instead
            else "; or add the log from before routing, or let the capable tier answer some requests too."
        ),
    )


def _before_routing(cells: AuditCells) -> tuple[int, int]:
    """Days of the leading period in which next to nothing went below the dearest tier, and the labels of its decisions.

    (0, 0) where nothing was ever routed: then there is no time before it either.
    """
    traffic = cells.traffic.take((cells.traffic.segment == 0) & (cells.traffic.tier >= 0))
    buckets, where = np.unique(traffic.bucket, return_inverse=True)
    everything = np.bincount(where, weights=traffic.decisions)
    cheaper = np.bincount(where, weights=traffic.decisions * (traffic.tier < len(cells.tiers) - 1))
    routed = cheaper > PRE_ROUTING_CHEAP_SHARE * everything
    if not routed.any():
        return 0, 0
    first = int(buckets[routed][0])
    labels = _whole(cells)
    given = int(labels.n[labels.decided < first].sum()) if len(labels) else 0
    return (first - int(buckets[0])) * cells.bucket_s // 86_400, given


def _selection(cells: AuditCells, plans: Plans) -> Iterator[Finding]:
    reasons = cells.coverage.reasons
    unknown, missing = reasons.get("selection_unknown", 0), reasons.get("missing_inclusion_probability", 0)
    if unknown or missing:
        yield Finding(
            "no_inclusion_probability",
            "weakens",
            f"{unknown + missing:,} sampled labels do not say with which probability their decision was drawn",
            "A queue that prefers hard questions shows its own failure rate, not the traffic's; without p it cannot be undone.",
            "Log inclusion_probability with each draw; if every decision was labelled, say selection = census.",
        )
    sampled = _whole(cells).selection == SELECTION_CODES.index("sampled")
    if plans.has_draws is False and sampled.any():
        yield Finding(
            "no_draws",
            "note",
            "labels were sampled, but there is no draws/ beside them",
            "Draws that were never labelled (skipped, lost) stay unseen, and they are rarely the easy ones.",
            "Write draws/ with chosen and not chosen decisions (docs: signals).",
        )


def _outcomes(cells: AuditCells, plans: Plans) -> Iterator[Finding]:
    if not cells.outcome_names or len(cells.outcomes) == 0:
        yield Finding(
            "no_outcomes",
            "weakens",
            "no business outcomes (tickets, churn, refunds, rework)",
            "The saving stands in one budget and the loss in another; without outcomes `pareto_trap` can never be shown.",
            "Add --outcomes FILE with user or conversation ids, and what each costs as usd under [outcomes.NAME].",
        )
        return
    unpriced = [name for name in cells.outcome_names if name not in plans.priced_outcomes]
    if unpriced:
        yield Finding(
            "unpriced_outcomes",
            "weakens",
            f"no price for {', '.join(unpriced)}",
            "They are counted per arm, but they are not in the net value.",
            "Set usd under " + ", ".join(f"[outcomes.{name}]" for name in unpriced) + ".",
        )


def _costs(cells: AuditCells) -> Iterator[Finding]:
    traffic = cells.traffic.take(cells.traffic.segment == 0)
    total, known, paired = (int(column.sum()) for column in (traffic.decisions, traffic.cost_n, traffic.paired_cost_n))
    if known < 0.95 * total:
        yield Finding(
            "no_costs",
            "weakens",
            f"cost is known for {known:,} of {total:,} decisions",
            "What routing saves is computed on those alone.",
            "Log cost_usd, or tokens and a model name that the price list knows, or prices under [tiers.NAME].",
        )
    elif paired < 0.95 * total:
        yield Finding(
            "no_baseline_cost",
            "weakens",
            f"what the capable tier would have cost is known for {paired:,} of {total:,} decisions",
            "Savings are the difference to that; without it they cannot be stated.",
            "Log baseline_cost_usd, or give the capable tier's prices under [tiers.capable].",
        )


def _joins(cells: AuditCells) -> Iterator[Finding]:
    coverage = cells.coverage
    if coverage.unjoined > MAX_UNJOINED_SHARE * max(coverage.signals, 1):
        yield Finding(
            "bad_joins",
            "weakens",
            f"{coverage.unjoined:,} of {coverage.signals:,} signals name no decision of this log",
            "Labels that do not join are missing data, and seldom at random.",
            "Check that both files use the same ids (and the same id key), and that the log covers the signals' time.",
        )
    rows = coverage.decisions + coverage.signals + coverage.rejected
    if coverage.rejected > MAX_REJECTED_SHARE * rows:
        worst = max(coverage.reasons, key=lambda reason: coverage.reasons[reason]) if coverage.reasons else "unknown"
        yield Finding(
            "rejected_rows",
            "weakens",
            f"{coverage.rejected:,} of {rows:,} rows were set aside, most for {worst}",
            "Rows that were set aside are in no number below.",
            "See docs/reference/row-rules.md for the reason, and mend the writer of the log.",
        )


def _columns(cells: AuditCells, plans: Plans) -> Iterator[Finding]:
    missing = set(cells.coverage.missing_columns)
    if {"user_id", "conversation_id"} <= missing:
        yield Finding(
            "no_join_keys",
            "weakens",
            "neither user_id nor conversation_id is logged",
            "Tickets and churn arrive by user, days later: they cannot be joined, and users who ask often count as many.",
            "Log a pseudonymous user_id, or at least a conversation_id.",
        )
    elif not plans.is_id_key_set:
        yield Finding(
            "id_key_unset",
            "note",
            "store.id_key_env is unset",
            "User ids stay in logs and reports as they were given.",
            "Set id_key_env under [store], unless the ids are pseudonyms already.",
        )
    if len(cells.segments) < 2:
        yield Finding(
            "no_segments",
            "weakens",
            "decisions bear no segment labels",
            "A loss of 15 points in a tenth of the traffic is 1.5 points in the whole: it is seen months later.",
            "Log what is known at decision time (intent, product, language) in the segment map.",
        )
    if cells.confidence_column is None:
        yield Finding(
            "no_confidence",
            "note",
            "the router's confidence or score is not logged",
            "Drift of confidence is the earliest warning, before the first label arrives.",
            "Log score, or confidence where it is calibrated.",
        )
    if "eligible" in missing and "arm" not in missing:
        yield Finding(
            "no_eligible",
            "note",
            "eligible is not logged",
            "The arms are compared on all traffic, what constraints kept capable included: that waters the contrast down.",
            "Log eligible, settled before arm and score are known.",
        )
    if "model" in missing:
        yield Finding(
            "no_model",
            "weakens",
            "the model that served is not logged",
            "A model that the provider changed cannot be told from a loss of routing.",
            "Log model, and model_fingerprint where the upstream gives one.",
        )


def _history(cells: AuditCells) -> Iterator[Finding]:
    days = (cells.last_event - cells.first_event) / 86_400
    if days < MIN_DAYS:
        yield Finding(
            "short_history",
            "weakens",
            f"the log covers {days:.1f} days",
            "A change needs a time before it, and labels need days to arrive.",
            f"Audit at least {MIN_DAYS} days, the last ones before routing began among them.",
        )
