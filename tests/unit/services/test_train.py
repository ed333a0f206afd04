"""Training: what it learns, what it says of itself, and when it refuses."""

import random
import sys

import numpy as np
import pytest

from undertow.errors import DataError, UsageError
from undertow.records.training import Example, LabelledTexts
from undertow.services import train as module
from undertow.services.train import advise, auroc, fold_of, outcome, text_matrix, train

EASY = ("where is my parcel", "what are your opening hours", "how do i change my address", "reset my password")
HARD = ("dispute a fraudulent transfer", "explain the tax on my pension", "chargeback on a stolen card", "legal claim")


def labelled(n=120, noise=0.0, seed=1, weights=(1.0,), **other):
    drawn = random.Random(seed)
    examples = []
    for number in range(n):
        is_easy = number % 2 == 0
        text = f"{drawn.choice(EASY if is_easy else HARD)} {drawn.randrange(1000)}"
        examples.append(Example(text, is_easy != (drawn.random() < noise), drawn.choice(weights)))
    return LabelledTexts(tuple(examples), "column label", **other)


def test_it_learns_what_can_be_learned():
    trained = train(labelled())
    assert trained.auroc.value > 0.95
    assert trained.trained_on.labels == 120
    assert trained.trained_on.easy == 60
    assert trained.trained_on.easy_share == 0.5
    assert trained.advised_threshold is not None


def test_without_a_signal_it_says_so():
    for seed in range(3):
        trained = train(labelled(noise=0.5, seed=seed, n=200))
        assert trained.auroc.interval[0] < 0.5
        assert trained.advised_threshold is None


def test_the_same_seed_gives_the_same_and_progress_is_told():
    told = []
    one = train(labelled(), seed=3, progress=lambda stage, *_: told.append(stage))
    assert one == train(labelled(), seed=3)
    assert {"reading texts", "cross-validation", "fitting"} <= set(told)


def test_equal_texts_are_never_on_both_sides():
    assert fold_of("Where  is it", 1) == fold_of("where is IT ", 1)
    assert {fold_of(f"text {n}", 1) for n in range(50)} == set(range(5))
    assert [fold_of(f"text {n}", 1) for n in range(50)] != [fold_of(f"text {n}", 2) for n in range(50)]


def test_weights_undo_the_sampling():
    # Hard requests were labelled ten times as often.
    examples = [Example(e.text, e.is_easy, 10.0 if e.is_easy else 1.0) for e in labelled().examples]
    trained = train(LabelledTexts(tuple(examples), "review"))
    assert trained.trained_on.easy_share == pytest.approx(10 / 11)
    assert trained.thresholds[0].cheap_share == pytest.approx(10 / 11, abs=0.05)


def test_few_labels_are_refused_with_how_many_are_missing():
    with pytest.raises(DataError, match=r"20 labels .*left out: 7 no_text.* 30 more"):
        train(labelled(20, reasons={"no_text": 7}))
    with pytest.raises(DataError, match="0 labels"):
        train(LabelledTexts((), "review"))


def test_one_class_is_refused():
    only = tuple(Example(e.text, True) for e in labelled().examples)
    with pytest.raises(DataError, match=r"all 120 labels .* are easy"):
        train(LabelledTexts(only, "column label"))
    with pytest.raises(DataError, match="are hard"):
        train(LabelledTexts(tuple(Example(e.text, False) for e in only), "column label"))


def test_too_few_different_texts_are_refused():
    same = tuple(Example("easy text" if n % 2 else "hard text", bool(n % 2)) for n in range(100))
    with pytest.raises(DataError, match="too few different texts"):
        train(LabelledTexts(same, "column label"))


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(UsageError, match=r"pip install 'undertow\[train\]'"):
        train(labelled())


def test_more_labels_than_needed_are_sampled(monkeypatch):
    monkeypatch.setattr(module, "MAX_EXAMPLES", 80)
    trained = train(labelled())
    assert trained.trained_on.labels == 80
    assert "80 of 120" in trained.notes[0]


def test_few_of_the_rarer_sort_are_noted():
    examples = tuple(e for e in labelled(240).examples if e.is_easy) + labelled(20, seed=9).examples[1::2]
    assert any("10 labels of the rarer sort" in note for note in train(LabelledTexts(examples, "x")).notes)


def test_auroc_compares_examples_of_one_fold_and_says_its_level():
    score, easy = np.array([0.9, 0.8, 0.2, 0.1]), np.array([False, False, True, True])
    area = auroc(score, easy, np.ones(4), np.array([0, 0, 1, 1]), level=0.9)
    assert (area.value, area.level, area.folds) == (0.5, 0.9, 5)
    assert area.interval[0] < 0.5 < area.interval[1]


def test_thresholds():
    score, easy, weight = (
        np.array([0.9, 0.8, 0.7, 0.1]),
        np.array([True, False, True, False]),
        np.array([1.0, 1.0, 2.0, 4.0]),
    )
    at = outcome(score, easy, weight, 0.7)
    assert (at.cheap_share, at.failure_rate) == (0.5, 0.25)
    assert outcome(score, easy, weight, 0.95).failure_rate is None
    # 1/8 fails among all from 0.8 down to just above 0.1, nothing above 0.8.
    assert advise(score, easy, weight, 0.2) == pytest.approx(0.105)
    assert advise(score, easy, weight, 0.1) == pytest.approx(0.805)
    assert advise(score, ~easy, weight, 0.01) is None


def test_features_have_length_one():
    matrix = text_matrix(["where is my parcel", "x"])
    assert np.allclose(np.asarray(matrix.power(2).sum(axis=1)).ravel(), 1.0)
