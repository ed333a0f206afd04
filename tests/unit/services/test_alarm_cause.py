"""Why: whom an alarm is laid to."""

import numpy as np

from alarm_logs import DAYS, PRE, ROUTED, SEGMENTS, alarms, log, step
from cells_factory import labels, served


def test_a_provider_that_fell_for_all_is_not_blamed_on_routing():
    both = step(0.05, 0.25)
    found = alarms(*log(dict.fromkeys(SEGMENTS, both), held=both))
    assert found
    assert {a.cause for a in found} == {"provider"}


def test_a_provider_that_fell_for_the_capable_tier_alone_is_its_own_alarm():
    found = alarms(*log(held=step(0.05, 0.35)))
    assert [(a.tier, a.cause) for a in found] == [("capable", "provider")]
    assert found[0].loss > 0.1
    assert found[0].beyond_margin is None


def test_traffic_that_moved_to_harder_requests_is_mix():
    hard = {"intent=a": 0.03, "intent=b": 0.4, "intent=c": 0.03}
    moving = {"intent=a": step(60, 15), "intent=b": step(10, 90), "intent=c": step(60, 15)}
    found = alarms(*log(hard, held=hard, traffic=moving))
    assert found
    assert {a.cause for a in found} <= {"mix", "unknown", "provider"}
    assert "mix" in {a.cause for a in found}


def test_without_labels_of_any_other_tier_the_cause_is_unknown():
    cheap = [
        p
        for p in log(dict.fromkeys(SEGMENTS, step(0.05, 0.3)), holdout=False, history=False)
        if not (p.signal and p.tier == "capable")
    ]
    found = alarms(*cheap)
    assert {a.cause for a in found} == {"unknown"}


def test_days_on_which_every_tiers_labels_fail_are_not_laid_to_routing():
    # Few labels of the holdout: its blocks are of several days, and the broken days bear more of the cheap tier's labels than of its own.
    broken = np.isin(np.arange(PRE, DAYS), (40, 41, 42))
    rate = np.where(broken, 1.0, 0.05)
    parts = log(dict.fromkeys(SEGMENTS, rate), holdout=False, seed=7)
    rng = np.random.default_rng(8)
    for segment in SEGMENTS:
        n = np.where(broken, 1, 2)
        parts += [
            served("capable", 8, days=ROUTED, start=PRE, arm="holdout", segment=segment),
            labels("capable", n, rng.binomial(n, rate), days=ROUTED, start=PRE, arm="holdout", segment=segment),
        ]
    found = alarms(*parts)
    assert {a.cause for a in found if a.kind == "level"} == {"unknown"}
    assert not any(a.cause == "routing" for a in found)
    assert any(a.note.startswith("compared day by day") for a in found)


def test_a_loss_beside_such_days_is_still_laid_to_routing():
    broken = np.isin(np.arange(PRE, DAYS), (40, 41, 42))
    held = np.where(broken, 1.0, 0.05)
    found = alarms(*log(dict.fromkeys(SEGMENTS, np.where(broken, 1.0, 0.25)), held=held, seed=9))
    assert {a.cause for a in found if a.kind == "level"} == {"routing"}
