"""Losses since a rollout began: what was before it counts for nothing, and what its stage had before it is not fresh."""

import numpy as np
import pytest

from cells_factory import build, day, labels, served
from undertow.records.guard import RolloutState
from undertow.records.report import AuditSettings
from undertow.services.rollout_evidence import rollout_evidence

BEGAN = 20
DAYS = 60


def text(number: float) -> str:
    return day(number).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def state(since=BEGAN, **segments):
    own = {f"intent={name}": number for name, number in segments.items()}
    return RolloutState(
        policy="auto", version="v1", stages=(0.05, 1.0), stage={"": 1, **dict.fromkeys(own, 0)},
        since={"": text(since), **{name: text(number) for name, number in own.items()}},
    )  # fmt: skip


def failures(before, after):
    """Of 100 labels a day: another rate before the rollout than since."""
    return np.where(np.arange(DAYS) < BEGAN, before, after)


def log(before=30.0, after=5.0, held=5.0):
    parts = []
    for segment in ("intent=a", "intent=b"):
        parts += [
            served("cheap", 400, days=DAYS, segment=segment),
            served("capable", 40, days=DAYS, arm="holdout", segment=segment),
            labels("cheap", 100, failures(before, after), days=DAYS, segment=segment, arm="treatment"),
            labels("capable", 100, held, days=DAYS, segment=segment, arm="holdout"),
        ]
    return build(*parts)


def evidence(cells=None, of=None, began=BEGAN, **settings):
    (found,) = rollout_evidence(cells or log(), AuditSettings(**settings), of or state(), day(began))
    return found


def test_labels_of_an_earlier_version_count_for_nothing():
    found = evidence()
    assert found.whole.loss == pytest.approx(0.0, abs=0.005)
    assert found.whole.high < 0.02
    assert found.whole.n == 200 * (DAYS - BEGAN)
    assert evidence(began=0).whole.loss > 0.05, "a rollout that began earlier has them"


def test_a_loss_since_then_is_seen():
    assert evidence(log(before=5.0, after=30.0)).whole.low > 0.2


def test_labels_are_fresh_from_the_next_whole_day_of_the_stage():
    found = evidence(of=state(since=50.5))
    assert (found.whole.fresh, found.whole.n) == (200 * 9, 200 * 40)
    assert found.whole.stage_since == text(50.5)
    assert found.whole.fresh_loss == pytest.approx(0.0, abs=0.02)


def test_a_segment_counts_from_its_own_stage():
    found = {each.segment: each for each in evidence(of=state(since=50, a=30)).segments}
    assert (found["intent=a"].fresh, found["intent=a"].tier_fresh) == (100 * 30, 200 * 30)
    assert (found["intent=b"].fresh, found["intent=b"].tier_fresh) == (100 * 10, 200 * 10)
    assert found["intent=a"].share == pytest.approx(0.5)


def test_a_stage_that_has_only_begun_has_nothing_fresh():
    found = evidence(of=state(since=DAYS + 3))
    assert (found.whole.fresh, found.whole.fresh_loss, found.whole.fresh_low) == (0, None, -1.0)


def test_without_a_reference_from_elsewhere_nothing_is_known():
    alone = build(served("cheap", 400, days=DAYS), labels("cheap", 100, 5.0, days=DAYS))
    found = evidence(alone)
    assert not found.shows_level
    assert (found.whole.low, found.whole.high, found.whole.loss) == (-1.0, 1.0, None)


def test_without_labels_that_count_or_traffic_there_is_no_evidence():
    assert (
        rollout_evidence(
            build(served("cheap", 400, days=DAYS), served("capable", 10, days=DAYS)),
            AuditSettings(),
            state(),
            day(BEGAN),
        )
        == ()
    )
    assert rollout_evidence(log(), AuditSettings(), state(), day(DAYS + 5)) == ()


def test_levels_share_the_error_and_labels_have_a_rate():
    found = evidence(level=0.9)
    assert found.level == pytest.approx(1 - 0.05)
    assert found.segment_level == pytest.approx(1 - 0.05 / 2)
    assert found.labels_per_day == pytest.approx(200.0)
