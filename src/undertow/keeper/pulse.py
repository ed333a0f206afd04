"""What the keeper says of itself: counters, and the state of each job, in a file that workers and people read."""

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from undertow.records.runtime_files import HEARTBEAT, Heartbeat, JobState


class Pulse:
    """States and counters. For the thread of the event loop.

    Args:
        folder: Runtime folder; None: nothing is written.
        clock: Seconds since 1970.

    Attributes:
        counts: Whole-number counters since the keeper began.
        jobs: State of each job.
    """

    def __init__(self, folder: Path | None, clock: Callable[[], float] = time.time) -> None:
        self.counts: Counter[str] = Counter()
        self.jobs: dict[str, JobState] = {}
        self._file = None if folder is None else folder / HEARTBEAT
        self._clock = clock

    def begin(self, job: str) -> None:
        """A run of a job begins."""
        self._set(job, running_since=self._clock())

    def succeed(self, job: str, counted: Mapping[str, int]) -> None:
        """A run ended well, having counted these things."""
        self.counts.update(counted)
        before = self.jobs.get(job, JobState())
        self._set(job, runs=before.runs + 1, last_success_at=self._clock(), running_since=None)

    def fail(self, job: str) -> None:
        """A run failed."""
        before = self.jobs.get(job, JobState())
        self._set(job, failures=before.failures + 1, running_since=None)

    def beat(self) -> None:
        """Replace the file in one step. A full disk makes it old, which is what readers look at."""
        if self._file is None:
            return
        beat = Heartbeat(pid=os.getpid(), at=self._clock(), jobs=self.jobs, counts=dict(self.counts))
        fresh = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        try:
            fresh.write_bytes(msgspec.json.encode(beat) + b"\n")
            fresh.replace(self._file)
        except OSError:
            return

    def _set(self, job: str, **changed: object) -> None:
        self.jobs[job] = msgspec.structs.replace(self.jobs.get(job, JobState()), **changed)
