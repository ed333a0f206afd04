"""Label rows: none, and which ones are the same."""

from dataclasses import replace

import numpy as np

from undertow.records.label_rows import LabelRows, no_label_rows


def rows(texts, places):
    one = np.arange(len(places))
    whole = dict.fromkeys(
        ("available", "decided", "tier", "arm", "eligible", "signal", "selection", "basis", "stratum"), one
    )
    return LabelRows(
        decision=one.astype(np.uint64), **whole, failure=one / 10, weight=one + 1.0, segments=np.zeros((len(one), 1), dtype=np.int64),
        text=np.array(places), texts=texts,
    )  # fmt: skip


def test_none():
    assert len(no_label_rows()) == 0
    assert no_label_rows() == no_label_rows()


def test_rows_are_the_same_whatever_the_order_of_the_texts():
    assert rows(("a", "b"), [0, 1, -1]) == rows(("b", "a"), [1, 0, -1])
    assert rows(("a", "b"), [0, 1, -1]) != rows(("a", "b"), [1, 0, -1])
    assert replace(rows(("a",), [0]), left_out=3) != rows(("a",), [0])
    assert rows(("a",), [0]) != "rows"


def test_texts_are_not_in_what_is_shown_of_rows():
    assert "a secret" not in repr(rows(("a secret",), [0]))
