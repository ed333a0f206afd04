"""The text classifier: the logistic of its features' weights."""

import asyncio
import math

import pytest

from classifier_factory import artefact, text_artefact
from undertow.adapters.classifiers.text import TextClassifier, sigmoid
from undertow.errors import ConfigError
from undertow.policies.features import BUCKETS, text_features


def test_it_tells_what_it_was_given_weights_for():
    classifier = TextClassifier.from_artefact(text_artefact(), "v1", "f.json")
    assert classifier.version == "v1"
    easy, hard = (
        asyncio.run(classifier.probability(text)) for text in ("Where is my parcel?", "a chargeback dispute of mine")
    )
    assert easy > 0.9
    assert hard < 0.1


def test_the_probability_is_the_logistic_of_the_mean_weight():
    buckets = text_features("hello there")
    weights = [0.0] * BUCKETS
    weights[next(iter(buckets))] = 3.0
    found = TextClassifier(weights, 0.25, "v").probability_of("hello there")
    assert found == pytest.approx(1 / (1 + math.exp(-(3 / math.sqrt(len(buckets)) + 0.25))))


@pytest.mark.parametrize("text", ["", " ", "\ud800", "\0" * 5000, "カード", "x" * 100_000])
def test_any_text_has_a_probability(text):
    assert 0 <= TextClassifier([1.0] * BUCKETS, 0.0, "v").probability_of(text) <= 1


def test_an_artefact_for_other_features_is_refused():
    with pytest.raises(ConfigError, match="trained for features 'old'"):
        TextClassifier.from_artefact(artefact(features="old"), "v", "f.json")


def test_the_logistic_function_does_not_overflow():
    assert sigmoid(-1e9) == 0.0
    assert sigmoid(1e9) == 1.0
    assert sigmoid(-2.0) == pytest.approx(1 - sigmoid(2.0))
