"""The client of the sidecar: it answers, fails at once or is cancelled, and finds a sidecar that came back."""

import asyncio
import json

import pytest

from undertow.adapters.classifiers.embedding import SCHEMA, EmbeddingClassifier
from undertow.ports.classifier import ClassifierError

GREETING = {"schema": SCHEMA, "version": "v1"}


class FakeSidecar:
    """Answers each line with what `reply` makes of it; None: nothing."""

    def __init__(self, path, reply, greeting=GREETING):
        self.path, self.reply, self.greeting = path, reply, greeting
        self.lines, self.writers, self.connections = [], [], 0

    async def __aenter__(self):
        self.server = await asyncio.start_unix_server(self.talk, self.path)
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for writer in self.writers:
            writer.close()
        await self.server.wait_closed()
        await asyncio.sleep(0)

    async def talk(self, reader, writer):
        self.connections += 1
        self.writers.append(writer)
        writer.write(json.dumps(self.greeting).encode() + b"\n")
        while line := await reader.readline():
            message = json.loads(line)
            self.lines.append(message)
            answer = self.reply(message)
            if answer is not None:
                writer.write((answer if isinstance(answer, bytes) else json.dumps(answer).encode()) + b"\n")
        writer.close()


def run(tmp_path, reply, body, **options):
    async def inside():
        classifier = EmbeddingClassifier(str(tmp_path / "s"), "v1", pause_s=options.pop("pause_s", 0.01))
        async with FakeSidecar(tmp_path / "s", reply, **options) as sidecar:
            try:
                return await body(classifier, sidecar)
            finally:
                await classifier.aclose()

    return asyncio.run(inside())


def easy(message):
    return {"id": message["id"], "probability": 0.25} if "text" in message else None


def test_requests_share_one_connection_and_get_their_own_answers(tmp_path):
    def length(message):
        return {"id": message["id"], "probability": len(message["text"]) / 1000}

    async def body(classifier, sidecar):
        found = await asyncio.gather(*(classifier.probability("x" * n) for n in (1, 2, 900)))
        return found, sidecar.connections

    assert run(tmp_path, length, body) == ([0.001, 0.002, 0.4], 1)


@pytest.mark.parametrize(
    "reply",
    [
        lambda m: {"id": m["id"], "error": "busy"},
        lambda m: {"id": m["id"], "probability": 2.0},
        lambda m: {"id": m["id"], "probability": float("nan")},
        lambda m: {"id": m["id"], "probability": "0.5"},
        lambda _: b"not json",
        lambda _: b"[]",
        lambda _: b"x" * 100_000,
    ],
)
def test_what_is_no_probability_is_an_error(tmp_path, reply):
    async def body(classifier, _):
        with pytest.raises(ClassifierError):
            await classifier.probability("text")

    run(tmp_path, reply, body)


@pytest.mark.parametrize("greeting", [{"schema": SCHEMA, "version": "v2"}, {"schema": "other", "version": "v1"}, []])
def test_a_sidecar_with_another_artefact_is_not_asked(tmp_path, greeting):
    async def body(classifier, sidecar):
        with pytest.raises(ClassifierError):
            await classifier.probability("text")
        return sidecar.lines

    assert run(tmp_path, easy, body, greeting=greeting) == []


def test_a_caller_may_give_up_at_any_time_and_takes_its_question_back(tmp_path):
    async def body(classifier, sidecar):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await classifier.probability("slow")
        while len(sidecar.lines) < 2:  # noqa: ASYNC110 (a fake has no event)
            await asyncio.sleep(0.001)
        return sidecar.lines

    asked, taken_back = run(tmp_path, lambda _: None, body)
    assert taken_back == {"id": asked["id"], "cancel": True}


def test_a_sidecar_that_comes_back_is_found(tmp_path):
    async def inside():
        classifier = EmbeddingClassifier(str(tmp_path / "s"), "v1", pause_s=0.0)
        with pytest.raises(ClassifierError):
            await classifier.probability("text")
        for _ in range(2):
            async with FakeSidecar(tmp_path / "s", easy):
                assert await classifier.probability("text") == 0.25
            (tmp_path / "s").unlink(missing_ok=True)
            await asyncio.sleep(0.01)
        await classifier.aclose()

    asyncio.run(inside())


def test_after_a_failure_it_fails_at_once_for_a_while(tmp_path):
    async def inside():
        classifier = EmbeddingClassifier(str(tmp_path / "s"), "v1", pause_s=60.0)
        with pytest.raises(ClassifierError):
            await classifier.probability("text")
        async with FakeSidecar(tmp_path / "s", easy) as sidecar:
            with pytest.raises(ClassifierError):
                await classifier.probability("text")
            assert sidecar.connections == 0

    asyncio.run(inside())


def test_a_sidecar_that_dies_fails_those_who_wait(tmp_path):
    async def body(classifier, sidecar):
        asked = asyncio.ensure_future(classifier.probability("text"))
        while not sidecar.lines:  # noqa: ASYNC110 (a fake has no event)
            await asyncio.sleep(0.001)
        sidecar.writers[0].transport.abort()
        with pytest.raises(ClassifierError):
            await asked

    run(tmp_path, lambda _: None, body)


def test_it_gives_up_by_itself(tmp_path):
    async def body(_, sidecar):
        impatient = EmbeddingClassifier(str(tmp_path / "s"), "v1", patience_s=0.05)
        with pytest.raises(ClassifierError):
            await impatient.probability("text")
        await impatient.aclose()

    run(tmp_path, lambda _: None, body)
