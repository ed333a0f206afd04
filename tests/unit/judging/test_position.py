import numpy as np
import pytest

from undertow.judging.orders import lean
from undertow.judging.position import position_bias


def test_without_pairs_nothing_is_known():
    bias = position_bias([])
    assert (bias.n, bias.mean, bias.low, bias.high, bias.is_shown) == (0, None, None, None, False)


def test_a_judge_that_always_says_a_is_found_after_a_few_pairs():
    bias = position_bias([1.0] * 10)
    assert bias.mean == 1.0
    assert bias.is_shown


def test_a_judge_that_prefers_one_tier_but_no_place_is_not():
    # What it thinks of the answers cancels out over the two orders.
    bias = position_bias([lean(("A", "B")), lean(("B", "A"))] * 100)
    assert bias.mean == 0.0
    assert not bias.is_shown


@pytest.mark.statistical
def test_the_interval_covers_at_its_level_when_one_drawn_order_is_asked():
    rng = np.random.default_rng(20260301)
    runs, missed = 300, 0
    for _ in range(runs):
        served_first = rng.random(400) < 0.5
        good = rng.random(400) < 0.7  # the served answer is better in 70 %: no bias of place
        pulled = rng.random(400) < 0.2  # and in a fifth the judge says A whatever it sees
        says_a = pulled | (good == served_first)
        leans = np.where(says_a, 1.0, -1.0)
        bias = position_bias(leans.tolist())
        missed += not bias.low <= 0.2 <= bias.high
    assert missed <= 0.05 * runs + 3 * np.sqrt(runs * 0.05 * 0.95)
