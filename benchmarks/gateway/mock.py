"""A fast upstream in a process of its own: one fixed answer, whole or as 35 events.

    python benchmarks/gateway/mock.py [--port N] [--certificate FILE --key FILE]

Prints its port and serves until it is ended. The whole answer has 3.3 kB and 32 log-probabilities. A stream is 35 events, each
a write of its own in a turn of the loop of its own.

The request's `seed` says how it is answered, since every gateway passes that on: 1000 * d + g waits d ms before the head, and
g ms between two events. Without a gap, a reader that is busy finds several events in one read; with one, as between the
tokens of a real model, each event is a read of its own.
"""

import argparse
import asyncio
import json
import math
import re
import socket
import ssl
from typing import Any

import httptools
import uvloop

SEED = re.compile(rb'"seed": ?(\d+)')
TOKENS = 32
EVENTS = 35
CONFIDENCE = 0.9
"""Probability of each token: above the threshold of the measured cascade, so that the cheap answer is served."""


def _token(number: int) -> dict[str, Any]:
    return {"token": f" word{number:02d}", "logprob": math.log(CONFIDENCE), "bytes": None, "top_logprobs": []}


def whole_answer() -> bytes:
    """The answer that is not streamed, 3.3 kB of JSON."""
    document = {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "small-2026-11-01",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "".join(f" word{number:02d}" for number in range(TOKENS)),
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": {"content": [_token(number) for number in range(TOKENS)], "refusal": None},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 310,
            "completion_tokens": TOKENS,
            "total_tokens": 310 + TOKENS,
            "prompt_tokens_details": {"cached_tokens": 128, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_benchmark",
    }
    return json.dumps(document, separators=(",", ":")).encode()


def stream_events() -> list[bytes]:
    """The 35 events of a stream: role, 32 pieces with their log-probabilities, the end with the usage, and [DONE]."""
    base = {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "small-2026-11-01",
        "service_tier": "default",
        "system_fingerprint": "fp_benchmark",
    }

    def event(delta: dict[str, Any], **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} | more
        document = base | {"choices": [choice], "usage": None}
        return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"

    pieces = [
        event({"content": f" word{number:02d}"}, logprobs={"content": [_token(number)], "refusal": None})
        for number in range(TOKENS)
    ]
    usage = {"prompt_tokens": 310, "completion_tokens": TOKENS, "total_tokens": 310 + TOKENS}
    choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    ending = base | {"choices": [choice], "usage": usage}
    last = b"data: " + json.dumps(ending, separators=(",", ":")).encode() + b"\n\n"
    events = [event({"role": "assistant", "content": "", "refusal": None}), *pieces, last, b"data: [DONE]\n\n"]
    assert len(events) == EVENTS
    return events


HEAD = b"HTTP/1.1 200 OK\r\nserver: mock\r\nx-request-id: req_benchmark\r\n"
STREAM_HEAD = HEAD + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
WHOLE = HEAD + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(whole_answer()), whole_answer())
CHUNKS = [b"%x\r\n%b\r\n" % (len(event), event) for event in stream_events()]


class Mock(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._gap_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport: Any = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:  # noqa: D102
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:  # noqa: D102
        self._body += piece

    def on_message_complete(self) -> None:  # noqa: D102
        is_stream = b'"stream":true' in self._body or b'"stream": true' in self._body
        found = SEED.search(self._body)
        delay_ms, gap_ms = divmod(int(found[1]), 1000) if found else (0, 0)
        self._gap_s = gap_ms / 1e3
        self._body.clear()
        answer = self._start_stream if is_stream else self._answer
        if delay_ms:
            self._loop.call_later(delay_ms / 1e3, answer)
        else:
            answer()

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(WHOLE)

    def _start_stream(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(STREAM_HEAD + CHUNKS[0])
            self._next(1)

    def _next(self, number: int) -> None:
        if self._gap_s:
            self._loop.call_later(self._gap_s, self._go_on, number)
        else:
            self._loop.call_soon(self._go_on, number)

    def _go_on(self, number: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(CHUNKS[number])
        if number + 1 < len(CHUNKS):
            self._next(number + 1)
        else:
            self._transport.write(b"0\r\n\r\n")


async def serve(arguments: argparse.Namespace) -> None:
    """Listen, print the port, and serve."""
    tls = None
    if arguments.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(arguments.certificate, arguments.key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Mock, "127.0.0.1", arguments.port, ssl=tls, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
