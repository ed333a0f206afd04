from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.records.cells import (
    BehaviourCells,
    BinCells,
    CalibrationCells,
    CallCells,
    ConfidenceCells,
    ExposureCells,
    LabelCells,
    LatencyCells,
    ModelCells,
    OutcomeCells,
    SkippedCells,
    TrafficCells,
    no_cells,
)

TABLES = [
    TrafficCells, ConfidenceCells, ModelCells, LabelCells, OutcomeCells, ExposureCells, CallCells, LatencyCells, SkippedCells,
    BehaviourCells, BinCells, CalibrationCells,
]  # fmt: skip


def numbered(kind, n: int, start: int = 0):
    """A table whose column j holds start + j, start + j + 1, ..."""
    return kind(**{field.name: np.arange(n) + start + j for j, field in enumerate(fields(kind))})


@pytest.mark.parametrize("kind", TABLES)
def test_taking_keeps_the_rows_of_all_columns_together(kind):
    table = numbered(kind, 6)
    taken = table.take(np.array([False, True, False, True, True, False]))
    assert len(taken) == 3
    for j, field in enumerate(fields(kind)):
        np.testing.assert_array_equal(getattr(taken, field.name), np.array([1, 3, 4]) + j)
    assert len(table.take(np.array([5, 0]))) == 2
    assert len(table.take(np.zeros(6, dtype=bool))) == 0


@pytest.mark.parametrize("kind", TABLES)
@given(split=st.integers(0, 8))
def test_a_table_cut_anywhere_and_joined_is_the_same(kind, split):
    table = numbered(kind, 8)
    joined = table.take(np.arange(8) < split).concat(table.take(np.arange(8) >= split))
    for field in fields(kind):
        np.testing.assert_array_equal(getattr(joined, field.name), getattr(table, field.name))


@pytest.mark.parametrize("kind", TABLES)
def test_sums_of_parts_are_the_sum_of_the_whole(kind):
    one, other = numbered(kind, 3), numbered(kind, 5, start=100)
    name = fields(kind)[-1].name
    assert getattr(one.concat(other), name).sum() == getattr(one, name).sum() + getattr(other, name).sum()


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_without_cells_joins_any_other(kind):
    empty = no_cells(kind)
    assert len(empty) == 0
    assert len(empty.concat(numbered(kind, 3))) == 3
