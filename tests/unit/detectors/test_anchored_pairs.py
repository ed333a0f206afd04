"""The monitor sees a loss beyond the margin, sooner with a good judge than without, and takes no judge's word for it."""

import numpy as np
import pytest

from undertow.detectors.anchored_pairs import anchored_pairs_evidence, judge_weight
from undertow.detectors.level import pairs_evidence

DAYS, LINE = 120, 7200.0


def drawn(rng, loss, agreement=0.85, drift=0.0, labelled=8, judged=80, days=DAYS):
    """Daily counts: people's losses +1 with probability `loss`, a judge that agrees with them but for noise, and drifts half-way."""
    both, alone = np.zeros((days, 1, 3, 3)), np.zeros((days, 1, 3))
    for day in range(days):
        y = rng.choice(3, size=judged, p=[0.02, 0.98 - loss, loss])
        f = np.where(rng.random(judged) < agreement, y, rng.choice(3, size=judged, p=[0.1, 0.7, 0.2]))
        if day >= days // 2:
            f = np.where(rng.random(judged) < drift, 2, f)
        np.add.at(both[day, 0], (y[:labelled], f[:labelled]), 1.0)
        alone[day, 0] = np.bincount(f[labelled:], minlength=3)
    return both, alone


def run(both, alone, settling=3, margin=0.02):
    return anchored_pairs_evidence(both, alone, both.sum((2, 3)) + alone.sum(2), margin, settling)


def first(evidence):
    over = np.flatnonzero(evidence >= LINE)
    return int(over[0]) if len(over) else len(evidence)


def test_a_good_judge_finds_a_small_loss_sooner_than_people_alone():
    rng = np.random.default_rng(1)
    with_judge, alone_days = [], []
    for _ in range(12):
        both, alone = drawn(rng, 0.08, agreement=0.95, days=200)
        people = both.sum(3)[:, 0]
        with_judge.append(first(run(both, alone)))
        alone_days.append(first(pairs_evidence(people.sum(1), people[:, 2], people[:, 0], 0.02)))
    assert np.median(with_judge) < 0.8 * np.median(alone_days)


def test_verdicts_count_once_they_are_in():
    both, alone = drawn(np.random.default_rng(2), 0.2)
    early, late = run(both, alone, settling=0), run(both, alone, settling=5)
    assert late[:5].tolist() == [0.0] * 5
    assert np.array_equal(late[5:], early[:-5])


def test_cutting_the_log_changes_nothing_before_the_cut():
    both, alone = drawn(np.random.default_rng(3), 0.1)
    assert np.array_equal(run(both, alone)[:60], run(both[:60], alone[:60]))


def test_a_stratum_without_people_waits():
    both, alone = drawn(np.random.default_rng(4), 0.2)
    both = np.concatenate([both, 0.0 * both], axis=1)
    alone = np.concatenate([alone, alone], axis=1)
    assert run(both, alone).max() == 0.0


def test_a_judge_that_knows_nothing_has_no_weight():
    both, _ = drawn(np.random.default_rng(5), 0.3, agreement=0.0)
    assert judge_weight(both.sum(0))[0] < 0.1
    few = np.zeros((1, 3, 3))
    few[0, 2, 2] = 5.0
    assert judge_weight(few)[0] == 0.0


@pytest.mark.statistical
@pytest.mark.parametrize(("agreement", "drift"), [(0.85, 0.0), (0.85, 0.25), (0.0, 0.5)])
def test_false_alarms_stay_within_the_bound_whatever_the_judge_does(agreement, drift):
    rng = np.random.default_rng(6)
    runs, line = 150, 600.0
    # A mean paired loss of .04 - .02 = .02: exactly the margin.
    hits = sum(run(*drawn(rng, 0.04, agreement, drift)).max() >= line for _ in range(runs))
    bound = DAYS / line
    assert hits / runs <= bound + 3 * (bound * (1 - bound) / runs) ** 0.5


def test_a_judge_whose_word_was_taken_would_cross_where_this_does_not():
    both, alone = drawn(np.random.default_rng(7), 0.02, agreement=0.85, drift=0.25)
    judged = both.sum(2)[:, 0] + alone[:, 0]
    assert pairs_evidence(judged.sum(1), judged[:, 2], judged[:, 0], 0.02).max() > LINE
    assert run(both, alone).max() < LINE


def test_a_stratum_that_has_ended_is_not_waited_for():
    """A tail that was cut anew on day 20: of the old one a few pairs are left that nobody reviews any more."""
    both, alone = drawn(np.random.default_rng(4), 0.25)
    ended = np.arange(DAYS)[:, None, None] < 20
    both = np.concatenate([both * ~ended[..., None], 0.1 * both * ended[..., None]], axis=1)
    alone = np.concatenate([alone * ~ended, alone * ended], axis=1)
    assert first(run(both, alone)) < DAYS
