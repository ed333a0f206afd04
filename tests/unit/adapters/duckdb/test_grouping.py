"""Codes and roll-up."""

from dataclasses import replace

import duckdb
import numpy as np

from undertow.adapters.duckdb.grouping import Vocabulary, empty, make_types, number_segments, roll_up
from undertow.adapters.duckdb.segments import SegmentPlan
from undertow.records.cells import ConfidenceCells, LabelCells
from undertow.records.segment import WHOLE, Segment


def test_keys_without_values_and_crowded_keys_are_not_counted() -> None:
    plan = SegmentPlan(("a", "b", "c"), ((0, 1), (2,)))
    vocabulary = number_segments(plan, {"a": ("x", "y"), "b": (), "c": ("z",)}, ("b",))
    assert vocabulary.segments == (WHOLE, Segment("a", "x"), Segment("a", "y"), Segment("c", "z"))
    assert vocabulary.plan.groups == ((0,), (2,))
    assert vocabulary.first_code[2] == 3


def test_roll_up_counts_the_whole_tier_once_and_each_segment_once() -> None:
    engine = duckdb.connect()
    plan = SegmentPlan(("a",), ((0,),))
    vocabulary = Vocabulary(("cheap",), (WHOLE, Segment("a", "it's")), plan, {0: 1})
    make_types(engine, vocabulary)
    engine.execute(
        "CREATE TABLE j AS FROM (VALUES (1, 'cheap', 'it''s', 3, 2, 0.5, 0.25), (1, 'cheap', NULL, 3, 1, 1.0, 1.0), "
        "(0, NULL, 'crowded', 3, 1, 1.0, 1.0)) t(bucket, tier, segment_0, bin, n, total, total_sq)"
    )
    cells = roll_up(engine, ConfidenceCells, [("j", (0,))], vocabulary, ("bucket", "tier", "segment", "bin"))
    assert cells.bucket.tolist() == [0, 1, 1]
    assert cells.tier.tolist() == [-1, 0, 0]
    assert cells.segment.tolist() == [0, 0, 1]
    assert cells.n.tolist() == [1, 3, 2]
    assert cells.total.tolist() == [1.0, 1.5, 0.5]
    assert (cells.n.dtype, cells.total.dtype) == (np.int64, np.float64)


def test_empty_tables_have_the_right_types() -> None:
    cells = empty(LabelCells)
    assert len(cells) == 0
    assert cells.tier.dtype == np.int64
    assert cells.weight.dtype == np.float64


def test_segments_are_numbered_beyond_a_byte() -> None:
    """Codes of sixty values are bytes to the engine, and so is the first code of the fifth such key."""
    engine = duckdb.connect()
    values = tuple(f"v{number:02}" for number in range(60))
    plan = SegmentPlan(tuple("abcdef"), (tuple(range(6)),))
    vocabulary = number_segments(plan, dict.fromkeys("abcdef", values), ())
    vocabulary = replace(vocabulary, tiers=("cheap",))
    make_types(engine, vocabulary)
    columns = ", ".join(f"printf('v%02d', i) AS segment_{place}" for place in range(6))
    engine.execute(
        f"CREATE TABLE j AS SELECT 1 AS bucket, 'cheap' AS tier, 3 AS bin, 1 AS n, 1.0 AS total, 1.0 AS total_sq, {columns} FROM range(60) r(i)"
    )
    cells = roll_up(engine, ConfidenceCells, [("j", tuple(range(6)))], vocabulary, ("bucket", "tier", "segment", "bin"))
    assert cells.segment.tolist() == list(range(361))
    assert cells.n.tolist() == [60] + [1] * 360
