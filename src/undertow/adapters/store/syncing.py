"""Syncs logs to disk in the background, so that no request waits for a disk and a loss of power costs some 50 ms at most."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

SYNC_INTERVAL_S = 0.04
"""Between two syncs; with the few ms that a sync takes, what is written is at risk for at most about 50 ms."""


class Syncable(Protocol):
    """A log that is synced in the background."""

    def tick(self) -> None:
        """What time brings. Called in the loop's thread."""
        ...

    @property
    def is_dirty(self) -> bool:
        """Whether a sync would have something to do."""
        ...

    def sync(self) -> None:
        """Wait for the disk. Called in another thread."""
        ...


async def sync_loop(*logs: Syncable, shy: tuple[Syncable, ...] = (), interval_s: float = SYNC_INTERVAL_S) -> None:
    """Tick and sync logs until it is cancelled.

    Args:
        logs: Ticked in this thread and synced in another.
        shy: Only synced: logs whose `tick` may wait, and whose `sync` ticks.
        interval_s: Seconds between two rounds, at most 0.05 for the promise that the decision log makes.
    """
    loop = asyncio.get_running_loop()
    # A thread of its own: the loop's shared ones may all be busy.
    with ThreadPoolExecutor(1, thread_name_prefix="undertow-sync") as executor:
        while True:
            await asyncio.sleep(interval_s)
            for log in logs:
                log.tick()
            for log in (*logs, *shy):
                if log.is_dirty:
                    await loop.run_in_executor(executor, log.sync)
