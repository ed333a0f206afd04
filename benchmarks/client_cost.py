"""CPU of an HTTP client per request, against a server in a process of its own: Undertow's client, and others where installed.

    python benchmarks/client_cost.py [--requests 20000] [--concurrency 32] [--tls]

The figure is user and system time of this process divided by requests, the event loop included; so it is an upper bound of the
client's own share. Rounds of all clients alternate, and the median is printed.
"""

import argparse
import asyncio
import importlib
import importlib.util
import json
import multiprocessing
import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop

from undertow.adapters.upstreams.tier import TierUpstream
from undertow.ports.upstream import UpstreamRequest
from undertow.records.serving import EndpointPlan, LimitsPlan, TierPlan

BODY = json.dumps({"model": "small", "messages": [{"role": "user", "content": "Where is my order? " * 20}]}).encode()
ANSWER = json.dumps({"object": "chat.completion", "choices": [{"message": {"content": "On its way. " * 60}}]}).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nserver: mock\r\nx-request-id: 1\r\ndate: now\r\n"
KEY = "sk-benchmark"


class Mock(asyncio.Protocol):
    """Answers each request once its stated length has come."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Keep the transport."""
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer once the request is whole."""
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if found:
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            if len(rest) >= length:
                self.buffer = rest[length:]
                self.transport.write(HEAD + b"content-length: %d\r\n\r\n" % len(ANSWER) + ANSWER)


def serve(pipe: Connection, certificate: str | None) -> None:
    """Serve until terminated; the port goes through the pipe."""

    async def main() -> None:
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        server = await asyncio.get_running_loop().create_server(Mock, "127.0.0.1", 0, ssl=context)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


def make_certificate(folder: str) -> str:
    """A certificate for 127.0.0.1 that is its own authority, with its key, in one file."""
    path = Path(folder) / "self.pem"
    options = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    made = ["-keyout", path, "-out", f"{path}.crt", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", "req", "-x509", *options, *made], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return str(path)


async def spread(call: Callable[[], Awaitable[None]], requests: int, concurrency: int) -> None:
    """Make so many calls, so many at a time."""

    async def worker() -> None:
        for _ in range(requests // concurrency):
            await call()

    await asyncio.gather(*(worker() for _ in range(concurrency)))


async def with_undertow(base_url: str, ca_file: str | None, requests: int, concurrency: int) -> None:
    """One round of Undertow's client."""
    plan = EndpointPlan(base_url=base_url, api_key_env="KEY", ca_file=ca_file)
    upstream = TierUpstream(TierPlan(name="t", model="m", endpoints=(plan,)), LimitsPlan(), {"KEY": KEY})
    trace = ((b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),)

    async def call() -> None:
        answer = await upstream.ask(UpstreamRequest(kind="openai", path="/chat/completions", body=BODY, headers=trace))
        assert len(await answer.read()) == len(ANSWER)

    await spread(call, requests, concurrency)
    await upstream.aclose()


async def with_aiohttp(base_url: str, ca_file: str | None, requests: int, concurrency: int) -> None:
    """One round of aiohttp."""
    import aiohttp

    context = ssl.create_default_context(cafile=ca_file) if ca_file else True
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=512, ssl=context), headers=headers
    ) as session:

        async def call() -> None:
            async with session.post(f"{base_url}/chat/completions", data=BODY) as answer:
                assert len(await answer.read()) == len(ANSWER)

        await spread(call, requests, concurrency)


async def with_httpx(base_url: str, ca_file: str | None, requests: int, concurrency: int) -> None:
    """One round of httpx."""
    httpx = importlib.import_module("httpx2" if importlib.util.find_spec("httpx2") else "httpx")
    context = ssl.create_default_context(cafile=ca_file) if ca_file else True
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    async with httpx.AsyncClient(verify=context, headers=headers) as client:

        async def call() -> None:
            answer = await client.post(f"{base_url}/chat/completions", content=BODY)
            assert len(answer.content) == len(ANSWER)

        await spread(call, requests, concurrency)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tls", action="store_true")
    chosen = parser.parse_args()
    clients = {"undertow": (with_undertow, 1)}
    for name, client, divisor in (("aiohttp", with_aiohttp, 2), ("httpx", with_httpx, 10), ("httpx2", with_httpx, 10)):
        if importlib.util.find_spec(name):
            clients[name] = (client, divisor)
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(folder) if chosen.tls else None
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        server = spawn.Process(target=serve, args=(theirs, certificate), daemon=True)
        server.start()
        try:
            base_url = f"{'https' if chosen.tls else 'http'}://127.0.0.1:{ours.recv()}/v1"
            costs = {name: [] for name in clients}
            for round_number in range(chosen.rounds + 1):
                for name, (client, divisor) in clients.items():
                    requests = chosen.requests // divisor
                    began = time.process_time()
                    uvloop.run(client(base_url, certificate, requests, chosen.concurrency))
                    if round_number:  # the first round warms up
                        costs[name].append((time.process_time() - began) / requests * 1e6)
        finally:
            server.terminate()
            server.join()
    for name, values in costs.items():
        print(f"{name:10} {statistics.median(values):8.1f} us CPU a request   ({min(values):.1f} to {max(values):.1f})")


if __name__ == "__main__":
    main()
