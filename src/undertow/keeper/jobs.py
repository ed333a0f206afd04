"""Runs jobs again and again, each in a thread of its own, so that one that fails or takes long stops none of the others.

A job that failed is tried again later and later, up to a minute; each failure is logged and counted. When the keeper is told
to stop, a run in hand is finished and none is begun.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from undertow.adapters.telemetry.json_logs import fields
from undertow.keeper.pulse import Pulse

log = logging.getLogger("undertow.keeper")

LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do every so often.

    Attributes:
        name: As it stands in logs and in the heartbeat.
        every_s: Seconds between the end of a run and the next.
        run: Does it once, in a thread; returns what it counted.
        is_run_at_end: It is run once more when the keeper stops.
    """

    name: str
    every_s: float
    run: Callable[[], Mapping[str, int]]
    is_run_at_end: bool = False


async def run_jobs(jobs: Sequence[Job], pulse: Pulse, stop: asyncio.Event) -> None:
    """Run jobs until `stop` is set and every run in hand has ended."""
    if not jobs:
        await stop.wait()
        return
    with ThreadPoolExecutor(len(jobs), thread_name_prefix="undertow-job") as threads:
        await asyncio.gather(*(_repeat(job, pulse, stop, threads) for job in jobs))


async def run_once(job: Job, pulse: Pulse, threads: ThreadPoolExecutor | None = None) -> bool:
    """Run a job once; whether it ended well."""
    pulse.begin(job.name)
    try:
        counted = await asyncio.get_running_loop().run_in_executor(threads, job.run)
    except Exception:
        # The edge of one job: whatever it was, the others go on.
        pulse.fail(job.name)
        log.exception("job_failed", extra=fields(job=job.name, failures=pulse.jobs[job.name].failures))
        return False
    pulse.succeed(job.name, counted)
    return True


async def _repeat(job: Job, pulse: Pulse, stop: asyncio.Event, threads: ThreadPoolExecutor) -> None:
    failed = 0
    while not stop.is_set():
        failed = 0 if await run_once(job, pulse, threads) else failed + 1
        pause_s = (
            job.every_s if not failed else max(job.every_s, min(LONGEST_PAUSE_S, job.every_s * 2.0 ** min(failed, 16)))
        )
        try:
            async with asyncio.timeout(pause_s):
                await stop.wait()
        except TimeoutError:
            continue
    if job.is_run_at_end:
        await run_once(job, pulse, threads)
