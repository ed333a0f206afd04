"""Labels are weighted to the requests that they stand for, and what they do not cover is said."""

import numpy as np
import pytest

from undertow.adapters.training.frame import Blind, Frame, Labels, frame_of, plan, uncovered


def labels(*parts):
    """Labels of parts stratum, hour, how many, inclusion probability."""
    return Labels(
        np.array([stratum for stratum, _, n, _ in parts for _ in range(n)]),
        np.array([hour for _, hour, n, _ in parts for _ in range(n)]),
        np.array([1 / p for _, _, n, p in parts for _ in range(n)]),
    )


def sums(found, given):
    """Requests that the labels of each stratum stand for."""
    return {str(name): round(float(found.weight[given.stratum == name].sum()), 6) for name in np.unique(given.stratum)}


def even(stratum, hours, n):
    return {stratum: dict.fromkeys(range(hours), n)}


def test_labels_of_one_probability_that_agree_with_the_frame_keep_one_weight():
    given = labels(("served", 0, 59, 0.1), ("withheld", 0, 42, 0.1))
    found = plan(given, Frame({"served": {0: 600}, "withheld": {0: 400}}), 50)
    assert np.ptp(found.weight) == 0
    assert found.weight.sum() == pytest.approx(1000)
    assert not found.blind
    assert not found.notes


def test_strata_that_chance_does_not_explain_are_weighted_to_the_frame_with_a_note():
    given = labels(("served", 0, 85, 0.1), ("withheld", 0, 55, 0.1))
    frame = Frame({"served": {0: 1100}, "withheld": {0: 400}})
    found = plan(given, frame, 50)
    assert sums(found, given) == {"served": 1100, "withheld": 400}
    assert found.notes == ("labels (85 served, 55 withheld) are weighted to the requests of their kind (1,100, 400)",)


def test_unequal_probabilities_keep_their_ratio_within_a_stratum():
    given = labels(("served", 0, 50, 0.5), ("served", 0, 50, 0.1), ("withheld", 0, 40, 0.1))
    found = plan(given, Frame({"served": {0: 600}, "withheld": {0: 400}}), 50)
    assert found.weight[50] / found.weight[0] == pytest.approx(5)
    assert sums(found, given) == {"served": 600, "withheld": 400}


def test_labels_of_withheld_answers_that_began_late_do_not_stand_for_the_earlier_ones():
    frame = Frame(even("served", 24, 200) | even("withheld", 24, 200))
    given = labels(
        *(("served", hour, 20, 0.1) for hour in range(24)), *(("withheld", hour, 20, 0.1) for hour in (22, 23))
    )
    found = plan(given, frame, 200)
    (blind,) = found.blind
    assert blind.stratum == "withheld"
    assert blind.hours == frozenset(range(22))
    assert sums(found, given) == {"served": 4800, "withheld": 400}
    assert "do not cover 4,400 of 4,800 withheld answers" in found.notes[0]


def test_the_hours_that_are_covered_count_alone_where_they_hold_enough_labels():
    frame = Frame(even("served", 24, 200) | even("withheld", 24, 200))
    given = labels(
        *(("served", hour, 20, 0.1) for hour in range(24)), *(("withheld", hour, 20, 0.1) for hour in range(12, 24))
    )
    found = plan(given, frame, 200)
    assert not found.blind
    assert (found.weight[given.hour < 12] == 0).all()
    assert sums(found, given) == {"served": 2400, "withheld": 2400}
    assert found.left_out == {"withheld_not_labelled_then": 240}
    assert "480 of 720 labels are used" in found.notes[0]


def test_withheld_answers_that_fall_short_all_over_are_not_covered_at_all():
    frame = Frame(even("served", 24, 200) | even("withheld", 24, 200))
    given = labels(
        *(("served", hour, 20, 0.1) for hour in range(24)), *(("withheld", hour, 12, 0.1) for hour in range(24))
    )
    found = plan(given, frame, 200)
    assert found.blind == (Blind("withheld"),)
    assert sums(found, given) == {"served": 4800, "withheld": 0}
    assert found.left_out == {"withheld_not_labelled_then": 288}


def test_labels_that_were_lost_alike_everywhere_are_made_up_for():
    frame = Frame(even("served", 24, 200) | even("withheld", 24, 200))
    given = labels(*((stratum, hour, 12, 0.1) for hour in range(24) for stratum in ("served", "withheld")))
    assert uncovered(given, frame) == frozenset()
    # A day on which nobody judged anything falls short in both.
    given = labels(*((stratum, hour, 20, 0.1) for hour in range(12) for stratum in ("served", "withheld")))
    assert uncovered(given, frame) == frozenset()


def test_the_odd_label_that_a_census_lost_is_no_lack_of_cover():
    frame = Frame({"served": {0: 500}, "withheld": {0: 500}})
    assert uncovered(labels(("served", 0, 500, 1.0), ("withheld", 0, 490, 1.0)), frame) == frozenset()
    assert uncovered(labels(("served", 0, 500, 1.0), ("withheld", 0, 400, 1.0)), frame) is None


@pytest.mark.parametrize("p", [0.02, 0.15, 0.6])
def test_a_sample_of_all_is_hardly_ever_taken_for_one_of_a_part(p):
    rng = np.random.default_rng(3)
    frame = Frame(even("served", 100, 60) | even("withheld", 100, 40))
    missed = 0
    for _ in range(100):
        drawn = [
            (stratum, hour, int(rng.binomial(n, p)), p)
            for stratum, n in (("served", 60), ("withheld", 40))
            for hour in range(100)
        ]
        missed += uncovered(labels(*drawn), frame) != frozenset()
    assert missed <= 2


def test_a_long_log_is_looked_at_in_few_pools():
    year = 8760
    frame = Frame(even("served", year, 100) | even("withheld", year, 100))
    given = labels(
        *(
            (stratum, hour, 5, 0.05)
            for hour in range(year)
            for stratum in ("served", "withheld")
            if hour > 4000 or stratum == "served"
        )
    )
    hours = uncovered(given, frame)
    assert 4000 <= len(hours) <= 4000 + 2 * year / 100
    assert max(hours) < 4000 + 2 * year / 100


def test_without_a_label_of_an_answer_that_was_served_those_count_as_unknown():
    given = labels(("withheld", 0, 40, 0.1))
    found = plan(given, Frame({"served": {0: 300}, "withheld": {0: 400}}), 20)
    assert found.blind == (Blind("served"),)
    assert "no answer that was served is labelled: 300" in found.notes[-1]


def test_holdout_labels_stand_for_all_requests_and_need_no_other_row():
    frame = Frame({"holdout": {0: 100}, "served": {0: 500}, "withheld": {0: 400}})
    alone = labels(("holdout", 0, 50, 0.5))
    found = plan(alone, frame, 200)
    assert found.blind == ()
    assert found.weight.tolist() == [2.0] * 50
    # Beside labels of served answers alone they are the better sample, where there are enough.
    both = labels(("holdout", 0, 50, 0.5), ("served", 0, 80, 0.2))
    found = plan(both, frame, 50)
    assert sums(found, both) == {"holdout": 100, "served": 0}
    assert found.left_out == {"other_arm_labels": 80}
    assert found.blind == ()


def test_a_treatment_arm_that_is_covered_is_used_alone_where_it_has_more_labels():
    frame = Frame({"holdout": {0: 100}, "served": {0: 500}, "withheld": {0: 400}})
    given = labels(("holdout", 0, 50, 0.5), ("served", 0, 100, 0.2), ("withheld", 0, 80, 0.2))
    found = plan(given, frame, 50)
    assert sums(found, given) == {"holdout": 0, "served": 500, "withheld": 400}
    assert found.left_out == {"other_arm_labels": 50}


def test_few_labels_of_both_arms_are_weighted_to_their_own_frames():
    frame = Frame({"holdout": {0: 100}, "served": {0: 500}, "withheld": {0: 400}})
    given = labels(("holdout", 0, 50, 0.5), ("served", 0, 100, 0.2))
    found = plan(given, frame, 200)
    assert sums(found, given) == {"holdout": 100, "served": 500}
    assert found.blind == (Blind("withheld"),)
    assert "labels of both arms" in found.notes[-1]


def test_requests_that_the_tier_was_not_asked_are_a_stratum_of_their_own():
    frame = Frame({"served": {0: 300}, "unasked": {0: 700}})
    given = labels(("served", 0, 150, 0.5), ("unasked", 0, 70, 0.1))
    assert sums(plan(given, frame, 50), given) == {"served": 300, "unasked": 700}


def test_a_frame_is_made_of_counted_rows():
    frame = frame_of([("served", 5, 2), ("withheld", 4, 1), ("served", 4, 3)])
    assert frame.count("served") == 5
    assert frame.count("served", frozenset({4})) == 3
    assert frame.count("holdout") == 0
    assert frame.hours == [4, 5]
