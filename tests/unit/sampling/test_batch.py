from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from undertow.records.review import Candidate
from undertow.sampling.batch import MEASURES, BatchRules, allocate, design_of, draw_batch


def day(count=1_000, seed=1, **values):
    rng = np.random.default_rng(seed)
    known = {
        "tier": lambda: "cheap" if rng.random() < 0.65 else "capable",
        "segment": lambda: f"intent={'abcdef'[int(rng.integers(6))]}",
        "confidence": lambda: float(rng.random()),
    }
    return [Candidate(f"d{i}", **{name: make() for name, make in (known | values).items()}) for i in range(count)]


def where(drawn, tier=None, segment=None, stratum=None):
    return sum(
        cell.drawn
        for cell in drawn.cells
        if tier in (None, cell.tier) and segment in (None, cell.segment) and stratum in (None, cell.stratum)
    )


def test_quotas_are_as_asked():
    drawn = draw_batch(day(20_000), BatchRules(), "s")
    assert drawn.chosen.sum() == 200
    assert where(drawn, "cheap") == 140
    assert where(drawn, "cheap", stratum="tail") == pytest.approx(84, abs=6)
    assert len(drawn.cells) == 24


def test_probabilities_are_exact_in_each_cell_and_sum_to_the_number_drawn():
    candidates = day(3_000)
    drawn = draw_batch(candidates, BatchRules(per_day=100), "s")
    assert drawn.inclusion_probability.sum() == pytest.approx(100)
    assert drawn.inclusion_probability.min() > 0.0
    counted, taken = Counter(), Counter()
    for candidate, stratum, is_chosen in zip(candidates, drawn.stratum, drawn.chosen, strict=True):
        counted[candidate.tier, candidate.segment, stratum] += 1
        taken[candidate.tier, candidate.segment, stratum] += bool(is_chosen)
    for cell in drawn.cells:
        place = (cell.tier, cell.segment, cell.stratum)
        assert (counted[place], taken[place]) == (cell.size, cell.drawn)
    for candidate, stratum, probability in zip(candidates, drawn.stratum, drawn.inclusion_probability, strict=True):
        place = (candidate.tier, candidate.segment, stratum)
        assert probability == taken[place] / counted[place]


def test_a_small_segment_gets_its_minimum_and_no_cell_none():
    candidates = [
        *day(5_000),
        Candidate("r1", "cheap", "intent=rare"),
        Candidate("r2", "cheap", "intent=rare", confidence=0.1),
    ]
    drawn = draw_batch(candidates, BatchRules(per_day=50, min_per_segment=2), "s")
    assert where(drawn, "cheap", "intent=rare") == 2
    for tier in ("cheap", "capable"):
        for letter in "abcdef":
            assert where(drawn, tier, f"intent={letter}") >= 2
    assert all(cell.drawn >= 1 for cell in drawn.cells)


def test_minima_come_before_the_number_asked_for():
    drawn = draw_batch(day(2_000), BatchRules(per_day=5, min_per_segment=3), "s")
    assert drawn.chosen.sum() == 36


def test_a_day_smaller_than_asked_for_is_taken_whole():
    drawn = draw_batch(day(30), BatchRules(per_day=200), "s")
    assert drawn.chosen.all()
    assert (drawn.inclusion_probability == 1.0).all()


def test_the_same_salt_draws_the_same_whatever_the_order():
    candidates = day(1_000)
    rules = BatchRules(per_day=60)
    one, other = draw_batch(candidates, rules, "s"), draw_batch(candidates[::-1], rules, "s")
    assert one.chosen.tolist() == other.chosen[::-1].tolist()
    assert one.chosen.tolist() != draw_batch(candidates, rules, "t").chosen.tolist()


def test_the_tail_is_the_fifth_that_is_least_certain_newest_or_most_disputed():
    for name, far in (("confidence", 0.05), ("novelty", 9.0), ("disagreement", 0.9)):
        candidates = [Candidate(f"d{i}", "cheap", **{name: far}) for i in range(20)]
        near = {"confidence": 0.95, "novelty": 0.01, "disagreement": 0.0}[name]
        candidates += [Candidate(f"e{i}", "cheap", **{name: near}) for i in range(80)]
        strata = draw_batch(candidates, BatchRules(per_day=10), "s").stratum
        assert strata == ("tail",) * 20 + ("common",) * 80


def test_where_nothing_is_known_there_is_no_tail():
    drawn = draw_batch([Candidate(f"d{i}", "cheap") for i in range(100)], BatchRules(per_day=10), "s")
    assert set(drawn.stratum) == {"common"}
    assert drawn.chosen.sum() == 10


def test_stakes_draw_a_segment_more_often():
    candidates = [Candidate(f"a{i}", "cheap", "intent=a", ("intent=a",)) for i in range(500)]
    candidates += [Candidate(f"b{i}", "cheap", "intent=b", ("intent=b",)) for i in range(500)]
    drawn = draw_batch(candidates, BatchRules(per_day=100, stakes={"intent=b": 3.0}), "s")
    assert (where(drawn, segment="intent=a"), where(drawn, segment="intent=b")) == (25, 75)


def test_one_tier_gets_all():
    assert where(draw_batch(day(500, tier=lambda: "capable"), BatchRules(per_day=50), "s"), "capable") == 50
    assert where(draw_batch(day(500, tier=lambda: "cheap"), BatchRules(per_day=50), "s"), "cheap") == 50


def test_an_empty_day_gives_an_empty_draw():
    drawn = draw_batch([], BatchRules(), "s")
    assert (len(drawn.chosen), drawn.cells) == (0, ())


@pytest.mark.parametrize(
    ("weight", "total", "least", "most", "expected"),
    [
        ([1.0, 1.0, 1.0], 10, [0, 0, 0], [9, 9, 9], [4, 3, 3]),
        ([1.0, 0.0], 5, [0, 0], [9, 9], [5, 0]),
        ([1.0, 0.0], 12, [0, 0], [9, 9], [9, 3]),
        ([0.0, 0.0], 4, [0, 0], [9, 9], [2, 2]),
        ([5.0, 1.0], 0, [1, 1], [9, 9], [1, 1]),
        ([1e-9, 1.0], 7, [3, 0], [9, 2], [5, 2]),
    ],
)
def test_whole_numbers_in_proportion_within_bounds(weight, total, least, most, expected):
    assert allocate(weight, total, least, most).tolist() == expected


def test_no_numbers_from_no_weights():
    assert allocate([], 3, [], []).tolist() == []


def test_each_sort_of_score_is_a_division_of_its_own():
    sorts = [combo for many in range(5) for combo in combinations(MEASURES, many)]
    designs = [design_of(combo) for combo in sorts]
    assert len(set(designs)) == len(sorts) == 16
    assert design_of(("confidence",)) == 1
