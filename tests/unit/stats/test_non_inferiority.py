"""A bet tuned to a candidate that loses nothing: exact, and sooner than an interval."""

import numpy as np
import pytest

from undertow.errors import StatisticalError
from undertow.stats.confidence import mean_interval
from undertow.stats.non_inferiority import log_shown_below

MARGIN = 0.02


def draw(loss, discordant, rng, shape, pairs=45):
    lost = rng.binomial(pairs, 0.5 * (discordant + loss), shape)
    won = rng.binomial(pairs - lost, 0.5 * (discordant - loss) / (1.0 - 0.5 * (discordant + loss)))
    return np.full(shape, pairs), lost, won


@pytest.mark.parametrize("discordant", [0.02, 0.12, 0.4])
def test_each_bet_has_mean_at_most_one_at_the_margin(discordant):
    pairs, lost, won = draw(MARGIN, discordant, np.random.default_rng(1), (3, 400_000))
    e = np.exp(log_shown_below(pairs, lost, won, MARGIN)[-1])
    assert e.mean() <= 1.0 + 4.0 * e.std() / np.sqrt(e.size)


@pytest.mark.parametrize("discordant", [0.04, 0.12])
def test_a_candidate_at_the_margin_is_hardly_ever_shown_below_it(discordant):
    runs, alpha = 4000, 0.05
    e = log_shown_below(*draw(MARGIN, discordant, np.random.default_rng(2), (200, runs)), MARGIN)
    wrong = (e.max(axis=0) >= -np.log(alpha)).mean()
    assert wrong <= alpha + 4.0 * np.sqrt(alpha * (1 - alpha) / runs)
    assert wrong > 0.0


def test_a_candidate_that_loses_nothing_is_shown_sooner_than_by_an_interval():
    drawn = draw(0.0, 0.12, np.random.default_rng(3), (400, 300))
    pairs, lost, won = (x.cumsum(0) for x in drawn)
    bet = log_shown_below(*drawn, MARGIN) >= -np.log(0.0125)
    interval = mean_interval(lost - won, lost + won, pairs, 0.975, (-1.0, 1.0)).high < MARGIN
    assert bet.any(axis=0).all()
    assert bet.argmax(axis=0).mean() < 0.93 * interval.argmax(axis=0).mean()


def test_a_block_bets_by_earlier_blocks_alone():
    pairs, lost, won = (np.array([45.0, 45.0, 45.0]), np.array([3.0, 1.0, 2.0]), np.array([2.0, 2.0, 4.0]))
    whole = log_shown_below(pairs, lost, won, MARGIN)
    other = lost.copy()
    other[2] = 0.0
    assert log_shown_below(pairs, other, won, MARGIN)[:2] == pytest.approx(whole[:2])
    assert log_shown_below(pairs, other, won, MARGIN)[2] > whole[2]


def test_blocks_without_pairs_change_nothing():
    assert log_shown_below([45, 0, 0], [3, 0, 0], [2, 0, 0], MARGIN) == pytest.approx(log_shown_below([45], [3], [2], MARGIN)[0])  # fmt: skip


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1, np.nan])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(StatisticalError, match="margin"):
        log_shown_below([10], [1], [1], margin)


@pytest.mark.parametrize(("pairs", "lost", "won"), [(10, 8, 3), (10, -1, 0), (10, 0, -1)])
def test_impossible_counts_are_refused(pairs, lost, won):
    with pytest.raises(StatisticalError, match="pairs"):
        log_shown_below([pairs], [lost], [won], MARGIN)
