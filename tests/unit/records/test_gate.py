"""Rows of a comparison: a part of them is the same part of every column."""

import numpy as np

from gate_factory import rows


def test_a_part_of_the_rows_is_that_part_of_every_column():
    compared = rows(50, 0.3, newly=0.5, blind=0.5)
    chosen = np.arange(50) % 3 == 0
    part = compared.where(chosen)
    assert len(part) == chosen.sum()
    for name in ("low", "high", "least", "most", "cheap", "weight", "labelled"):
        assert np.array_equal(getattr(part, name), getattr(compared, name)[chosen])
