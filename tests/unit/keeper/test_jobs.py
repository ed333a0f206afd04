import asyncio
import threading
import time

from undertow.keeper.jobs import Job, run_jobs, run_once
from undertow.keeper.pulse import Pulse


def run(jobs, until):
    """Run jobs until `until(pulse)` holds, at most some seconds."""
    pulse = Pulse(None)

    async def go():
        stop = asyncio.Event()
        running = asyncio.create_task(run_jobs(jobs, pulse, stop))
        async with asyncio.timeout(20):
            while not until(pulse):  # noqa: ASYNC110 (what is waited for has no event)
                await asyncio.sleep(0.005)
            stop.set()
            await running

    asyncio.run(go())
    return pulse


def runs(pulse, job):
    state = pulse.jobs.get(job)
    return 0 if state is None else state.runs


def fail():
    raise ValueError("secret prompt")


def test_a_job_that_fails_stops_no_other_and_is_counted(caplog):
    pulse = run(
        [Job("bad", 0.001, fail), Job("good", 0.001, lambda: {"done": 1})],
        lambda pulse: runs(pulse, "good") >= 5 and pulse.jobs["bad"].failures >= 2,
    )
    assert pulse.counts["done"] == runs(pulse, "good")
    assert runs(pulse, "bad") == 0
    assert "job_failed" in caplog.messages


def test_a_job_that_hangs_stops_no_other():
    release = threading.Event()

    def hang():
        release.wait(20)
        return {}

    def until(pulse):
        if runs(pulse, "good") < 3:
            return False
        assert pulse.jobs["slow"].running_since is not None
        release.set()
        return True

    assert runs(run([Job("slow", 1.0, hang), Job("good", 0.001, dict)], until), "slow") == 1


def test_stopping_waits_for_the_run_in_hand_and_begins_none():
    done = []

    def slowly():
        time.sleep(0.05)
        done.append(1)
        return {}

    pulse = run([Job("slow", 0.0, slowly)], lambda pulse: "slow" in pulse.jobs)
    assert len(done) == runs(pulse, "slow") == 1


def test_a_last_run_is_made_where_it_is_asked_for():
    pulse = run([Job("last", 100.0, dict, is_run_at_end=True)], lambda pulse: runs(pulse, "last") == 1)
    assert runs(pulse, "last") == 2


def test_no_jobs_is_no_reason_to_end():
    async def go():
        stop = asyncio.Event()
        running = asyncio.create_task(run_jobs([], Pulse(None), stop))
        await asyncio.sleep(0)
        assert not running.done()
        stop.set()
        await running

    asyncio.run(go())


def test_once_says_whether_it_went_well():
    assert asyncio.run(run_once(Job("good", 1, dict), Pulse(None)))
    assert not asyncio.run(run_once(Job("bad", 1, fail), Pulse(None)))
