"""Where the CPU of a request goes: Undertow's HTTP server and client alone, its routing path alone, and the whole worker.

    python benchmarks/request_cost.py [--requests 10000] [--rounds 5]

- relay: the server and the upstream client with nothing between them; each body goes on unread. Same load and mock as
  `bench_gateway.py`, beside nginx and the whole gateway, rounds alternating.
- path: the whole application (key, constraints, cascade, log, metrics) in a loop, without sockets: an upstream in memory. Three times:
  nothing drawn for review or shadow; drawn at the rates of a gateway that was just started; drawn at those, and every text kept.

Medians of CPU microseconds a request are printed.
"""

import argparse
import asyncio
import gc
import os
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from gateway import load, mock, peers
from gateway.processes import start
from gateway.rounds import Lane, cpu_rounds
from undertow.adapters.upstreams.tier import TierUpstream
from undertow.bootstrap.plan import load_plan
from undertow.gateway.app import GatewayApp, build_app
from undertow.gateway.runtime import Runtime
from undertow.gateway.server import Server
from undertow.ports.upstream import UpstreamRequest
from undertow.records.runtime_files import SAMPLING
from undertow.records.sampling import SampleRate, SamplingRates
from undertow.records.serving import ReviewPlan, ShadowPlan

WARM_UP = 2000


class Relay:
    """An application that hands each body to one upstream and its answer back, and reads neither."""

    is_draining = False

    def __init__(self, upstream: TierUpstream) -> None:
        self._upstream = upstream

    def record_refused(self, *_: object) -> None:
        """Nothing is recorded here."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One request."""
        del receive, send
        exchange = scope["extensions"]["undertow"]
        body = exchange.whole_body() or b""
        answer = await self._upstream.ask(UpstreamRequest("openai", "/chat/completions", body, (), wants_stream=False))
        whole = await answer.read()
        exchange.start(200, [(b"content-type", b"application/json")])
        exchange.send_body(whole, more=False)


async def serve_relay(port: int, settings: Path) -> None:
    """Serve until killed."""
    plan = load_plan(settings, {})
    server = Server(Relay(TierUpstream(plan.tiers[0], plan.limits, {})), plan.limits)
    with socket.create_server(("127.0.0.1", port), backlog=100) as listener:
        server.start(listener)
        gc.collect()
        gc.freeze()
        await asyncio.Event().wait()


def start_relay(upstream: int) -> peers.Peer:
    """The relay in a process of its own."""
    port = peers.free_port()
    settings = peers.write_settings(Path(tempfile.mkdtemp()) / "relay", upstream)
    command = [sys.executable, str(Path(__file__).resolve()), "--relay", str(port), str(settings)]
    running = start("relay", command, settings.parent / "output.log", env=os.environ)
    peer = peers.Peer("relay", port, running, peers.KEY, "")
    peers.wait_until_it_answers(peer, "auto", 30)
    return peer


class MemoryAnswer:
    """The mock's answer, which is there already."""

    tries = 1
    is_event_stream = False
    whole = mock.whole_answer()

    def __init__(self) -> None:
        self.headers = {b"content-type": b"application/json", b"x-request-id": b"1"}

    async def read(self) -> bytes:
        """The body."""
        return self.whole

    def abort(self) -> None:
        """Nothing is under way."""


class MemoryUpstream:
    """An upstream without a socket."""

    async def ask(self, _: object) -> MemoryAnswer:
        """At once."""
        return MemoryAnswer()

    def speaks(self, kind: str) -> bool:
        """OpenAI's format."""
        return kind == "openai"

    async def aclose(self) -> None:
        """Nothing is open."""


class MemoryExchange:
    """A caller without a socket; it notes the status it was answered with."""

    disconnected = False
    is_congested = False
    refusal = None
    peer = ""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.on_disconnect = None
        self.status = 0
        self.is_complete = False

    def whole_body(self) -> bytes:
        """The request."""
        return self._body

    def start(self, status: int, headers: object) -> None:
        """The head of the answer."""
        del headers
        self.status = status

    def send_body(self, body: bytes, *, more: bool) -> None:
        """The answer."""
        del body
        self.is_complete = not more


DRAWING = {
    "not drawn": (ReviewPlan(), ShadowPlan()),
    "drawn": (ReviewPlan(per_day=200), ShadowPlan(share=0.02)),
    "all kept": (ReviewPlan(per_day=200), ShadowPlan()),
}


def drawing_app(settings: Path, name: str) -> GatewayApp:
    """An application whose upstreams are in memory, with a store of its own."""
    review, shadow = DRAWING[name]
    plan = load_plan(settings, {})
    store = Path(plan.store.path).with_name(f"store {name}")
    if name == "all kept":
        rates = SamplingRates(rates=tuple(SampleRate(tier=tier.name, review=1.0) for tier in plan.tiers))
        (store / SAMPLING).parent.mkdir(parents=True)
        (store / SAMPLING).write_bytes(msgspec.json.encode(rates))
    plan = msgspec.structs.replace(
        plan, review=review, shadow=shadow, store=msgspec.structs.replace(plan.store, path=str(store))
    )
    app = build_app(
        plan,
        {},
        Runtime.within(str(settings.parent), "", worker_number=0, workers=1, generation=1),
    )
    for tier in ("cheap", "capable"):
        app.engine.router.parts.upstreams[tier] = MemoryUpstream()
    return app


async def path_us(settings: Path, requests: int, rounds: int) -> dict[str, list[float]]:
    """CPU microseconds a request of the application, a figure a round, rounds alternating; the threads' time is in it."""
    apps = {name: drawing_app(settings, name) for name in DRAWING}
    found: dict[str, list[float]] = {name: [] for name in apps}
    for app in apps.values():
        await app.startup()
    try:
        for number in range(rounds + 1):
            for name, app in apps.items():
                us = await round_us(app, requests if number else WARM_UP)
                if number:
                    found[name].append(us)
    finally:
        for app in apps.values():
            await app.shutdown()
    return found


async def round_us(app: GatewayApp, requests: int) -> float:
    """One round of `path_us`."""
    bodies = [load.request_body(number, "auto", stream=False, seed=0) for number in range(load.USERS)]
    authorization = b"Bearer " + peers.KEY.encode()

    async def ask(count: int) -> None:
        for number in range(count):
            body = bodies[number % len(bodies)]
            exchange = MemoryExchange(body)
            headers = [
                (b"host", b"127.0.0.1"),
                (b"accept", b"application/json"),
                (b"user-agent", b"OpenAI/Python 3.54.0"),
                (b"content-type", b"application/json"),
                (b"authorization", authorization),
                (b"x-undertow-conversation-id", b"c-%d" % (number % 1000)),
                (b"content-length", b"%d" % len(body)),
            ]
            scope = {
                "type": "http", "method": "POST", "path": "/v1/chat/completions", "query_string": b"",
                "extensions": {"undertow": exchange}, "headers": headers,
            }  # fmt: skip
            await app(scope, None, None)
            if exchange.status != 200 or not exchange.is_complete:
                raise RuntimeError(f"the application answered with status {exchange.status}")
            await asyncio.sleep(0)

    began = time.process_time()
    await ask(requests)
    await asyncio.sleep(0.1)  # what is left to other threads is paid for too
    return (time.process_time() - began) / requests * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--path", action="store_true", help="the path alone")
    parser.add_argument("--relay", nargs=2, metavar=("PORT", "SETTINGS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.relay:
        uvloop.run(serve_relay(int(arguments.relay[0]), Path(arguments.relay[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = peers.write_settings(Path(folder) / "path", 9)
        path = uvloop.run(path_us(settings, arguments.requests, arguments.rounds))
    for name, us in path.items():
        print(f"path, {name:<9}{statistics.median(us):7.1f} us a request, in a loop without sockets")
    if arguments.path:
        return
    upstream, port = peers.start_mock()
    running = [upstream]
    try:
        lanes = []
        for begin in (
            lambda: peers.start_nginx(port, stream=False),
            lambda: start_relay(port),
            lambda: peers.start_undertow(port),
        ):
            peer = begin()
            running.append(peer.running)
            lanes.append(Lane("whole", peer.name, peer, arguments.requests))
        found = cpu_rounds(lanes, arguments.rounds, lambda line: print(line, file=sys.stderr, flush=True))
    finally:
        for one in running:
            one.stop()
    medians = {name: statistics.median(cpu.total_us) for (_, name), cpu in found.items()}
    for name, us in medians.items():
        print(f"{name:<9}{us:7.1f} us a request, {us / medians['nginx']:.2f} times nginx")


if __name__ == "__main__":
    main()
