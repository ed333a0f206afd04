"""The background loop: ticks always, syncs off the loop's thread and only what is dirty."""

import asyncio
import threading

from undertow.adapters.store.syncing import sync_loop


class Log:
    def __init__(self) -> None:
        self.ticks: set[int] = set()
        self.syncs: list[int] = []
        self.is_dirty = True
        self.loop = asyncio.get_running_loop()
        self.synced = asyncio.Event()

    def tick(self) -> None:
        self.ticks.add(threading.get_ident())

    def sync(self) -> None:
        self.syncs.append(threading.get_ident())
        self.is_dirty = False
        self.loop.call_soon_threadsafe(self.synced.set)


def test_ticks_in_the_loop_and_syncs_beside_it():
    async def run() -> tuple[Log, Log]:
        log, shy = Log(), Log()
        task = asyncio.create_task(sync_loop(log, shy=(shy,), interval_s=0.001))
        await asyncio.wait_for(shy.synced.wait(), 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return log, shy

    log, shy = asyncio.run(run())
    here = threading.get_ident()
    assert log.ticks == {here}
    assert shy.ticks == set()
    assert len(log.syncs) == len(shy.syncs) == 1
    assert here not in log.syncs + shy.syncs
