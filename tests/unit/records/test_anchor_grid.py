"""Dense counts of judged pairs: late ones and those that steering drew for other segments are left out."""

from dataclasses import replace

import numpy as np
import pytest

from cells_factory import FIRST, build, served
from undertow.records.anchor_grid import anchor_grid, judges_with_anchor
from undertow.records.cells import AnchorCells


def cells(*rows, weight=2.0, human_weight=8.0):
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
    labelled = columns["human"] >= 0
    table = AnchorCells(
        **columns,
        tier=np.zeros(len(rows), dtype=np.int64),
        weight=weight * columns["n"],
        human_weight=human_weight * columns["n"] * labelled,
        weight_max=np.broadcast_to(weight, (len(rows),)).astype(float),
        ratio_max=human_weight / weight * labelled,
    )
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


def test_steered_pairs_count_everywhere_by_what_they_stand_for():
    assert grid(segment=1).unlabelled[1, 0, 0] == 8.0
    rows = [(0, 0, 0, 0, 0, 5, -1, 1, -1, 30.0), (0, 0, 0, 0, 1, 5, -1, 2, -1, 30.0)]
    found = anchor_grid(cells(*rows, weight=np.array([20.0, 2.0])), 5, 0, 0, first_bucket=FIRST, buckets=6)
    assert found.unlabelled[0, 0].tolist() == [0.0, 30.0, 3.0]


def test_where_people_look_more_often_no_more_pairs_count_as_labelled():
    """Of two halves of the traffic the judge calls one lost and people see all of that half, a tenth of the other."""
    rows = [
        (0, 0, 0, 0, 0, 5, 3, 2, 1, 100.0),
        (0, 0, 0, 0, 0, 5, 3, 1, 1, 10.0),
        (0, 0, 0, 0, 0, 5, -1, 1, -1, 90.0),
    ]
    known = cells(*rows, weight=2.0, human_weight=np.array([2.0, 20.0, 20.0]))
    found = anchor_grid(known, 5, 0, 0, first_bucket=FIRST, buckets=6)
    assert found.labelled[0, 0].sum(0).tolist() == [0.0, 10.0, 10.0]
    assert found.unlabelled[0, 0].tolist() == [0.0, 90.0, 90.0]


@pytest.mark.parametrize(("judge", "labelled"), [(5, 5.0), (6, 3.0)])
def test_judges_are_kept_apart(judge, labelled):
    assert grid(judge=judge).labelled.sum() == labelled
    assert judges_with_anchor(cells(*ROWS)) == (5, 6)
