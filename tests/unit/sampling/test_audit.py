"""An inclusion probability that does not match what was drawn is found; draws as they were said to be are left in peace (tests/statistical)."""

import math

import pytest

from undertow.records.sampling import Drawn, SampleRate, SamplingRates
from undertow.sampling.audit import DrawCounts, count_draws, draw_mismatches, log_evidence, wrongly_drawn
from undertow.sampling.draw import CompiledRates

IDS = [f"d-{number}" for number in range(20_000)]


def drawn(rate: float = 0.05, **extra: float) -> list[tuple[str, Drawn]]:
    compiled = CompiledRates(SamplingRates(rates=(SampleRate(tier="cheap", review=rate, **extra),)))
    return [
        (each, compiled.draw(compiled.number(each), "cheap", {}, 0.0, for_review=True, for_shadow=True)[0])
        for each in IDS
    ]


def test_true_draws_are_found_as_they_were_said_to_be():
    draws = drawn(review_extra=0.05)
    assert draw_mismatches(count_draws(draw for _, draw in draws)) == []
    assert wrongly_drawn("undertow", draws) == []


def test_a_probability_that_is_not_the_one_it_was_drawn_by_is_found():
    """As where somebody changes rates, and writes the old ones into the log."""
    said = [Drawn(draw.purpose, draw.stratum, 0.02, draw.chosen) for _, draw in drawn()]
    (found,) = draw_mismatches(count_draws(said))
    assert found.counts.expected == pytest.approx(400)
    assert "inclusion probabilities do not match what was drawn: for review, stratum whole" in str(found)
    assert found.log10_evidence > 10


def test_a_log_that_has_lost_the_decisions_that_were_not_chosen_is_found():
    said = [draw for _, draw in drawn() if draw.chosen]
    assert draw_mismatches(count_draws(said))


def test_too_few_are_found_like_too_many():
    counts = DrawCounts("shadow", "tail", 0.1, 0.1, 5_000, 350, 500.0)
    assert draw_mismatches([counts])
    assert not draw_mismatches([DrawCounts("shadow", "tail", 0.1, 0.1, 5_000, 490, 500.0)])


def test_the_clearest_comes_first_and_more_cells_need_more_evidence():
    clear = DrawCounts("review", "tail", 0.1, 0.1, 5_000, 800, 500.0)
    faint = DrawCounts("review", "common", 0.1, 0.1, 5_000, 595, 500.0)
    assert [found.counts for found in draw_mismatches([faint, clear])] == [clear, faint]
    quiet = [DrawCounts("shadow", str(n), 0.1, 0.1, 100, 10, 10.0) for n in range(1_000)]
    assert [found.counts for found in draw_mismatches([*quiet, faint, clear])] == [clear]


@pytest.mark.parametrize(
    "impossible",
    [
        DrawCounts("review", "tail", 0.0, 0.0, 10, 1, 0.0),
        DrawCounts("review", "tail", 1.0, 1.0, 10, 9, 10.0),
        DrawCounts("review", "tail", 0.5, 0.5, 10, 11, 5.0),
        DrawCounts("review", "tail", 1.5, 1.5, 10, 10, 15.0),
    ],
)
def test_what_cannot_be_is_found_at_once(impossible: DrawCounts):
    assert log_evidence(impossible) == math.inf
    assert len(draw_mismatches([impossible])) == 1


def test_nothing_says_nothing():
    assert draw_mismatches([]) == []
    assert log_evidence(DrawCounts("review", "tail", 0.1, 0.1, 0, 0, 0.0)) == 0.0
    assert log_evidence(DrawCounts("review", "tail", 1.0, 1.0, 10, 10, 10.0 + 1e-12)) == pytest.approx(0.0, abs=1e-9)


def test_strata_with_and_without_steering_are_counted_together():
    """Nobody can tell of a decision that was not chosen by which of its rates it was not."""
    draws = [
        Drawn("review", "tail@2", 0.2, False),
        Drawn("review", "tail@2+a=b", 0.2, True),
        Drawn("review", "tail@2", 0.01, False),
    ]
    assert [(cell.stratum, cell.decisions, cell.chosen) for cell in count_draws(draws)] == [
        ("tail@2", 1, 0),
        ("tail@2", 2, 1),
    ]


def test_a_draw_that_comes_out_otherwise_is_named():
    draws = drawn()
    chosen = next(at for at, (_, draw) in enumerate(draws) if draw.chosen)
    decision_id, draw = draws[chosen]
    draws[chosen] = decision_id, Drawn(draw.purpose, draw.stratum, draw.inclusion_probability, False)
    assert wrongly_drawn("undertow", draws) == [decision_id]
    assert len(wrongly_drawn("another", drawn())) > 1_000
