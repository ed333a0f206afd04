import math
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from cells_factory import build, day, exposed, labels, latency, model, outcome, served, whole_numbers
from undertow.ledger.usd import OutcomePrice
from undertow.records.label_grid import SignalUnit
from undertow.records.report import AuditSettings
from undertow.records.segment import Segment
from undertow.services.audit import audit, main_unit

PRE, ROUTED = 10, 60


def counts(rate, n, days):
    """n labels a day of which the exact share fails, spread evenly."""
    total = np.floor(np.arange(1, days + 1) * n * rate + 1e-9)
    return np.full(days, float(n)), np.diff(total, prepend=0.0)


def log(cheap=0.05, held=0.05, *, per_day=200, holdout=True, history=True, segment="intent=a", **given):
    parts = [served("capable", 500, days=PRE, segment=segment)]
    if history:
        n, k = counts(0.05, per_day, PRE)
        parts.append(labels("capable", n, k, days=PRE, segment=segment, **given))
    parts += [
        served("cheap", 400, days=ROUTED, start=PRE, segment=segment),
        served("capable", 60, days=ROUTED, start=PRE, segment=segment),
    ]
    for rate, tier, arm in (
        (cheap, "cheap", "treatment"),
        (0.05, "capable", "treatment"),
        (held, "capable", "holdout"),
    ):
        if arm == "holdout" and not holdout:
            continue
        n, k = counts(rate, per_day, ROUTED)
        parts.append(labels(tier, n, k, days=ROUTED, start=PRE, segment=segment, arm=arm, **given))
    if holdout:
        parts.append(served("capable", 40, days=ROUTED, start=PRE, arm="holdout", segment=segment))
    return parts


def report_of(*parts, prices=(), chosen=AuditSettings(), **given):  # noqa: B008
    return audit(build(*parts, **given), chosen, prices)


def floats(value):
    """All floats of a report."""
    if is_dataclass(value):
        for f in fields(value):
            yield from floats(getattr(value, f.name))
    elif isinstance(value, dict):
        for one in value.values():
            yield from floats(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from floats(one)
    elif isinstance(value, float | np.floating):
        yield float(value)


def test_a_tier_shown_inside_its_margin_is_healthy():
    report = report_of(*log())
    assert report.verdict == "healthy"
    assert report.reference.kind == "holdout"
    assert report.reference.causal
    assert report.headline.startswith("Routing to the cheaper tier has not cost quality")
    assert report.main_signal == "review.accuracy"
    assert report.alarms == ()


def test_the_same_labels_by_a_judge_are_inconclusive_unless_it_is_trusted():
    parts = log(basis="judge", signal="judge.score")
    assert report_of(*parts).verdict == "inconclusive"
    assert report_of(*parts, chosen=AuditSettings(trust_judge=True)).verdict == "healthy"


def test_a_loss_that_a_judge_alone_sees_warns():
    parts = log(cheap=0.3, basis="judge", signal="judge.score")
    report = report_of(*parts)
    assert (report.verdict, report.alarms) == ("inconclusive", ())
    assert {w.monitor for w in report.warnings} == {"judge"}
    trusting = report_of(*parts, chosen=AuditSettings(trust_judge=True))
    assert trusting.verdict == "quality_loss"
    assert trusting.alarms[0].basis == "judge"


def test_what_users_did_next_never_makes_a_log_healthy():
    assert report_of(*log(basis="behaviour", selection="census", signal="implicit.retry")).verdict == "inconclusive"


def test_people_come_before_a_judge_with_more_labels():
    parts = [*log(), *log(cheap=0.5, per_day=400, basis="judge", signal="judge.score")]
    report = report_of(*parts)
    assert report.main_signal == "review.accuracy"
    assert report.verdict == "inconclusive"
    assert any("judge alone" in reason for reason in report.reasons)


def test_the_main_signal_shows_levels_before_it_has_many_labels():
    def unit(name, selection, basis, n):
        return SignalUnit(0, name, selection, basis, n, 0.0)

    many = [
        unit("thumb.up", "volunteered", "human", 9000), unit("judge.score", "sampled", "judge", 5000),
        unit("review.accuracy", "sampled", "human", 100),
    ]  # fmt: skip
    assert main_unit(many, AuditSettings()).name == "review.accuracy"
    assert main_unit(many, AuditSettings(trust_judge=True)).name == "judge.score"
    assert main_unit(many[:2], AuditSettings()).name == "thumb.up"
    assert main_unit([], AuditSettings()) is None


def test_without_any_reference_a_good_log_is_not_called_healthy():
    report = report_of(*log(holdout=False, history=False))
    assert (report.verdict, report.reference.kind) == ("inconclusive", "own_first_period")
    assert any("holdout" in step for step in report.next)


def test_a_thin_holdout_is_told_how_many_labels_it_has():
    parts = [
        *log(holdout=False, history=False),
        served("capable", 40, days=ROUTED, start=PRE, arm="holdout", segment="intent=a"),
        labels("capable", [1.0] * 7, [0.0] * 7, days=7, start=PRE, arm="holdout", segment="intent=a"),
    ]
    report = report_of(*parts)
    assert report.reference.kind == "own_first_period"
    (step,) = [step for step in report.next if "holdout" in step]
    assert (
        step
        == "Label decisions of the holdout at the rate of the others: it has 7 labels; 50 are needed to compare with it."
    )


def test_outcomes_in_the_log_are_not_asked_for():
    parts = [
        *log(), exposed("cheap", 3, days=ROUTED, clusters=range(50), start=PRE),
        outcome("ticket", "cheap", [0.1] * 50, days=ROUTED, clusters=range(50), start=PRE),
    ]  # fmt: skip
    assert any("--outcomes" in step for step in report_of(*log()).next)
    found = report_of(*parts).next
    assert not any("--outcomes" in step for step in found)
    assert any("[outcomes.ticket]" in step for step in found)


@pytest.mark.parametrize(("usd", "verdict"), [(None, "quality_loss"), (0.001, "quality_loss"), (400.0, "pareto_trap")])
def test_a_loss_is_a_trap_only_with_outcomes_that_cost_more_than_was_saved(usd, verdict):
    rng = np.random.default_rng(7)
    users, held = range(150), range(150, 250)
    parts = [
        *log(cheap=0.3), exposed("cheap", 3, days=ROUTED, clusters=users, start=PRE),
        exposed("capable", 3, days=ROUTED, clusters=held, start=PRE, arm="holdout"),
        outcome("ticket", "cheap", rng.uniform(0.1, 0.2, 150), days=ROUTED, clusters=users, start=PRE),
        outcome("ticket", "capable", rng.uniform(0.0, 0.05, 100), days=ROUTED, clusters=held, start=PRE, arm="holdout"),
    ]  # fmt: skip
    report = report_of(*parts, prices=(OutcomePrice("ticket", usd, maturity_days=0.0),))
    assert report.verdict == verdict
    assert report_of(*log(cheap=0.3)).verdict == "quality_loss"


def test_a_small_loss_that_is_beyond_no_margin_is_not_settled():
    report = report_of(*log(cheap=0.065, held=0.05, per_day=30))
    assert report.verdict == "inconclusive"
    assert any("more decisions of the cheap tier" in step for step in report.next)


def test_a_bad_segment_hides_no_more():
    parts = [*log(per_day=300), *log(cheap=0.3, per_day=20, segment="intent=b")]
    report = report_of(*parts)
    assert report.verdict == "quality_loss"
    worst = report.segments[0]
    assert (worst.segment, worst.state) == (Segment("intent", "b"), "beyond")
    assert report.segments[-1].state == "inside"
    assert sum(s.share for s in report.segments) == pytest.approx(1.0)


def test_a_broken_grader_is_set_aside_and_not_counted_for_the_cheap_tier():
    """In one segment the reference's labels fail nearly always: a grader fault, not a win of the cheap tier."""
    parts = [*log(cheap=0.05), *log(cheap=0.4, held=0.97, per_day=100, segment="intent=broken")]
    report = report_of(*parts)
    assert [s.segment.value for s in report.suspects] == ["broken"]
    assert report.segments[-1].state == "suspect", "it stands last"
    sound = report_of(*log(cheap=0.05))
    assert report.segments[0].loss == pytest.approx(sound.segments[0].loss)
    assert not any("broken" in reason for reason in report.reasons)


def test_a_log_without_labels_says_so():
    report = report_of(*[p for p in log() if p.signal is None])
    assert (report.verdict, report.reference.kind, report.main_signal) == ("inconclusive", "none", None)
    assert "No quality labels" in report.reasons[0]
    assert report.quality_series == ()
    assert report.tiers[0].signals == {}


def test_a_log_that_was_never_routed_has_nothing_to_judge():
    report = report_of(served("capable", 100, days=40), labels("capable", 30, 2, days=40))
    assert report.verdict == "inconclusive"
    assert "No cheaper tier" in report.reasons[0]
    assert report.alarms == ()
    assert report.ledger.savings_usd_month is None


def test_one_tier_only():
    report = report_of(served("only", 100, days=40), labels("only", 30, 2, days=40), tiers=("only",))
    assert report.verdict == "inconclusive"
    assert [t.share for t in report.tiers] == [1.0]


def test_three_tiers_are_all_judged():
    tiers = ("cheap", "middle", "capable")
    n, k = counts(0.3, 100, ROUTED)
    middle = [served("middle", 300, days=ROUTED, start=PRE), labels("middle", n, k, days=ROUTED, start=PRE)]
    report = report_of(*log(), *middle, tiers=tiers)
    assert report.verdict == "quality_loss"
    assert {a.tier for a in report.alarms} == {"middle"}
    assert [t.tier for t in report.tiers] == list(tiers)


def test_totals_and_means_are_those_of_the_log():
    report = report_of(*log(cheap=0.1), served(None, 7, days=3))
    decisions = 500 * PRE + (400 + 60 + 40) * ROUTED + 21
    assert report.aggregate.decisions == decisions
    cheap, capable = report.tiers
    assert cheap.decisions == 400 * ROUTED
    assert cheap.share == pytest.approx(400 * ROUTED / decisions)
    assert cheap.cost_usd == pytest.approx(400 * ROUTED * 0.01)
    assert cheap.signals["review.accuracy"].mean == pytest.approx(0.9)
    assert capable.signals["review.accuracy"].n == 200 * (PRE + 2 * ROUTED)
    n = [200 * ROUTED, 200 * (PRE + 2 * ROUTED)]
    assert report.aggregate.signals["review.accuracy"].mean == pytest.approx((0.9 * n[0] + 0.95 * n[1]) / sum(n))
    assert report.period[0] == day(0)


def test_unknown_costs_are_none():
    report = report_of(served("cheap", 10, days=5, cost=None), served("capable", 10, days=5, cost=None))
    assert report.aggregate.cost_usd is None
    assert {(t.cost_usd, t.baseline_cost_usd) for t in report.tiers} == {(None, None)}


def test_each_tier_has_the_latency_of_its_escalated_and_direct_requests():
    report = report_of(
        *log(),
        latency("cheap", {120: 50}),
        latency("capable", {140: 30}),
        latency("capable", {160: 20}, way="escalated"),
    )
    cheap, capable = (tier.latency_ms for tier in report.tiers)
    assert (cheap.escalated.n, cheap.direct.n) == (0, 50)
    assert (capable.escalated.n, capable.direct.n) == (20, 30)
    assert cheap.direct.p50 < capable.direct.p50 < capable.escalated.p50
    assert all(tier.latency_ms is None for tier in report_of(*log()).tiers)


def test_models_and_changes_are_listed():
    report = report_of(
        *log(),
        model("cheap", "small-1", 400, days=20, start=PRE),
        model("cheap", "small-2", 400, days=40, start=PRE + 20),
    )
    assert report.tiers[0].models == ("small-2", "small-1")
    assert [(c.value, c.at) for c in report.changes] == [("small-2", day(PRE + 20))]


def test_charts_have_the_whole_first_and_alarmed_segments_last():
    report = report_of(*log(per_day=300), *log(cheap=0.3, per_day=60, segment="intent=b"))
    names = [s.name for s in report.quality_series]
    assert names[:3] == ["all tiers", "cheap", "capable"]
    assert len(report.share_series) == 2
    assert len(report.evidence_series[0].points) == PRE + ROUTED
    assert report.alarm_line == pytest.approx(math.log10(7200))
    places = names[3:]
    assert places == [f"{a.tier}, {a.segment}" for a in report.alarms if not a.segment.is_whole]


def test_a_smaller_alpha_asks_for_more_evidence():
    assert report_of(*log(), chosen=AuditSettings(alpha=0.005)).alarm_line == pytest.approx(math.log10(72_000))


def test_the_margin_decides():
    parts = log(cheap=0.09, held=0.05)
    assert report_of(*parts).verdict == "quality_loss"
    assert report_of(*parts, chosen=AuditSettings(margin=0.08)).verdict == "healthy"


@pytest.mark.parametrize("rate", [0.0, 1.0])
@pytest.mark.parametrize("holdout", [True, False])
def test_no_number_is_ever_nan(rate, holdout):
    rng = np.random.default_rng(1)
    n, k = whole_numbers(rng, 2, 0.5, 30)
    report = report_of(
        *log(cheap=rate, held=rate, holdout=holdout), served("cheap", 1, days=1, segment="odd=one"),
        labels("capable", n, k, days=30, segment="odd=two"), labels("cheap", 1, 1, days=1, signal="thumb.up", selection="volunteered"),
    )  # fmt: skip
    assert all(math.isfinite(x) for x in floats(report))


def test_the_same_cells_give_the_same_report():
    cells = build(*log(cheap=0.2))
    assert audit(cells, AuditSettings()) == audit(replace(cells), AuditSettings())
