"""Labelled answers as columns."""

import numpy as np

from undertow.records.labelled_answers import LabelledAnswers


def test_all_rows_are_labelled_unless_it_is_said_which():
    good = np.array([True, False, True])
    plain = LabelledAnswers({}, good, np.ones(3))
    assert len(plain) == 3
    assert plain.is_labelled.tolist() == [True] * 3
    known = np.array([True, False, False])
    assert LabelledAnswers({}, good, np.ones(3), known=known).is_labelled is known


def test_texts_are_never_shown():
    assert "secret" not in repr(LabelledAnswers({}, np.ones(1, bool), np.ones(1), texts=("secret",)))
