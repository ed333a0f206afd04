"""The process that has the encoder: `python -m undertow.adapters.classifiers.sidecar --artefact FILE --socket PATH`.

One for all workers of a gateway, so that none of them needs NumPy and 170 MB. It answers one question after the other; one
whose asker has given up is skipped, so that a burst does not make everything after it late. For the lines that it speaks see
`undertow.adapters.classifiers.embedding`.

It writes `{"ready": true}` to standard output once it listens, and ends on SIGTERM, on SIGINT and, with `--until-stdin-closes`,
when the process that started it is gone. Texts are neither kept nor written anywhere.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from undertow.adapters.classifiers.embedding import MAX_LINE_BYTES, SCHEMA
from undertow.adapters.classifiers.encoder import Encoder, SentenceEncoder
from undertow.adapters.classifiers.loading import read_artefact
from undertow.adapters.classifiers.text import sigmoid
from undertow.errors import ConfigError, UndertowError
from undertow.policies.artefact import Artefact, unpack_weights

MAX_WAITING = 512
MAX_SOCKET_PATH_BYTES = 100
"""What every system allows a local socket's path to have."""

Score = Callable[[str], float]


def scorer(artefact: Artefact, encoder: Encoder, where: str) -> Score:
    """The function that an embedding artefact stands for.

    Raises:
        ConfigError: It is no embedding classifier, or was trained with another encoder.
    """
    if artefact.method != "embedding":
        raise ConfigError(f"{where}: method {artefact.method!r} needs no sidecar; only embedding does")
    if artefact.features != encoder.name:
        raise ConfigError(
            f"{where}: trained with {artefact.features[:80]!r}, and {encoder.name!r} is installed; train it again or install that"
        )
    weights, intercept = unpack_weights(artefact, where), artefact.intercept

    def score(text: str) -> float:
        [vector] = encoder.encode([text]).tolist()
        return sigmoid(sum(x * w for x, w in zip(vector, weights, strict=True)) + intercept)

    score("warm up: the encoder reads its weights when it is first used")
    return score


class Sidecar:
    """Answers questions on a local socket.

    Args:
        score: Probability for a text; runs in a thread of its own.
        version: Hash of the artefact.
    """

    def __init__(self, score: Score, version: str) -> None:
        self._score = score
        self._greeting = {"schema": SCHEMA, "version": version}
        self._waiting: deque[_Question] = deque()
        self._arrived = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._talks: set[asyncio.Task[Any]] = set()

    async def serve(self, socket: Path, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Listen until `stop` is set. The socket is for this user alone, and is removed in the end.

        Raises:
            ConfigError: Something that is no socket stands at its path, or the path is too long for one.
            OSError: It cannot be made.
        """
        _make_room(socket)
        before = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._talk, str(socket), limit=MAX_LINE_BYTES)
        finally:
            os.umask(before)
        try:
            with ThreadPoolExecutor(max_workers=1) as pool:
                answering = asyncio.get_running_loop().create_task(self._answer(pool))
                ready()
                await stop.wait()
                answering.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await answering
        finally:
            server.close()
            for writer in list(self._writers):
                writer.close()
            await asyncio.gather(*self._talks, return_exceptions=True)
            await server.wait_closed()
            _remove(socket)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked: dict[int, _Question] = {}
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)
        self._writers.add(writer)
        _send(writer, self._greeting)
        try:
            while line := await reader.readline():
                message = json.loads(line)
                number = message["id"]
                if message.get("cancel"):
                    if question := asked.pop(number, None):
                        question.is_wanted = False
                elif len(self._waiting) >= MAX_WAITING:
                    _send(writer, {"id": number, "error": "busy"})
                else:
                    asked[number] = _Question(number, str(message["text"]), writer, asked)
                    self._waiting.append(asked[number])
                    self._arrived.set()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass  # it does not speak our lines: closed below
        finally:
            for question in asked.values():
                question.is_wanted = False
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, pool: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            while self._waiting:
                question = self._waiting.popleft()
                if not question.is_wanted:
                    continue
                answer: dict[str, Any] = {"id": question.number}
                try:
                    answer["probability"] = await loop.run_in_executor(pool, self._score, question.text)
                except Exception as error:  # noqa: BLE001 (the encoder is somebody else's: whatever it raises, the asker is told)
                    answer["error"] = type(error).__name__
                question.asked.pop(question.number, None)
                _send(question.writer, answer)
            self._arrived.clear()


class _Question:
    """One text that waits. `is_wanted` turns false when its asker gives up."""

    __slots__ = ("asked", "is_wanted", "number", "text", "writer")

    def __init__(self, number: int, text: str, writer: asyncio.StreamWriter, asked: "dict[int, _Question]") -> None:
        self.number, self.text, self.writer, self.asked = number, text, writer, asked
        self.is_wanted = True


def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    if not writer.is_closing():
        writer.write(json.dumps(message).encode() + b"\n")


def _make_room(socket: Path) -> None:
    if len(os.fsencode(socket)) > MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            f"{socket}: too long for a local socket ({MAX_SOCKET_PATH_BYTES} bytes); choose a shorter path"
        )
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(socket.lstat().st_mode):
            raise ConfigError(f"{socket}: something that is no socket stands here; choose another path")
        socket.unlink()


def _remove(socket: Path) -> None:
    socket.unlink(missing_ok=True)


async def _run(score: Score, version: str, socket: Path, *, until_stdin_closes: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        loop.add_reader(sys.stdin.fileno(), lambda: os.read(sys.stdin.fileno(), 4096) or stop.set())
    await Sidecar(score, version).serve(socket, stop, lambda: print('{"ready": true}', flush=True))  # noqa: T201 (what its starter waits for)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; the exit status (2: it cannot serve, and standard error says why)."""
    parser = argparse.ArgumentParser(prog="python -m undertow.adapters.classifiers.sidecar", description=__doc__)
    parser.add_argument("--artefact", type=Path, required=True, help="file that `undertow train` wrote")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--threads", type=int, default=1, help="threads of the encoder")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when whoever started it is gone")
    given = parser.parse_args(arguments)
    try:
        artefact, version = read_artefact(given.artefact)
        score = scorer(artefact, SentenceEncoder(given.threads), str(given.artefact))
        asyncio.run(_run(score, version, given.socket, until_stdin_closes=given.until_stdin_closes))
    except (UndertowError, OSError) as error:
        print(f"undertow: error: {error}", file=sys.stderr)  # noqa: T201 (its only way to say why)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
