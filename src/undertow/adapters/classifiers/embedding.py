"""The embedding classifier as a data-plane worker sees it: a question over a local socket to the sidecar that has the encoder.

Lines of JSON in both directions. The sidecar greets with `{"schema": ..., "version": ...}`; then `{"id": 1, "text": "..."}` is
answered by `{"id": 1, "probability": 0.8}` or `{"id": 1, "error": "..."}`, in any order; `{"id": 1, "cancel": true}` takes a
question back. One connection serves all requests of a worker.
"""

import asyncio
import contextlib
import json
import math
from typing import Any

from undertow.adapters.classifiers.encoder import MAX_CHARS
from undertow.ports.classifier import ClassifierError

SCHEMA = "undertow.sidecar/1"
MAX_LINE_BYTES = 64_000
MAX_BUFFER_BYTES = 1_000_000


class EmbeddingClassifier:
    """Asks the sidecar; connects when first asked, and again after the sidecar was restarted.

    Args:
        socket: Path of the sidecar's socket.
        version: Hash of the artefact that the sidecar must have loaded.
        patience_s: After this long without an answer it fails, whatever time the caller allows.
        pause_s: How long it fails at once, after connecting failed.
    """

    def __init__(self, socket: str, version: str, *, patience_s: float = 2.0, pause_s: float = 0.5) -> None:
        self._socket = socket
        self._version = version
        self._patience_s = patience_s
        self._pause_s = pause_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[_Connection | None] | None = None
        self._retry_at = 0.0

    @property
    def version(self) -> str:
        """Hash of the artefact."""
        return self._version

    async def probability(self, text: str) -> float:
        """See `undertow.ports.classifier.Classifier`. May be cancelled at any time: the question is then taken back.

        Raises:
            ClassifierError: The sidecar is not there, has another artefact, failed, or took too long.
        """
        try:
            async with asyncio.timeout(self._patience_s):
                connection = await self._connected()
                return await connection.ask(text[:MAX_CHARS])
        except TimeoutError:
            raise ClassifierError("the classifier's sidecar did not answer in time") from None

    async def aclose(self) -> None:
        """Close the connection; questions that wait for an answer fail."""
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
        if self._connection is not None:
            await self._connection.aclose()
        self._connection = self._connecting = None

    async def _connected(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # an in-process client may live longer than one event loop
            self._loop, self._connection, self._connecting, self._retry_at = loop, None, None, 0.0
        if self._connection is not None and self._connection.is_open:
            return self._connection
        if self._connecting is None:
            if loop.time() < self._retry_at:
                raise ClassifierError("the classifier's sidecar is not there")
            self._connecting = loop.create_task(self._connect())
        # A request that is given up must not take the connection away from those that wait with it.
        connection = await asyncio.shield(self._connecting)
        if connection is None:
            raise ClassifierError("the classifier's sidecar is not there")
        return connection

    async def _connect(self) -> "_Connection | None":
        try:
            async with asyncio.timeout(self._patience_s):
                self._connection = await _Connection.open(self._socket, self._version)
        except (OSError, ValueError, RecursionError, ClassifierError):  # TimeoutError is an OSError
            self._connection = None
            self._retry_at = asyncio.get_running_loop().time() + self._pause_s
        finally:
            self._connecting = None
        return self._connection


def _check_greeting(line: bytes, version: str) -> None:
    greeting = json.loads(line or b"null")
    if not isinstance(greeting, dict) or greeting.get("schema") != SCHEMA or greeting.get("version") != version:
        raise ClassifierError("the classifier's sidecar has loaded another artefact")


class _Connection:
    """One connection with the questions that wait on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[float]] = {}
        self._last_id = 0
        self.is_open = True
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    @classmethod
    async def open(cls, socket: str, version: str) -> "_Connection":
        reader, writer = await asyncio.open_unix_connection(socket, limit=MAX_LINE_BYTES)
        try:
            _check_greeting(await reader.readline(), version)
        except BaseException:
            writer.close()
            raise
        return cls(reader, writer)

    async def ask(self, text: str) -> float:
        if not self.is_open or self._writer.transport.get_write_buffer_size() > MAX_BUFFER_BYTES:
            raise ClassifierError("the classifier's sidecar does not keep up")
        self._last_id += 1
        number = self._last_id
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "text": text})
        try:
            return await answer
        except asyncio.CancelledError:
            if self.is_open:
                self._send({"id": number, "cancel": True})
            raise
        finally:
            del self._waiting[number]

    def _send(self, message: dict[str, Any]) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(json.loads(line))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass  # whatever came was no answer: the connection is given up, and the next question opens another
        finally:
            self.is_open = False
            self._writer.close()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ClassifierError("the classifier's sidecar went away"))

    def _take(self, message: dict[str, Any]) -> None:
        answer = self._waiting.get(message["id"])
        if answer is None or answer.done():
            return
        probability = message.get("probability")
        if isinstance(probability, int | float) and math.isfinite(probability) and 0.0 <= probability <= 1.0:
            answer.set_result(float(probability))
        else:
            answer.set_exception(ClassifierError("the classifier's sidecar failed"))

    async def aclose(self) -> None:
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
