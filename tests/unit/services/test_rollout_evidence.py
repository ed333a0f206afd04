"""Losses since a rollout began: what was before it counts for nothing, and what its stage had before it is not fresh."""

import numpy as np
import pytest
from msgspec.structs import replace

from cells_factory import FIRST, build, day, labels, served
from undertow.records.cut import cut_cells
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


def paired(lost, won, *, pairs=45.0, weight=1.0, per_day=3.0, days=DAYS):
    """Pairs of both segments, no holdout: `lost` and `won` a day in each."""
    parts = []
    for segment in ("intent=a", "intent=b"):
        parts += [
            served("cheap", 400, days=days, segment=segment),
            served("capable", 400, days=days, segment=segment),
            labels(
                "cheap", pairs, per_day, days=days, segment=segment, signal="shadow.accuracy", pairs=True, lost=lost, won=won, weight=weight
            ),
        ]  # fmt: skip
    return build(*parts)


def of_pairs(cells, margin, **settings):
    (found,) = rollout_evidence(cells, AuditSettings(**settings), state(), day(BEGAN), margin=margin)
    return found


def test_a_bet_on_the_margin_shows_pairs_below_it_before_the_interval_does():
    cells = paired(2.0, 2.0, days=47)
    by_interval, by_bet = of_pairs(cells, None).whole, of_pairs(cells, 0.02).whole
    assert by_interval.high > 0.02 > by_bet.high
    assert by_bet.high == pytest.approx(0.02)
    assert (by_bet.low, by_bet.loss, by_bet.n) == (by_interval.low, by_interval.loss, by_interval.n)


def test_a_bet_that_is_not_won_leaves_a_wider_interval():
    cells = paired(3.0, 2.1)
    by_interval, by_bet = of_pairs(cells, None).whole, of_pairs(cells, 0.02).whole
    assert by_interval.loss == pytest.approx(0.02)
    assert by_bet.high > by_interval.high > 0.02


def test_pairs_of_one_weight_are_bet_on_as_if_they_had_none():
    light, heavy = (of_pairs(paired(2.0, 2.0, days=47, weight=weight), 0.02).whole for weight in (1.0, 20.0))
    assert heavy.high == pytest.approx(light.high)


def test_a_holdout_is_not_bet_on():
    (found,) = rollout_evidence(log(), AuditSettings(), state(), day(BEGAN), margin=0.001)
    assert found == evidence()


def both_references(pairs_from):
    """A holdout whose labels come from the beginning, and pairs from a day on."""
    return build(
        served("cheap", 400, days=DAYS), served("capable", 40, days=DAYS, arm="holdout"),
        labels("capable", 20, 1.0, days=DAYS, arm="holdout"), labels("cheap", 60, 3.0, days=DAYS, arm="treatment"),
        labels("cheap", 30, 1.5, days=DAYS - pairs_from, start=pairs_from, arm="treatment", pairs=True, lost=1.0, won=1.0),
    )  # fmt: skip


@pytest.mark.parametrize(("pairs_from", "is_bet"), [(BEGAN, True), (BEGAN + 10, False)])
def test_the_reference_is_chosen_once(pairs_from, is_bet):
    """Pairs where there are enough within a week, whatever else comes; else what there was then, whatever comes later."""
    cells = both_references(pairs_from)
    for last in (BEGAN + 9, BEGAN + 20, DAYS):
        seen = cut_cells(cells, FIRST + last)
        by_bet, by_interval = (
            rollout_evidence(seen, AuditSettings(), state(), day(BEGAN), margin=margin)[0] for margin in (0.02, None)
        )
        assert (by_bet.whole != by_interval.whole) == is_bet, last


def test_a_place_that_is_held_back_weighs_what_it_will():
    """Both are half of the requests; of intent=b a twentieth is exposed while all of intent=a is, from day 40 on."""
    exposed = np.where(np.arange(DAYS) < 40, 0.05, 1.0)
    parts = []
    for segment, share in (("intent=a", exposed), ("intent=b", np.full(DAYS, 0.05))):
        parts += [
            served("cheap", 400 * share, days=DAYS, segment=segment), served("capable", 400 * (1.0 - share), days=DAYS, segment=segment),
            labels("cheap", 40 * share, 0.0, days=DAYS, segment=segment, pairs=True),
        ]  # fmt: skip
    found = {each.segment: each for each in evidence(build(*parts), of=state(since=40, b=BEGAN)).segments}
    held = found["intent=b"]
    assert held.share == pytest.approx(20 * 40 / (20 * 40 + 20 * 20 + 400 * 20))
    assert held.share_at_full == pytest.approx(0.5)
    assert found["intent=a"].share_at_full == pytest.approx(0.5)
    assert held.weight == held.share_at_full


def test_a_stage_that_has_only_begun_leaves_shares_as_they_are():
    assert {each.share_at_full for each in evidence(of=state(since=DAYS + 3)).segments} == {None}


def test_lower_bounds_of_a_stage_share_their_error_among_the_stages():
    lossy = log(before=5.0, after=30.0)
    two = evidence(lossy, of=state(since=50))
    ten = evidence(lossy, of=replace(state(since=50), stages=(*np.linspace(0.05, 0.5, 9).tolist(), 1.0)))
    assert two.whole.low == ten.whole.low
    assert two.whole.fresh_low > ten.whole.fresh_low > 0.1


def test_labels_of_the_easy_requests_alone_say_nothing_against_a_holdout():
    """The cheap tier keeps the easier half and fails on it twice as often as the capable tier would: beside all requests it looks good."""
    served_and_held = [
        served("cheap", 200, days=DAYS), served("capable", 200, days=DAYS), served("capable", 40, days=DAYS, arm="holdout"),
        labels("cheap", 100, 8.0, days=DAYS), labels("capable", 100, 12.0, days=DAYS, arm="holdout"),
    ]  # fmt: skip
    alone = evidence(build(*served_and_held)).whole
    assert (alone.loss, alone.low, alone.high) == (None, -1.0, 1.0)
    together = evidence(build(*served_and_held, labels("capable", 100, 20.0, days=DAYS))).whole
    assert together.loss == pytest.approx(0.04)


def test_until_a_reference_is_chosen_nothing_is_known():
    seen = cut_cells(log(), FIRST + BEGAN + 5)
    (found,) = rollout_evidence(seen, AuditSettings(), state(), day(BEGAN))
    assert not found.shows_level
    assert found.whole.high == 1.0
