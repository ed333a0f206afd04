"""Rates in force: the plan's own, then the keeper's, within what the plan allows."""

import logging
import os

import msgspec
import pytest

from undertow.bootstrap.sampling import LOOK_AGAIN_S, SamplingFile
from undertow.records.sampling import SampleRate, SamplingRates
from undertow.records.serving import PolicyPlan, ReviewPlan, ServingPlan, ShadowPlan, TierPlan

RATES = SamplingRates(
    version="v1",
    rates=(SampleRate(tier="cheap", review=0.5, review_extra=0.25, shadow=0.125, shadow_extra=0.0625),),
    never_shadow=("intent=fraud",),
)


def plan(review: int = 200, share: float = 0.02, **shadow: object) -> ServingPlan:
    return ServingPlan(
        tiers=tuple(TierPlan(name=name, model=name, endpoints=()) for name in ("cheap", "capable")),
        policies=(PolicyPlan(name="auto", version="v", kind="cascade", tiers=("cheap", "capable")),),
        review=ReviewPlan(per_day=review),
        shadow=ShadowPlan(share=share, **shadow),  # type: ignore[arg-type]
    )


def rates_of(file: SamplingFile) -> tuple[SampleRate, ...]:
    compiled = file()
    return () if compiled is None else compiled.rates.rates


@pytest.fixture
def path(tmp_path):
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "sampling.json"


def write(path, rates=RATES):
    path.write_bytes(msgspec.json.encode(rates))


def test_until_the_keeper_has_written_the_plan_s_own_rates_hold(path):
    file = SamplingFile(path, plan())
    file.refresh(0.0)
    assert [(rate.tier, rate.shadow) for rate in rates_of(file)] == [("cheap", 0.02), ("capable", 0.0)]


def test_the_keeper_s_rates_are_in_force_within_seconds_and_stay_when_the_file_goes(path):
    file = SamplingFile(path, plan())
    file.refresh(0.0)
    write(path)
    file.refresh(LOOK_AGAIN_S / 2)
    assert rates_of(file) != RATES.rates
    file.refresh(LOOK_AGAIN_S)
    assert rates_of(file) == RATES.rates
    path.unlink()
    file.refresh(2 * LOOK_AGAIN_S)
    assert rates_of(file) == RATES.rates


@pytest.mark.parametrize("broken", [b"", b"{", b'{"rates": 7}', b"\xff", b'{"schema": "undertow.sampling/9"}'])
def test_a_file_that_is_none_changes_nothing_and_is_told_once(path, caplog, broken):
    file = SamplingFile(path, plan())
    write(path)
    file.refresh(0.0)
    path.write_bytes(broken)
    with caplog.at_level(logging.WARNING):
        file.refresh(LOOK_AGAIN_S)
        os.utime(path, ns=(1, 1))
        file.refresh(2 * LOOK_AGAIN_S)
    assert rates_of(file) == RATES.rates
    assert [record.message for record in caplog.records] == ["sampling_rates_unreadable"]
    write(path, msgspec.structs.replace(RATES, rates=RATES.rates[:1] * 2))
    file.refresh(3 * LOOK_AGAIN_S)
    assert len(rates_of(file)) == 2


def test_what_the_plan_forbids_is_not_drawn_whatever_the_file_says(path):
    write(path)
    for given, kept in (
        (plan(review=0), {"shadow": 0.125, "shadow_extra": 0.0625}),
        (plan(share=0.0), {"review": 0.5, "review_extra": 0.25}),
        (plan(budget_usd_day=0.0), {"review": 0.5, "review_extra": 0.25}),
    ):
        file = SamplingFile(path, given)
        file.refresh(0.0)
        assert rates_of(file) == (SampleRate(tier="cheap", **kept),)
    nothing = SamplingFile(path, plan(review=0, share=0.0))
    nothing.refresh(0.0)
    assert nothing() is None


def test_labels_of_plan_and_file_are_both_kept_from_second_answers(path):
    write(path)
    file = SamplingFile(path, plan(never=("intent=health", "intent=fraud")))
    file.refresh(0.0)
    compiled = file()
    assert compiled is not None
    assert set(compiled.rates.never_shadow) == {"intent=fraud", "intent=health"}
