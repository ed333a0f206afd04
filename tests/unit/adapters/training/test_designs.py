"""Labels of mixed sampling designs are told apart, and those of one are kept."""

import duckdb
import numpy as np
import pytest

from undertow.adapters.training.designs import (
    Design,
    Drawn,
    drawn_labels,
    one_design,
    reach_notes,
    set_others_aside,
)


def drawn(*rows):
    """Labels of rows decision, name, source, probability."""
    decision, name, given_by, probability = zip(*rows, strict=True)
    return Drawn(
        np.array(decision), np.array(name, dtype=object), np.array(given_by, dtype=object), np.array(probability)
    )


def two_designs(p, q, n=4000, tail=0.8, seed=1, names=("review.all", "review.tail"), sources=("", "")):
    """A plain sample of n decisions, and one of the tail."""
    rng = np.random.default_rng(seed)
    rows = [(i, names[0], sources[0], p) for i in range(n) if rng.random() < p]
    rows += [(i, names[1], sources[1], q) for i in range(int(tail * n)) if rng.random() < q]
    return drawn(*rows)


def test_one_design_is_left_as_it_is_whoever_gave_its_labels():
    rng = np.random.default_rng(1)
    chosen = [(i, 0.5 if i % 2 else 0.1) for i in range(4000) if rng.random() < (0.5 if i % 2 else 0.1)]
    raters = drawn(*((i, "review.accuracy", f"rater{i % 3}", p) for i, p in chosen))
    assert one_design(raters, 4000.0) is None
    twice = drawn(*((i, name, "", p) for i, p in chosen for name in ("review.accuracy", "review.tone")))
    assert one_design(twice, 4000.0) is None


@pytest.mark.parametrize(("p", "q"), [(0.2, 0.3), (0.1, 0.5), (0.05, 0.6)])
def test_a_design_that_reaches_all_comes_before_one_with_more_labels(p, q):
    labels = two_designs(p, q)
    assert (labels.name == "review.tail").sum() > (labels.name == "review.all").sum()
    assert one_design(labels, 4000.0) == Design("review.all")


def test_designs_of_one_name_are_told_by_their_source_and_else_by_their_probability():
    same = ("review.accuracy", "review.accuracy")
    assert one_design(two_designs(0.2, 0.3, names=same, sources=("a", "b")), 4000.0) == Design("review.accuracy", "a")
    assert one_design(two_designs(0.2, 0.3, names=same), 4000.0) == Design("review.accuracy", "", 0.2)


def test_designs_of_equal_probability_show_by_standing_for_more_requests_than_there_were():
    labels = two_designs(0.2, 0.2)
    assert one_design(labels, 4000.0) == Design("review.all")
    assert one_design(labels, 8000.0) is None
    assert one_design(labels, None) is None
    nameless = two_designs(0.2, 0.2, names=("review.accuracy", "review.accuracy"))
    assert one_design(nameless, 4000.0) is None
    (note,) = reach_notes(nameless, 4000.0)
    assert "there were 4,000" in note
    assert "its own source" in note


def test_of_two_designs_that_reach_all_the_one_with_more_labels_is_kept():
    assert one_design(two_designs(0.2, 0.3, tail=1.0), 4000.0) == Design("review.tail")


def test_where_no_reach_is_known_the_design_that_stands_for_most_is_kept():
    assert one_design(two_designs(0.2, 0.5), None) == Design("review.all")


def test_probabilities_that_all_differ_tell_no_design_but_are_looked_at_no_more_than_can_be():
    rows = [(i, "judge.quality", "", 0.5) for i in range(400)]
    rows += [(i, "judge.quality", "", 0.1 + i / 1000) for i in range(300)]
    assert one_design(drawn(*rows), 800.0) == Design("judge.quality", "", 0.5)


def test_labels_that_stand_for_far_fewer_requests_than_there_were_are_remarked_upon():
    few = drawn(*((i, "judge.quality", "", 0.5) for i in range(200)))
    assert "400 of 4,000 requests" in reach_notes(few, 4000.0)[0]
    assert reach_notes(few, 410.0) == []


def test_others_are_set_aside_in_the_table_with_their_reason():
    engine = duckdb.connect()
    engine.execute(
        """
        CREATE TABLE rated AS SELECT * FROM (VALUES
            ('d1', 'review', 'all', 'it''s', 0.1::DOUBLE, NULL::VARCHAR), ('d1', 'review', 'all', 'b', 0.3::DOUBLE, NULL), ('d2', 'review', NULL, '', 1.0::DOUBLE, NULL),
            ('d3', 'judge', 'all', '', 0.5::DOUBLE, NULL), ('d4', 'review', 'all', 'b', 0.3::DOUBLE, 'bad_value')
        ) t(decision_id, kind, name, given_by, probability, reason)
        """
    )
    labels = drawn_labels(engine, "kind = 'review'")
    assert sorted(labels.name.tolist()) == ["review.", "review.all", "review.all"]
    assert len(set(labels.decision.tolist())) == 2
    set_others_aside(engine, Design("review.all", "it's", 0.1), "kind = 'review'")
    assert engine.execute("SELECT reason, count(*) FROM rated GROUP BY 1 ORDER BY 1 NULLS LAST").fetchall() == [
        ("bad_value", 1),
        ("other_design", 2),
        (None, 2),
    ]
