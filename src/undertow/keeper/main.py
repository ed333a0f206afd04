"""The keeper's process: `python -m undertow.keeper.main --plan-file PLAN --runtime-dir FOLDER`, started by the supervisor.

It may be killed and started again at any moment: each job goes on from what the store holds, except for conversations, whose
open ones are forgotten. On SIGTERM or SIGINT it finishes what it has in hand.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from undertow.adapters.telemetry.json_logs import configure_logging, fields
from undertow.bootstrap.judge import JudgeSetUp
from undertow.bootstrap.keeper import KeeperParts, KeeperPlan, build_keeper, read_keeper_plan
from undertow.errors import ConfigError
from undertow.keeper.alerts import POLICY, Alerts
from undertow.keeper.conversations import Conversations
from undertow.keeper.guarding import Guarding
from undertow.keeper.jobs import Job, run_jobs, run_once
from undertow.keeper.judging import Judging
from undertow.keeper.look_ups import LookUps
from undertow.keeper.outcomes import Outcomes
from undertow.keeper.pulse import Pulse
from undertow.keeper.retention import Retention
from undertow.keeper.reviewing import Reviewing
from undertow.keeper.shadow import Shadowing
from undertow.keeper.storing import Storing
from undertow.keeper.traces import Traces
from undertow.keeper.tuning import Tuning
from undertow.keeper.turns import TurnInbox
from undertow.keeper.watching import Watching
from undertow.records.runtime_files import LOOKUP_SOCKET, SHADOW_SOCKET, TURNS_SOCKET
from undertow.records.serving import ServingPlan, StorePlan
from undertow.services.judge_run import never

log = logging.getLogger("undertow.keeper")

BEAT_S = 1.0
RECOVERY_S = 2.0
COMPACTION_S = 10.0
CONVERSATIONS_S = 1.0
TRACES_S = 2.0
RATIOS_S = 15.0
SHADOW_S = 1.0
RETENTION_S = 600.0
WATCHING_S = 5.0
JUDGING_S = 15.0
REVIEWS_S = 60.0
OUTCOMES_S = 30.0
ALERTS_S = 5.0


async def keep(plan: KeeperPlan, runtime_dir: Path | None, stop: asyncio.Event) -> None:
    """Do all jobs until `stop` is set.

    Args:
        plan: What to work on.
        runtime_dir: Folder for sockets and the heartbeat; None: a store alone, without workers.
        stop: Set it to end.

    Raises:
        OSError: A socket cannot be bound.
        ConfigError: The runtime folder's path is too long for one.
    """
    parts = build_keeper(plan)
    pulse = Pulse(runtime_dir)
    traces = None if parts.tail is None else Traces(parts.tail, parts.connect, plan.providers)
    inbox = TurnInbox(runtime_dir / TURNS_SOCKET) if runtime_dir is not None and parts.implicit is not None else None
    look_ups = None if runtime_dir is None else LookUps(runtime_dir / LOOKUP_SOCKET, parts.find)
    shadowing = None
    if runtime_dir is not None and parts.shadow is not None:
        shadowing = Shadowing(parts.shadow, runtime_dir / SHADOW_SOCKET)
    beating = asyncio.create_task(_beat(pulse))
    try:
        if look_ups is not None:
            await look_ups.start()
        if shadowing is not None:
            await asyncio.to_thread(shadowing.start)
        log.info("keeper_started", extra=fields(pid=os.getpid(), store=plan.store.path))
        jobs = _jobs(plan, parts, traces, inbox, stop.is_set, runtime_dir)
        if shadowing is not None:
            jobs.append(Job("shadow", SHADOW_S, shadowing.run, is_run_at_end=True))
        # What dead writers left must be settled before it can be converted.
        await run_once(jobs[0], pulse)
        running = asyncio.create_task(run_jobs(jobs, pulse, stop))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
        if traces is not None:
            traces.stop()
        await running
        await stopping
    finally:
        beating.cancel()
        if look_ups is not None:
            await look_ups.close()
        if shadowing is not None:
            await asyncio.to_thread(shadowing.close)
        if inbox is not None:
            inbox.close()
        if parts.signals is not None:
            parts.signals.close()
        if parts.tail is not None:
            parts.tail.close()
        log.info("keeper_stopped", extra=fields(pid=os.getpid()))


def _jobs(
    plan: KeeperPlan,
    parts: KeeperParts,
    traces: Traces | None,
    inbox: TurnInbox | None,
    is_over: Callable[[], bool] = never,
    runtime_dir: Path | None = None,
) -> list[Job]:
    def hold_for_traces() -> None:
        if parts.tail is not None and parts.tail.own():
            parts.tail.hold()

    storing = Storing(Path(plan.store.path), plan.tiers, hold_for_traces)
    jobs = [
        Job("recovery", RECOVERY_S, storing.recovery),
        Job("compaction", COMPACTION_S, storing.compaction),
        Job("length_ratios", RATIOS_S, storing.length_ratios),
        Job("retention", RETENTION_S, Retention(Path(plan.store.path), plan.text_days).run),
    ]
    if inbox is not None and parts.implicit is not None and parts.signals is not None:
        conversations = Conversations(inbox, parts.implicit, parts.signals)
        jobs.append(Job("implicit", CONVERSATIONS_S, conversations.run, is_run_at_end=True))
    if traces is not None:
        jobs.append(Job("traces", TRACES_S, traces.run))
    if plan.tuning.enabled and plan.calibrations:
        tuning = Tuning(Path(plan.store.path), plan.tuning, plan.calibrations, plan.tiers, plan.committing)
        jobs.append(Job("tuning", 60.0 * plan.tuning.every_minutes, tuning.run))
    if plan.serving is not None:
        id_key, lacking = id_key_of(plan.store, os.environ)
        if lacking:
            log.warning("id_key_not_set", extra=fields(why=lacking))
        else:
            reviewing = Reviewing(Path(plan.store.path), plan.serving.review_rules, id_key)
            jobs.append(Job("reviews", REVIEWS_S, reviewing.run))
        if plan.serving.sources and not lacking:
            jobs.append(Job("outcomes", OUTCOMES_S, Outcomes(plan.store, plan.serving.sources, os.environ).run))
        if plan.serving.judge is not None:
            judging = Judging(JudgeSetUp(plan.store, plan.serving.judge, os.environ, "keeper"), is_over)
            jobs.append(Job("judging", JUDGING_S, judging.run))
        alerts, watching = watching_of(plan, plan.serving, runtime_dir, id_key)
        jobs.append(Job("alerts", ALERTS_S, alerts.run))
        if plan.serving.monitor_minutes > 0:
            jobs.append(Job("watching", WATCHING_S, watching.run))
    return jobs


def id_key_of(store: StorePlan, env: Mapping[str, str]) -> tuple[bytes | None, str]:
    """The key of a store's ids and sketches, and in one line what is left out where the settings name one that is not set; empty: nothing.

    Args:
        store: The store.
        env: Environment.

    Examples:
        >>> id_key_of(StorePlan(id_key_env="KEY"), {"KEY": "secret"}), id_key_of(StorePlan(), {})
        ((b'secret', ''), (None, ''))
    """
    name = store.id_key_env
    key = "" if name is None else env.get(name, "")
    if name is None or key:
        return key.encode() or None, ""
    return None, (
        f"store.id_key_env names {name}, which is not set; without it no outcomes are pulled and no reviews published, since ids would be "
        "written as they are"
    )


def watching_of(
    plan: KeeperPlan, serving: ServingPlan, runtime_dir: Path | None, id_key: bytes | None
) -> tuple[Alerts, Watching]:
    """Who looks at a store, with the guard that decides by what is seen, and who tells people of it.

    Args:
        plan: What to work on.
        serving: Its part about monitors, guard and alerts.
        runtime_dir: Folder of the gateway's sockets, or None: there is none.
        id_key: Key of the store's ids and sketches, or None.
    """
    store = Path(plan.store.path)
    audited = next((policy.calibrations for policy in serving.policies if policy.name == POLICY), ())
    alerts, guarding = Alerts(store, serving.alerts), Guarding(store, serving, runtime_dir)
    watching = Watching(
        store,
        plan.tuning,
        serving.review,
        serving.shadow,
        plan.tiers,
        audited,
        60.0 * serving.monitor_minutes,
        after=lambda report: alerts.looked(report, guarding.trail),
        guard=guarding.look,
        id_key=id_key,
    )
    return alerts, watching


async def _beat(pulse: Pulse) -> None:
    while True:
        pulse.beat()
        await asyncio.sleep(BEAT_S)


async def run_until_signalled(plan: KeeperPlan, runtime_dir: Path | None, supervisor: int | None = None) -> None:
    """`keep`, until SIGTERM or SIGINT; with a runtime folder also until the parent has died, whose workers it served.

    `supervisor` is that parent's process id; None: whoever the parent is now. See `keep` for errors.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    waiting = (
        asyncio.create_task(_wait_for_orphanhood(stop, supervisor or os.getppid())) if runtime_dir is not None else None
    )
    try:
        await keep(plan, runtime_dir, stop)
    finally:
        if waiting is not None:
            waiting.cancel()


async def _wait_for_orphanhood(stop: asyncio.Event, parent: int) -> None:
    while os.getppid() == parent:  # noqa: ASYNC110 (the kernel tells only those who ask)
        await asyncio.sleep(BEAT_S)
    log.warning("supervisor_died")
    stop.set()


def main(arguments: list[str] | None = None) -> int:
    """Run the keeper; the exit status: 0 it was told to stop, 1 it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m undertow.keeper.main", description="Undertow's keeper.")
    parser.add_argument("--plan-file", type=Path, required=True, help="compiled serving plan")
    parser.add_argument("--runtime-dir", type=Path, required=True, help="folder of this gateway's sockets")
    # Named, because it may have died before this process could ask for it.
    parser.add_argument("--supervisor", type=int, help="process id of the supervisor, without which the keeper ends")
    given = parser.parse_args(arguments)
    configure_logging()
    try:
        plan = read_keeper_plan(given.plan_file)
        configure_logging(plan.telemetry.log_level, plan.telemetry.log_format)
        asyncio.run(run_until_signalled(plan, given.runtime_dir, given.supervisor))
    except (ConfigError, OSError):
        log.exception("keeper_cannot_start")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
