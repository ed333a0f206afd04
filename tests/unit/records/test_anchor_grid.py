"""Dense counts of judged pairs: late ones and those that steering drew for other segments are left out."""

from dataclasses import replace

import numpy as np
import pytest

from cells_factory import FIRST, build, served
from undertow.records.anchor_grid import anchor_grid, judges_with_anchor
from undertow.records.cells import AnchorCells


def cells(*rows):
    """Rows (available, decided, segment, stratum, steered, judge, human, judge outcome, human outcome, n)."""
    names = (
        "available",
        "decided",
        "segment",
        "stratum",
        "steered",
        "judge",
        "human",
        "judge_outcome",
        "human_outcome",
        "n",
    )
    columns = {name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}
    columns["available"] = columns["available"] + FIRST
    columns["decided"] = columns["decided"] + FIRST
    table = AnchorCells(**columns, tier=np.zeros(len(rows), dtype=np.int64), weight=2.0 * columns["n"])
    return replace(build(served("cheap", 10, days=6, segment="x=1"), tiers=("cheap", "capable")), anchors=table)


ROWS = [
    (0, 0, 0, 0, 0, 5, 3, 2, 1, 4.0),
    (0, 0, 0, 1, 0, 5, -1, 2, -1, 6.0),
    (5, 1, 0, 0, 0, 5, 3, 1, 1, 1.0),  # four days late
    (1, 1, 0, 0, 1, 5, -1, 0, -1, 8.0),  # drawn by steering to x=1
    (1, 1, 1, 0, 1, 5, -1, 0, -1, 8.0),
    (1, 1, 0, 0, 0, 6, 3, 1, 1, 3.0),
]  # fmt: skip


def grid(segment=0, settling=None, judge=5):
    return anchor_grid(cells(*ROWS), judge, 0, segment, first_bucket=FIRST, buckets=6, settling=settling)


def test_counts_lie_where_they_belong():
    found = grid()
    assert found.labelled.shape == (6, 2, 3, 3)
    assert found.labelled[0, 0, 1, 2] == 4.0
    assert found.unlabelled[0, 1, 2] == 6.0
    assert found.weight[0].tolist() == [8.0, 12.0]


def test_late_verdicts_are_left_out_of_monitors_alone():
    assert grid().labelled[1].sum() == 1.0
    assert grid(settling=3).labelled[1].sum() == 0.0


def test_steered_pairs_are_their_own_segments():
    assert grid().unlabelled[1].sum() == 0.0
    assert grid(segment=1).unlabelled[1, 0, 0] == 8.0


@pytest.mark.parametrize(("judge", "labelled"), [(5, 5.0), (6, 3.0)])
def test_judges_are_kept_apart(judge, labelled):
    assert grid(judge=judge).labelled.sum() == labelled
    assert judges_with_anchor(cells(*ROWS)) == (5, 6)
