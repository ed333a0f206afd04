"""Budgets and rate limits of gateway keys, shared by all workers of one machine without a lock on the request path.

One small file a key lies in the store's `state/spends/`, mapped into each worker. It has a slot of one cache line for every
worker, and a worker writes only into its own; what a key has spent is the sum over the slots. A slot outlives its worker: the
next one that takes it adds to what is there, so a day's sum survives restarts and any change in the number of workers.

    slot:  day (even), usd that day, day (odd), usd that day, window (even minute), window (odd minute), -, -

Days and minutes alternate between two places, so that a new one begins without touching the one before. A window packs the
minute and its count into one word, which is written at once.

Assumes eight-byte words are written whole, as every processor that CPython runs on does. A worker takes a slot by an advisory
lock on a file, which ends with its process. A worker looks at the others' slots every 50 ms, so a limit can be overshot by what
the others admit in that time, and a budget by that and the requests in flight.
"""

import fcntl
import hashlib
import mmap
import os
import time
from collections.abc import Iterable
from pathlib import Path

SLOT_BYTES = 64
WORDS = SLOT_BYTES // 8
MAX_SLOTS = 1024
DAY_S = 86_400
MINUTE_S = 60
COUNT_BITS = 24
"""Bits of a window that hold its count: up to 16 million requests a minute and worker."""
COUNT_MASK = (1 << COUNT_BITS) - 1
LOOK_EVERY_S = 0.05


class Spends:
    """What gateway keys have spent today and asked in the last minute.

    A key's file is opened when the key is first asked about.

    Attributes:
        slot: The slot that this worker writes to.
    """

    def __init__(self, folder: str | Path, *, look_every_s: float = LOOK_EVERY_S) -> None:
        """Take a free slot.

        Args:
            folder: Folder of the files, `state/spends` in the store; made if it is not there.
            look_every_s: How old what is known of other workers may be.

        Raises:
            OSError: The folder cannot be written, or all slots are taken.
        """
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock, self.slot = _take_slot(self._folder)
        self._ledgers: dict[str, _Ledger] = {}
        self._look_every_s = look_every_s

    def open(self, keys: Iterable[str]) -> None:
        """Map the files of these keys now, so that their first request need not wait for the disk."""
        for key in keys:
            self._ledger(key)

    def spent_usd(self, key: str, now: float | None = None) -> float:
        """What a key's requests have cost in the current UTC day, over all workers.

        Args:
            key: Name of the key.
            now: Unix seconds; None: the clock.
        """
        return self._ledger(key).spent_usd(_clock(now))

    def add(self, key: str, usd: float, now: float | None = None) -> None:
        """Count a cost to the current UTC day.

        Args:
            key: Name of the key.
            usd: What it cost, 0 or more.
            now: Unix seconds; None: the clock.
        """
        self._ledger(key).add(usd, _clock(now))

    def allow_request(self, key: str, limit_per_minute: int, now: float | None = None) -> float:
        """Count a request if the key's limit allows it.

        The rate is that of a window which slides over two minutes: all of this minute's requests, and those of the last one
        by the part of it that is less than a minute ago.

        Args:
            key: Name of the key.
            limit_per_minute: Most requests in a minute, at least 1.
            now: Unix seconds; None: the clock.

        Returns:
            0 if it is allowed; else seconds after which it would be, more than 0.
        """
        return self._ledger(key).allow(limit_per_minute, _clock(now))

    def close(self) -> None:
        """Unmap the files and give the slot back."""
        for ledger in self._ledgers.values():
            ledger.close()
        self._ledgers.clear()
        os.close(self._lock)

    def _ledger(self, key: str) -> "_Ledger":
        ledger = self._ledgers.get(key)
        if ledger is None:
            # A name may hold anything, a file's name may not.
            name = hashlib.sha256(key.encode()).hexdigest()[:32]
            ledger = self._ledgers[key] = _Ledger(self._folder / f"{name}.spend", self.slot, self._look_every_s)
        return ledger


class _Ledger:
    """The mapped file of one key: a header of one slot's size with the number of slots ever used, then the slots."""

    def __init__(self, path: Path, slot: int, look_every_s: float) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = SLOT_BYTES * (MAX_SLOTS + 1)
            if os.fstat(descriptor).st_size < size:
                os.ftruncate(descriptor, size)  # a hole: it takes the space of the slots used
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        self._view = memoryview(self._map)
        self._doubles = self._view.cast("d")
        self._words = self._view.cast("q")
        self._slot = slot
        self._base = WORDS * (slot + 1)
        self._look_every_s = look_every_s
        self._look_again = float("-inf")
        self._minute = self._day = -1
        self._others_requests = self._requests_before = 0
        self._others_usd = 0.0
        self._count_slot()

    def _count_slot(self) -> None:
        # Two workers that start at once may overwrite each other's number; each looks again whenever it looks at others.
        if self._words[0] <= self._slot:
            self._words[0] = self._slot + 1

    def _look(self, now: float, minute: int, day: int) -> None:
        """Look at what the other workers have counted, and at the last minute of all."""
        self._look_again = now + self._look_every_s
        self._minute, self._day = minute, day
        self._count_slot()
        self._others_requests = self._requests(minute) - self._own_requests(minute)
        self._requests_before = self._requests(minute - 1)
        self._others_usd = self._usd(day) - self._own_usd(day)

    def _own_requests(self, minute: int) -> int:
        word = self._words[self._base + 4 + (minute & 1)]
        return word & COUNT_MASK if word >> COUNT_BITS == minute else 0

    def _own_usd(self, day: int) -> float:
        at = self._base + 2 * (day & 1)
        return self._doubles[at + 1] if self._doubles[at] == day else 0.0

    def spent_usd(self, now: float) -> float:
        day = int(now // DAY_S)
        if now >= self._look_again or day != self._day:
            self._look(now, int(now // MINUTE_S), day)
        return self._others_usd + self._own_usd(day)

    def add(self, usd: float, now: float) -> None:
        day = int(now // DAY_S)
        at = self._base + 2 * (day & 1)
        doubles = self._doubles
        if doubles[at] != day:
            doubles[at + 1] = 0.0  # before the day, so that no reader takes an old sum for today's
            doubles[at] = day
        doubles[at + 1] += usd

    def allow(self, limit: int, now: float) -> float:
        minute = int(now // MINUTE_S)
        if now >= self._look_again or minute != self._minute:
            self._look(now, minute, int(now // DAY_S))
        own = self._own_requests(minute)
        current, before = self._others_requests + own, self._requests_before
        elapsed = now / MINUTE_S - minute
        if current + before * (1 - elapsed) + 1 > limit:
            return _wait_s(current, before, elapsed, limit)
        self._words[self._base + 4 + (minute & 1)] = (minute << COUNT_BITS) + own + 1
        return 0.0

    def _usd(self, day: int) -> float:
        doubles, place = self._doubles, 2 * (day & 1)
        bases = range(WORDS + place, WORDS * (self._words[0] + 1), WORDS)
        return sum([doubles[at + 1] for at in bases if doubles[at] == day])

    def _requests(self, minute: int) -> int:
        words = self._words
        windows = [words[at] for at in range(WORDS + 4 + (minute & 1), WORDS * (words[0] + 1), WORDS)]
        return sum([word & COUNT_MASK for word in windows if word >> COUNT_BITS == minute])

    def close(self) -> None:
        self._doubles.release()
        self._words.release()
        self._view.release()
        self._map.close()


def _wait_s(current: int, before: int, elapsed: float, limit: int) -> float:
    """Seconds until one more request fits, if no other comes: when enough of the last minute, else of this one, has passed."""
    room = limit - 1
    if current <= room and before:
        needed = 1 - (room - current) / before
        return max((needed - elapsed) * MINUTE_S, 0.001)
    return (1 - elapsed + 1 - room / current) * MINUTE_S if current else MINUTE_S * (1 - elapsed)


def _take_slot(folder: Path) -> tuple[int, int]:
    """Lock the first free slot; the lock ends with the process, however that ends."""
    for slot in range(MAX_SLOTS):
        descriptor = os.open(folder / f"slot-{slot}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return descriptor, slot
    raise OSError(f"all {MAX_SLOTS} slots of {folder} are taken")


def _clock(now: float | None) -> float:
    return time.time() if now is None else now
