"""The load, in a process of its own: raw HTTP over keep-alive connections, every answer checked for being whole.

    python benchmarks/gateway/load.py closed --port 4040 --requests 20000 [--connections 32] [--stream] [--model auto] [--key K]
    python benchmarks/gateway/load.py turns --target direct=9001 --target undertow=4040 --requests 500 [--stream]

`closed`: each connection sends its next request when it has its answer; a fixed number of requests in all. `turns`: one
connection to each target, one request at a time, the targets in turn, so that a busy machine delays all of them alike.
Prints one JSON document.
"""

import argparse
import asyncio
import gc
import json
import socket
import statistics
import time
from typing import Any

import httptools
import uvloop

USERS = 200
FILLER = "My parcel has not come although the shop says that it was sent a week ago and I need it before the holiday. "


def request_body(number: int, model: str, *, stream: bool, seed: int) -> bytes:
    """A support question of 1.6 kB, as an application sends it: system prompt, three turns, user, labels.

    What `seed` means stands in mock.py.
    """
    document: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You answer questions about orders. Be brief and kind. " + FILLER * 3},
            {"role": "user", "content": "Where is order 4711? " + FILLER * 3},
            {"role": "assistant", "content": "Let me look that up for you. " + FILLER * 2},
            {"role": "user", "content": f"It is question {number % 997}. " + FILLER * 3},
        ],
        "temperature": 0.2,
        "seed": seed,
        "max_completion_tokens": 200,
        "user": f"user-{number % USERS}",
        "metadata": {"intent": ("billing", "delivery", "refund", "login")[number % 4], "channel": "chat"},
    }
    if stream:
        document |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(document, separators=(",", ":")).encode()


def request_bytes(number: int, model: str, key: str, *, stream: bool, seed: int) -> bytes:
    """The same with its head."""
    body = request_body(number, model, stream=stream, seed=seed)
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n"
        b"user-agent: OpenAI/Python 3.54.0\r\ncontent-type: application/json\r\n"
        + f"authorization: Bearer {key}\r\nx-undertow-conversation-id: c-{number % (USERS * 5)}\r\n".encode()
        + b"content-length: %d\r\n\r\n" % len(body)
        + body
    )


class Caller(asyncio.Protocol):
    """One connection. `done` is called with (seconds, seconds to the first event, whether the answer was whole and right)."""

    def __init__(self, done: Any) -> None:
        self._done = done
        self.reads = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport: Any = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = httptools.HttpResponseParser(self)

    def send(self, request: bytes) -> None:
        """Send one request."""
        self._size = 0
        self._first_s = 0.0
        self._tail = b""
        self._sent_s = time.perf_counter()
        self._transport.write(request)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:  # noqa: D102
        self.reads += 1
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:  # noqa: D102
        if not self._size:
            self._first_s = time.perf_counter() - self._sent_s
        self._size += len(piece)
        self._tail = piece if len(piece) >= 32 else self._tail[-32:] + piece

    def on_message_complete(self) -> None:  # noqa: D102
        elapsed_s = time.perf_counter() - self._sent_s
        tail = self._tail.rstrip()
        # What is left of the answer when a gateway takes out the log-probabilities that only it asked for has 700 bytes.
        is_right = self._parser.get_status_code() == 200 and self._size > 500
        is_right = is_right and (tail.endswith((b"[DONE]", b"}")))
        self._parser = httptools.HttpResponseParser(self)
        self._done(self, elapsed_s, self._first_s, is_right)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002, D102
        self._done(self, None, None, False)


async def _connect(port: int, done: Any) -> Caller:
    _, caller = await asyncio.get_running_loop().create_connection(lambda: Caller(done), "127.0.0.1", port)
    return caller


async def closed_loop(
    port: int,
    requests: int,
    *,
    connections: int = 32,
    model: str = "auto",
    key: str = "",
    stream: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Send a fixed number of requests, `connections` at a time."""
    # Made beforehand: what the generator itself costs should not slow the machine while it measures.
    ready = [request_bytes(number, model, key, stream=stream, seed=seed) for number in range(min(requests, 2000))]
    finished = asyncio.get_running_loop().create_future()
    times_s: list[float] = []
    first_s: list[float] = []
    counts = {"sent": 0, "wrong": 0, "lost": 0}

    def send_next(caller: Caller) -> None:
        if counts["sent"] < requests:
            caller.send(ready[counts["sent"] % len(ready)])
            counts["sent"] += 1

    def done(caller: Caller, elapsed_s: float | None, to_first_s: float | None, is_right: bool) -> None:
        if elapsed_s is None or to_first_s is None:
            counts["lost"] += 1
            if not finished.done():
                finished.set_result(None)
            return
        times_s.append(elapsed_s)
        first_s.append(to_first_s)
        counts["wrong"] += not is_right
        if len(times_s) == requests and not finished.done():
            finished.set_result(None)
        else:
            send_next(caller)

    callers = [await _connect(port, done) for _ in range(min(connections, requests))]
    began_s = time.perf_counter()
    for caller in callers:
        send_next(caller)
    await finished
    elapsed_s = time.perf_counter() - began_s
    lost = counts["lost"]
    reads = sum(caller.reads for caller in callers)
    for caller in callers:
        caller.close()
    return {
        "requests": len(times_s),
        "wrong": counts["wrong"],
        "lost": lost,
        "seconds": elapsed_s,
        "reads": reads,
        **_percentiles("", times_s),
        **_percentiles("first_", first_s),
    }


async def in_turns(
    targets: dict[str, int], requests: int, *, model: str = "auto", key: str = "", stream: bool = False, seed: int = 0
) -> dict[str, Any]:
    """One connection to each target and one request at a time, the targets in turn."""
    answers: asyncio.Queue[Any] = asyncio.Queue()
    callers = {name: await _connect(port, lambda *answer: answers.put_nowait(answer)) for name, port in targets.items()}
    times_s: dict[str, list[float]] = {name: [] for name in targets}
    first_s: dict[str, list[float]] = {name: [] for name in targets}
    wrong = 0
    warm_up = min(20, requests // 5)
    for number in range(requests + warm_up):
        request = request_bytes(number, model, key, stream=stream, seed=seed)
        for name, caller in callers.items():
            caller.send(request)
            _, elapsed_s, to_first_s, is_right = await answers.get()
            if elapsed_s is None:
                raise SystemExit(f"{name} closed the connection")
            wrong += not is_right
            if number >= warm_up:
                times_s[name].append(elapsed_s)
                first_s[name].append(to_first_s)
    for caller in callers.values():
        caller.close()
    return {
        "requests": requests,
        "wrong": wrong,
        "targets": {name: _percentiles("", times_s[name]) | _percentiles("first_", first_s[name]) for name in targets},
        "times_ms": {name: [round(value * 1e3, 4) for value in values] for name, values in times_s.items()},
        "first_ms": {name: [round(value * 1e3, 4) for value in values] for name, values in first_s.items()},
    }


def _percentiles(prefix: str, values_s: list[float]) -> dict[str, float]:
    if len(values_s) < 2:
        return {}
    cuts = statistics.quantiles(values_s, n=100, method="inclusive")
    return {f"{prefix}p50_ms": cuts[49] * 1e3, f"{prefix}p99_ms": cuts[98] * 1e3}


def main() -> None:
    """Run one of the two and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("closed", "turns"))
    parser.add_argument("--port", type=int)
    parser.add_argument("--target", action="append", default=[])
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--key", default="none")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    asked = {"model": arguments.model, "key": arguments.key, "stream": arguments.stream, "seed": arguments.seed}
    gc.disable()  # a pause of the generator must not pass for a pause of what it measures
    if arguments.mode == "closed":
        run = closed_loop(arguments.port, arguments.requests, connections=arguments.connections, **asked)
    else:
        targets = {name: int(port) for name, _, port in (target.partition("=") for target in arguments.target)}
        run = in_turns(targets, arguments.requests, **asked)
    print(json.dumps(uvloop.run(run)))


if __name__ == "__main__":
    main()
