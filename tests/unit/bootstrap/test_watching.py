"""One look at a store: rates follow from what was counted and suspected, and are written only when they change."""

from datetime import UTC, datetime, timedelta

from undertow.adapters.store.compaction import compact
from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.rates_file import read_rates
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.bootstrap.tuning import audit_settings_of
from undertow.bootstrap.watching import watch_store
from undertow.records.decision import DecisionRecord
from undertow.records.serving import ReviewPlan, ShadowPlan, StorePlan, TuningPlan
from undertow.records.signal import SignalRecord

TIERS = ("cheap", "capable")
START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 30
REVIEW, SHADOW = ReviewPlan(per_day=50, min_per_segment=1), ShadowPlan(share=0.1)


def at(day: int, seconds: int = 0) -> str:
    return (START + timedelta(days=day, seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fill(path, *, judge_finds_from: int | None) -> None:
    """Days of 100 decisions, 40 of them judged in the long tail; from a day on the judge dislikes every billing answer of them."""
    decisions, signals = (
        StoreDecisionLog(StorePlan(path=str(path)), "w0"),
        StoreSignalLog(StorePlan(path=str(path)), "w0"),
    )
    for day in range(DAYS):
        for i in range(100):
            intent = "billing" if i % 2 else "faq"
            decisions.finish(
                DecisionRecord(
                    decision_id=f"{day}-{i}", event_time=at(day, i), tier="cheap" if i < 80 else "capable", status="ok",
                    segment={"intent": intent}, eligible=True, arm="treatment" if i < 90 else "holdout", confidence=0.3 if i < 20 else 0.9,
                )
            )  # fmt: skip
        bad = judge_finds_from is not None and day >= judge_finds_from
        signals.add(
            tuple(
                SignalRecord(
                    signal_id=f"s{day}-{i}", event_time=at(day, 200 + i), decision_id=f"{day}-{i}", kind="judge", name="quality",
                    value=0.0 if (bad and i % 2 and i < 20) or (i * 7 + day) % 20 == 0 else 1.0, selection="sampled",
                    inclusion_probability=0.5, stratum="tail" if i < 20 else "common",
                )
                for i in range(40)
            )
        )  # fmt: skip
    decisions.close()
    signals.close()
    compact(path)


def look(path, day=DAYS):
    return watch_store(path, audit_settings_of(TuningPlan(), TIERS), REVIEW, SHADOW, TIERS, START + timedelta(days=day))


def test_a_healthy_store_gets_rates_once(tmp_path):
    fill(tmp_path, judge_finds_from=None)
    seen = look(tmp_path)
    assert seen.suspicions == ()
    assert seen.report is not None
    assert seen.is_changed
    rates = read_rates(tmp_path)
    assert rates == seen.rates
    assert rates is not None
    assert set(rates.tail_cuts) == {"cheap"}
    assert not any(rate.review_extra for rate in rates.rates)
    # The long tail (20 of 80) is reviewed and shadowed more often than the rest.
    tail, common = (
        next(r for r in rates.rates if (r.tier, r.segment, r.stratum) == ("cheap", "", s)) for s in ("tail", "common")
    )
    assert tail.review > common.review > 0
    assert tail.shadow > common.shadow > 0
    assert not look(tmp_path).is_changed


def test_what_the_judge_suspects_is_reviewed(tmp_path):
    fill(tmp_path, judge_finds_from=20)
    seen = look(tmp_path)
    assert [(each.tier, each.segment, each.stratum) for each in seen.suspicions] == [
        ("cheap", "intent=billing", "tail")
    ]
    assert seen.rates is not None
    steered = [(r.segment, r.stratum) for r in seen.rates.rates if r.review_extra]
    assert steered == [("intent=billing", "tail")]


def test_an_empty_store_and_one_without_reviews_have_no_report_and_no_rates(tmp_path):
    assert look(tmp_path).report is None
    fill(tmp_path / "b", judge_finds_from=None)
    seen = watch_store(tmp_path / "b", audit_settings_of(TuningPlan(), TIERS), ReviewPlan(), ShadowPlan(), TIERS, START)
    assert seen.rates is None
    assert read_rates(tmp_path / "b") is None
