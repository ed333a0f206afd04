"""Has requests answered a second time: takes what workers send, asks the capable tier, writes pairs and calls to the store.

All of it happens in a thread with an event loop of its own, so that a slow tier or a slow disk holds up neither the keeper's heartbeat
nor its other jobs. What is asked at a time, what waits and what it costs a day are bounded; beyond, requests are shed first.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Lock, Thread

from undertow.bootstrap.shadow import ShadowSide
from undertow.keeper.shadow_inbox import ShadowInbox
from undertow.records.watched import AnswerPair, ShadowRequest, WatchingCall
from undertow.services.shadow import Shadowed

log = logging.getLogger("undertow.keeper")

STOP_S = 5.0
"""Calls under way may take so long when the keeper is told to stop."""
START_S = 10.0
PER_USD = 1_000_000
"""Costs are counted in millionths, since a heartbeat counts in whole numbers."""
OUTCOMES: Mapping[str, str] = {
    "ok": "shadow_answered",
    "budget": "shadow_over_budget",
    "forbidden": "shadow_forbidden",
    "unsupported": "shadow_unsupported",
}
"""By the call's status; `shed` is counted by the inbox, and any other is a failure."""
NOT_ASKED = frozenset({"budget", "forbidden", "unsupported"})


class Shadowing:
    """Second answers of one store.

    Args:
        side: What they are made with.
        socket: Where workers send their requests.
    """

    def __init__(self, side: ShadowSide, socket: Path) -> None:
        self._side, self._socket = side, socket
        self._counts: Counter[str] = Counter()
        self._lock = Lock()
        self._is_up = Event()
        self._failure: BaseException | None = None
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = Thread(target=self._work, name="undertow-shadow", daemon=True)

    def start(self) -> None:
        """Begin to listen and to ask.

        Raises:
            OSError: The socket cannot be bound.
            ConfigError: Its path is too long.
        """
        if not self._side.is_priced:
            log.warning("shadow_without_prices")
        self._thread.start()
        self._is_up.wait(START_S)
        if self._failure is not None:
            raise self._failure

    def run(self) -> Mapping[str, int]:
        """Run of the job `shadow`: have the disk keep what was written, and say what was counted since the last run.

        Raises:
            RuntimeError: The thread has died.
            OSError: The disk cannot be written.
        """
        for rows in (self._side.pairs, self._side.calls):
            rows.tick()
            if rows.is_dirty:
                rows.sync()
        if self._failure is not None:
            raise RuntimeError("the thread for second answers has died") from self._failure
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    def close(self) -> None:
        """Stop listening, let calls under way end for a moment, and seal what was written."""
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread.is_alive():
            self._thread.join(STOP_S + START_S)
        self._side.pairs.close()
        self._side.calls.close()

    def _work(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 (whatever it is, `start` or the next run of the job tells)
            self._failure = failure
        finally:
            self._is_up.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        inbox = ShadowInbox(self._socket, self._side.plan.max_waiting, self._shed, self._count)
        await inbox.start()
        self._is_up.set()
        asking: set[asyncio.Task[None]] = set()
        takers = [asyncio.create_task(self._take(inbox, asking)) for _ in range(self._side.plan.concurrency)]
        try:
            stopped = asyncio.create_task(self._stop.wait())
            done, _ = await asyncio.wait((stopped, *takers), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for taker in takers:
                taker.cancel()
            await asyncio.gather(*takers, return_exceptions=True)
            if asking:
                _, late = await asyncio.wait(asking, timeout=STOP_S)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)
            await inbox.close()
            await self._side.upstream.aclose()

    async def _take(self, inbox: ShadowInbox, asking: set[asyncio.Task[None]]) -> None:
        """Take one request after the other. One in hand outlives a taker that is told to stop."""
        while True:
            request = await inbox.take()
            task = asyncio.create_task(self._answer(request))
            asking.add(task)
            task.add_done_callback(asking.discard)
            await asyncio.shield(task)

    async def _answer(self, request: ShadowRequest) -> None:
        try:
            found = await self._side.answers.answer(request)
        except asyncio.CancelledError:
            self._note(self._side.answers.not_made(request, "aborted"))
        except OSError as error:
            # The budget's book cannot be used: nothing may be spent, and no row could be written either.
            self._count("shadow_unwritten")
            log.error("shadow_not_asked", extra={"error": type(error).__name__})  # noqa: TRY400 (a full disk, again and again)
            await asyncio.sleep(1.0)
        except Exception as error:  # noqa: BLE001 (the edge of one request: whatever it was, the others go on)
            self._count("shadow_failed")
            # Neither message nor traceback: either may quote the request.
            log.error("shadow_failed", extra={"decision_id": request.decision_id, "error": type(error).__name__})  # noqa: TRY400
        else:
            self._note(found)

    def _shed(self, request: ShadowRequest) -> None:
        self._write(self._side.answers.not_made(request, "shed").call, None)

    def _note(self, found: Shadowed) -> None:
        call = found.call
        self._write(call, found.pair)
        self._count(OUTCOMES.get(call.status, "shadow_failed"))
        if call.status not in NOT_ASKED:
            self._count("shadow_asked")
        if call.cost_usd is not None:
            self._count("shadow_usd_millionths", round(call.cost_usd * PER_USD))
        if found.is_unredacted:
            self._count("shadow_unredacted")

    def _write(self, call: WatchingCall, pair: AnswerPair | None) -> None:
        try:
            self._side.calls.append(call)
            if pair is not None:
                self._side.pairs.append(pair)
        except OSError:
            self._count("shadow_unwritten")

    def _count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name] += by
