"""One data-plane worker: `python -m undertow.gateway.worker ORDERS`, started by the supervisor and by nobody else.

It serves one plan from an inherited listening socket until it is told to go. The supervisor and the worker share a socket
pair: the worker writes `ready`, the supervisor `retire` or `stop`, and the end of either side tells the other of its death.

    retire   another worker takes over: answer what comes on open connections and close each after its next answer, or when
             it has been idle as long as idle connections are kept anyway
    stop     the gateway ends: finish what is under way, close idle connections
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from undertow.adapters.telemetry.json_logs import configure_logging
from undertow.gateway.runtime import Runtime
from undertow.gateway.server import App, Server
from undertow.records.serving import LimitsPlan, ServingPlan, decode_plan

READY = b"ready\n"
RETIRE = b"retire\n"
STOP = b"stop\n"
ORPHAN_DRAIN_S = 5.0
"""Seconds that a worker whose supervisor died finishes in: another gateway may want its port."""
IDLE_GRACE_S = 0.25
"""Seconds that idle connections stay when the gateway ends, for requests that are on their way."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor tells a worker, as JSON on its command line. No secrets: those are in the environment.

    Attributes:
        listen_fd: The listening socket, inherited.
        control_fd: The worker's end of the socket pair, inherited.
        drain_timeout_s: Seconds that requests in flight may take when the gateway ends.
        runtime: The worker's place.
    """

    listen_fd: int
    control_fd: int
    drain_timeout_s: float
    runtime: Runtime


class ServingApp(App, Protocol):
    """The application of a worker."""

    is_draining: bool
    """Set when the worker is to go, for `/readyz`."""

    async def startup(self) -> None:
        """Begin background work, before the first request."""
        ...

    async def shutdown(self) -> None:
        """End it, after the last."""
        ...


AppBuilder = Callable[[ServingPlan, Mapping[str, str], Runtime], ServingApp]


def main(arguments: list[str], build: AppBuilder | None = None) -> int:
    """Serve until told to go.

    Args:
        arguments: `Orders` as JSON.
        build: Makes the application; None: the gateway's own.

    Returns:
        Exit status: 0 all requests ended, 1 some were cut off.
    """
    orders = msgspec.json.decode(arguments[0], type=Orders)
    # Ctrl-C goes to the whole foreground group; the supervisor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if build is None:
        from undertow.gateway.app import build_app  # noqa: PLC0415 (tests serve another application without loading this one)

        build = build_app
    plan = decode_plan(Path(orders.runtime.plan_file).read_bytes())
    configure_logging(plan.telemetry.log_level, plan.telemetry.log_format)
    return _runner()(_serve(orders, plan, build))


def _runner() -> Callable[[Any], int]:
    """Uvloop's way to run a coroutine, or asyncio's where there is none."""
    try:
        import uvloop  # noqa: PLC0415 (not on every platform)
    except ImportError:
        return asyncio.run
    return uvloop.run


async def _serve(orders: Orders, plan: ServingPlan, build: AppBuilder) -> int:
    loop = asyncio.get_running_loop()
    control = socket.socket(fileno=orders.control_fd)
    control.setblocking(False)
    listener = socket.socket(fileno=orders.listen_fd)
    app = build(plan, os.environ, orders.runtime)
    await app.startup()
    told: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_signal_handler(signal.SIGTERM, told.put_nowait, STOP)
    loop.add_reader(control, _hear, control, loop, told)
    # What has been made until now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    server = Server(app, plan.limits)
    server.start(listener)
    control.send(READY)
    is_clean = await _until_drained(server, app, plan.limits, told, orders.drain_timeout_s)
    await app.shutdown()
    loop.remove_reader(control)
    control.close()
    return 0 if is_clean else 1


async def _until_drained(
    server: Server, app: ServingApp, limits: LimitsPlan, told: "asyncio.Queue[bytes]", drain_timeout_s: float
) -> bool:
    """Serve, then drain as the orders say; an order to stop cuts a patient retirement short."""
    order = await told.get()
    app.is_draining = True
    if order == RETIRE:
        retiring = asyncio.ensure_future(
            server.drain(in_flight_s=limits.total_timeout_s + limits.body_timeout_s, idle_s=limits.idle_timeout_s)
        )
        next_order = asyncio.ensure_future(told.get())
        await asyncio.wait({retiring, next_order}, return_when=asyncio.FIRST_COMPLETED)
        if retiring.done():
            next_order.cancel()
            return retiring.result()
        retiring.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await retiring
        order = next_order.result()
    in_flight_s = drain_timeout_s if order == STOP else min(ORPHAN_DRAIN_S, drain_timeout_s)
    return await server.drain(in_flight_s=in_flight_s, idle_s=IDLE_GRACE_S)


def _hear(control: socket.socket, loop: asyncio.AbstractEventLoop, told: "asyncio.Queue[bytes]") -> None:
    """Take an order; an end of file is the supervisor's death."""
    try:
        order = control.recv(64)
    except BlockingIOError:
        return
    except OSError:
        order = b""
    if not order:
        loop.remove_reader(control)
    # Two orders may come at once; the later one is the more urgent.
    told.put_nowait(STOP if STOP in order else order)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
