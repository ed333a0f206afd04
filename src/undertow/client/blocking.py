"""`undertow.Client`: the in-process client for plain calls, from any thread, and where an event loop already runs.

The work is done on an event loop in a thread of the client's own. The thread starts with the first call and sleeps between calls,
so that a process that is frozen meanwhile misses nothing.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from undertow.client.answer import Answer, Fields
from undertow.client.in_process import Asked, AsyncClient, Chat, Creator
from undertow.client.reply import AsyncStream
from undertow.client.sink import Sink
from undertow.records.serving import ServingPlan

T = TypeVar("T")
JOIN_S = 5.0


class Client:
    """The gateway in this process, for plain calls; see `AsyncClient` for what it takes. Threads may share one.

    Examples:
        >>> client = Client("undertow.toml")  # doctest: +SKIP
        >>> answer = client.chat.completions.create(model="auto", messages=[])  # doctest: +SKIP
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | ServingPlan | None = None,
        *,
        sink: "str | os.PathLike[str] | Sink | None" = None,
        sink_options: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._client = AsyncClient(config, sink=sink, sink_options=sink_options, env=env)
        self._thread = LoopThread()
        self.chat = Chat(self._create)
        self.messages = Creator(self._create, "messages")
        self.responses = Creator(self._create, "responses")

    @property
    def models(self) -> tuple[str, ...]:
        """Model names that can be asked for, what is routed first."""
        return self._client.models

    @property
    def sink(self) -> Sink:
        """Where records go."""
        return self._client.sink

    def feedback(self, decision_id: str | None = None, **fields: Any) -> bool:
        """Keep one signal; see `AsyncClient.feedback`."""
        return self._thread.run(self._client.feedback(decision_id, **fields))

    def outcome(self, name: str, value: float, **fields: Any) -> bool:
        """Keep one business outcome; see `AsyncClient.outcome`."""
        return self._thread.run(self._client.outcome(name, value, **fields))

    def flush(self) -> None:
        """Bring everything that was recorded to where it is kept; see `AsyncClient.flush`."""
        self._thread.run(self._client.flush())

    def close(self) -> None:
        """Flush and close. Further calls do nothing.

        Raises:
            OSError: Not all records could be written.
        """
        self._thread.close(self._client.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        thread = getattr(self, "_thread", None)
        if thread is not None:
            thread.close_soon(self._client.aclose, self._client.sink)

    def _create(self, asked: Asked, body: Mapping[str, Any]) -> "Answer | Stream":
        answer = self._thread.run(self._client._create(asked, body))  # noqa: SLF001 (the same thing, in plain calls)
        return Stream(answer, self) if isinstance(answer, AsyncStream) else answer


class Stream:
    """The chunks of a streamed answer, each a JSON object. Read it to its end or close it: `with` does.

    Attributes:
        undertow: Who serves it: decision_id, tier, model, policy, confidence.
    """

    def __init__(self, stream: AsyncStream, client: Client) -> None:
        self.undertow = stream.undertow
        self._stream = stream
        self._client = client  # a client lives as long as its streams
        self._run: Callable[[Coroutine[Any, Any, Any]], Any] = client._thread.run  # noqa: SLF001

    def __iter__(self) -> Iterator[Fields]:
        return self

    def __next__(self) -> Fields:
        chunk = self._stream.take()
        if chunk is None and self._run(self._stream.filled()):
            chunk = self._stream.take()
        if chunk is None:
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Stop; see `AsyncStream.aclose`."""
        self._run(self._stream.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LoopThread:
    """An event loop in a thread of its own, which starts with the first call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self._is_closed = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it, and wait. If waiting is interrupted (Ctrl-C), so is the work.

        Raises:
            RuntimeError: Closed, forked, or called from within its own work.
        """
        try:
            with self._lock:
                loop = self._started()
        except BaseException:
            work.close()
            raise
        return _wait(asyncio.run_coroutine_threadsafe(work, loop))

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `last`, then end the thread. Once: a further call does nothing."""
        if os.getpid() != self._process:
            return
        with self._lock:
            if self._is_closed:
                return
            loop = self._started()
            self._is_closed = True
        try:
            _wait(asyncio.run_coroutine_threadsafe(last(), loop))
        finally:
            loop.call_soon_threadsafe(loop.stop)
            if self._thread is not None:
                self._thread.join(JOIN_S)

    def close_soon(self, last: Callable[[], Coroutine[Any, Any, None]], sink: Sink) -> None:
        """The same without waiting: the garbage collector calls it, in any thread and at any time."""
        if self._is_closed or os.getpid() != self._process or sys.is_finalizing():
            return
        self._is_closed = True
        loop = self._loop
        if loop is None:  # never used
            sink.close()
        else:
            asyncio.run_coroutine_threadsafe(last(), loop).add_done_callback(
                lambda _: loop.call_soon_threadsafe(loop.stop)
            )

    def _started(self) -> asyncio.AbstractEventLoop:
        if os.getpid() != self._process:
            raise RuntimeError("the client was made before this process was forked; make one in each process")
        if self._is_closed:
            raise RuntimeError("the client is closed")
        if threading.current_thread() is self._thread:
            raise RuntimeError("a plain call from within the client's own work would wait for itself")
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_serve, args=(self._loop,), name="undertow-client", daemon=True)
            self._thread.start()
        return self._loop


def _wait(future: Future[T]) -> T:
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:  # requests that were on their way when the client was closed
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
