"""The supervisor: one process that serves no request, and sees to it that others do.

    start     bind once, write the plan, start the keeper and N workers; ready when all of them are
    nobody watches  the keeper is gone, or its looks are overdue: start a process that tells people
    death     a worker that dies is started again at once, later and later while it keeps dying; the keeper, sidecars and the dashboard, too
    SIGHUP    compile the settings anew; refused: say why and keep the old. Else start N new workers, and when all are ready
              have the old ones leave, once nobody needs them
    SIGUSR2   run the new version of this program in this process, then the same
    midnight  (UTC) compile anew, because prices have dates; different: the same
    roll-back the guard pins a policy to an earlier version, or no longer does: put that into the plan, and the same; settings are not read anew
    SIGTERM   (and SIGINT) finish what is under way, end workers, then the keeper, then this; a second SIGINT: at once

It is one thread that waits for signals, for words from its workers, and for what is due. It must not know what a request is.
"""

import os
import selectors
import shutil
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from undertow.bootstrap.versions import Pinned
from undertow.errors import UndertowError
from undertow.gateway import handover as handing
from undertow.gateway.children import (
    WorkerProcess,
    how_it_ended,
    reap,
    spawn,
    start_keeper,
    start_worker,
)
from undertow.gateway.dashboard import Dashboard
from undertow.gateway.host import Compiled, Host
from undertow.gateway.keeping import Keeping
from undertow.gateway.lookout import Lookout, Trouble
from undertow.gateway.runtime import METRICS_FOLDER, Runtime, Supervision, write_supervision
from undertow.gateway.sidecars import Sidecars
from undertow.records.serving import encode_plan

READY_S = 60.0
"""Seconds in which new workers must be ready."""
SIDECARS_READY_S = 15.0
"""Seconds that ready workers wait for the sidecars of their plan; then they serve without, by the capable tier."""
LOOK_AGAIN_S = 0.05
STEADY_S = 10.0
"""A worker that lived this long had started well."""
LONGEST_DELAY_S = 10.0
KILL_AFTER_S = 5.0
"""Seconds beyond its own deadline after which a child is killed."""
KEEPER_STOP_S = 10.0
MAX_LEAVING_PLANS = 3
"""Workers of more plans than this leave at a quicker pace: each holds memory."""
TICK_S = 30.0
LOOK_AT_PINS_S = 2.0
TRY_PINS_AGAIN_S = 60.0
"""Seconds after which workers of a version that did not start are tried again."""


@dataclass(slots=True)
class _Roll:
    """New workers on their way, to replace all others."""

    generation: int
    settled: Compiled
    """As the settings say."""
    compiled: Compiled
    """The same with what was rolled back replaced: what is served."""
    deadline: float
    is_ready_until: float | None = None
    """All workers are ready; until then they wait for sidecars."""


class Supervisor:
    """Runs a gateway. `run` returns when it has ended.

    Args:
        host: What it needs from around it.
        listener: The bound socket.
        runtime_dir: The runtime folder; removed at the end.
        compiled: The settings to begin with.
        handed: What the supervisor before this one left.
    """

    def __init__(
        self,
        host: Host,
        listener: socket.socket,
        runtime_dir: str,
        compiled: Compiled,
        handed: handing.Handover | None = None,
    ) -> None:
        self._host = host
        self._listener = listener
        self._runtime_dir = runtime_dir
        self._settled = compiled
        self._compiled = compiled
        self._unserved: Mapping[str, str] = {}
        self._look_at_pins = 0.0
        self._day = host.today()
        self._selector = selectors.DefaultSelector()
        self._wakes, self._waker = socket.socketpair()
        self._workers: dict[int, WorkerProcess] = {}
        self._generation = 0
        self._last_generation = 0
        self._roll: _Roll | None = None
        self._wanted: str | None = None
        self._respawn_at: list[float] = []
        self._quick_deaths = 0
        self._deaths = 0
        self._refused = 0
        self._is_ready = False
        self._written: Supervision | None = None
        self._stop_deadline: float | None = None
        self._keeper_deadline: float | None = None
        self._status = 0
        self._interrupts = 0
        self._keeping = Keeping(self._start_keeper, host.say)
        self._lookout = Lookout(runtime_dir, self._start_alarm, host.patience)
        self._sidecars = Sidecars(runtime_dir, host.say, host.sidecar_command)
        self._dashboard = Dashboard(runtime_dir, host.say, host.dashboard_command)
        os.set_inheritable(listener.fileno(), True)
        Path(runtime_dir, METRICS_FOLDER).mkdir(exist_ok=True)
        if handed is not None:
            self._adopt(handed)

    def run(self) -> int:
        """Serve until told to stop.

        Returns:
            Exit status: 0; 1 if the first workers did not start; 130 if interrupted twice.
        """
        self._wakes.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._wakes, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in handing.SIGNALS:
            signal.signal(number, _noted)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handing.SIGNALS)
        try:
            if problem := self._begin_rollouts(self._compiled):
                self._host.say(f"cannot serve: {problem}")
                return 1
            self._begin_roll(self._compiled)
            self._note()
            while not self._is_over():
                self._wait()
                self._tick(time.monotonic())
            return self._status
        finally:
            signal.set_wakeup_fd(-1)
            for worker in self._workers.values():
                worker.kill()
            self._keeping.kill()
            self._dashboard.kill()
            self._sidecars.kill()
            self._sidecars.close()
            self._selector.close()
            self._wakes.close()
            self._waker.close()
            shutil.rmtree(self._runtime_dir, ignore_errors=True)

    # -- waiting

    def _wait(self) -> None:
        now = time.monotonic()
        due = [*self._respawn_at, *self._sidecars.due_at, now + TICK_S]
        due += [at for at in (self._stop_deadline, self._keeper_deadline) if at is not None]
        if self._stop_deadline is None and self._roll is None:
            due.append(self._look_at_pins)
        if self._is_ready:
            own = (self._keeping.due_at, self._dashboard.due_at, self._lookout.due_at)
            due += [at for at in own if at is not None]
        if self._roll is not None:
            due.append(self._roll.deadline if self._roll.is_ready_until is None else now + LOOK_AGAIN_S)
        for key, _ in self._selector.select(max(min(due) - now, 0)):
            if key.fileobj is self._wakes:
                for number in self._wakes.recv(1024):
                    self._signalled(signal.Signals(number))
            elif not key.data.hear():
                self._selector.unregister(key.fileobj)
        for pid, status in reap():
            self._ended(pid, status)

    def _signalled(self, number: signal.Signals) -> None:
        match number:
            case signal.SIGHUP:
                self._wanted = self._wanted or "reload"
            case signal.SIGUSR2:
                self._wanted = "upgrade"
            case signal.SIGTERM | signal.SIGINT:
                self._interrupts += number == signal.SIGINT
                if self._interrupts > 1:
                    self._status = 130
                    self._stop_deadline = self._keeper_deadline = 0.0
                self._stop()
            case _:
                pass  # SIGCHLD: children are looked at after every wait

    def _tick(self, now: float) -> None:
        """Do what is due."""
        if self._stop_deadline is not None:
            self._go_on_stopping(now)
            return
        if self._roll is not None:
            self._go_on_rolling(self._roll, now)
        due = [at for at in self._respawn_at if at <= now]
        self._respawn_at = [at for at in self._respawn_at if at > now]
        for _ in due:
            self._start_worker(self._generation)
        if self._is_ready:
            self._keeping.tick(now)
            self._dashboard.tick(now)
            self._lookout.tick(now)
        self._sidecars.tick(now)
        generations = {self._generation, *(worker.generation for worker in self._workers.values())}
        self._sidecars.keep(generations if self._roll is None else {*generations, self._roll.generation})
        if self._roll is None:
            if self._wanted == "upgrade":
                self._wanted = None
                self._upgrade()
            elif self._wanted == "reload" or self._host.today() != self._day:
                self._reload(only_if_different=self._wanted is None)
                self._wanted = None
            elif now >= self._look_at_pins:
                self._look_at_pins = now + LOOK_AT_PINS_S
                self._follow_pins()
        self._note()

    # -- workers

    def _start_worker(self, generation: int) -> None:
        taken = {worker.number for worker in self._workers.values()}
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        compiled = self._roll.compiled if self._roll and self._roll.generation == generation else self._compiled
        runtime = Runtime.within(
            self._runtime_dir,
            self._plan_file(generation),
            worker_number=number,
            workers=compiled.workers,
            generation=generation,
        )
        worker = start_worker(
            runtime,
            listen_fd=self._listener.fileno(),
            drain_timeout_s=compiled.drain_timeout_s,
            now=time.monotonic(),
            command=self._host.worker_command,
        )
        self._workers[worker.pid] = worker
        self._selector.register(worker.control, selectors.EVENT_READ, worker)

    def _ended(self, pid: int, status: int) -> None:
        now = time.monotonic()
        if pid == self._keeping.pid:
            self._keeping.ended(status, now)
            return
        if (
            self._lookout.ended(pid)
            or self._sidecars.ended(pid, status, now)
            or self._dashboard.ended(pid, status, now)
        ):
            return
        worker = self._workers.pop(pid, None)
        if worker is None:
            return
        if worker.control in self._selector.get_map():
            self._selector.unregister(worker.control)
        worker.control.close()
        if worker.state == "leaving" or self._stop_deadline is not None:
            return
        how = how_it_ended(status)
        if self._roll is not None and worker.generation == self._roll.generation:
            self._refuse_roll(f"a new worker did not start ({how})")
            return
        self._deaths += 1
        self._quick_deaths = self._quick_deaths + 1 if now - worker.started_at < STEADY_S else 0
        delay_s = min(0.1 * 2**self._quick_deaths, LONGEST_DELAY_S) if self._quick_deaths > 1 else 0.0
        self._host.say(f"worker {worker.number} died ({how}); " + _again(delay_s))
        self._respawn_at.append(now + delay_s)

    def _start_keeper(self) -> int:
        return start_keeper(self._plan_file(self._generation), self._runtime_dir, self._host.keeper_command)

    def _start_alarm(self, trouble: Trouble, since: str) -> int:
        self._host.say(f"monitoring has stopped since {since} ({trouble}); people are told")
        arguments = ("--plan-file", self._plan_file(self._generation), "--trouble", trouble, "--since", since)
        return spawn([*self._host.alarm_command, *arguments], os.environ)

    def _plan_file(self, generation: int) -> str:
        return f"{self._runtime_dir}/plan-{generation}.json"

    # -- rolling

    def _begin_roll(self, settled: Compiled, *, has_pins: bool = True) -> None:
        compiled = self._with_pins(settled) if has_pins else settled
        self._last_generation += 1
        generation = self._last_generation
        Path(self._plan_file(generation)).write_bytes(encode_plan(compiled.plan))
        self._roll = _Roll(generation, settled, compiled, time.monotonic() + READY_S)
        self._sidecars.begin(compiled.plan, generation, time.monotonic())
        for _ in range(compiled.workers):
            self._start_worker(generation)

    def _go_on_rolling(self, roll: _Roll, now: float) -> None:
        new = [worker for worker in self._workers.values() if worker.generation == roll.generation]
        if all(worker.state == "ready" for worker in new):
            if roll.is_ready_until is None:
                roll.is_ready_until = now + SIDECARS_READY_S
            if self._sidecars.are_ready(roll.generation) or now >= roll.is_ready_until:
                self._finish_roll(roll, now)
        elif now >= roll.deadline:
            self._refuse_roll(f"the new workers were not ready within {READY_S:g} s")

    def _finish_roll(self, roll: _Roll, now: float) -> None:
        self._roll = None
        self._generation = roll.generation
        self._settled, self._compiled = roll.settled, roll.compiled
        self._respawn_at.clear()
        self._quick_deaths = 0
        self._dashboard.begin(self._plan_file(roll.generation), now, is_wanted=roll.compiled.plan.ui.enabled)
        self._lookout.renew(roll.compiled.plan.alerts, roll.compiled.plan.monitor_minutes, now)
        for worker in self._workers.values():
            if worker.generation != roll.generation and worker.state != "leaving":
                worker.retire()
            elif worker.generation <= roll.generation - 1 - MAX_LEAVING_PLANS:
                worker.stop()
        if self._is_ready:
            versions = ", ".join(f"{policy.name} {policy.version}" for policy in roll.compiled.plan.policies)
            self._host.say(f"{len(self._new_workers())} new workers serve (policy {versions}); the old ones finish")
            self._keeping.renew(now)
        else:
            self._is_ready = True
            self._host.on_ready()
        served = {policy.name: policy.version for policy in roll.settled.plan.policies}
        for policy in roll.compiled.plan.policies:
            if policy.version != served.get(policy.name):
                self._host.say(f"policy {policy.name} was rolled back to version {policy.version}")
        self._keep(roll.compiled)

    def _keep(self, compiled: Compiled) -> None:
        """Keep what begins to serve, so that it can be served by again."""
        try:
            problems = tuple(self._host.keep(compiled.plan))
        except Exception as error:  # noqa: BLE001 (as above)
            problems = (type(error).__name__,)
        for problem in problems:
            self._host.say(f"what serves now cannot be rolled back to: {problem}")

    def _with_pins(self, settled: Compiled) -> Compiled:
        """What is to be served of some settings, with what was rolled back replaced."""
        try:
            pinned = self._host.pinned(settled.plan)
        except Exception as error:  # noqa: BLE001 (whatever it is, what serves must go on serving)
            pinned = Pinned(settled.plan, {"*": type(error).__name__})
        for policy, why in pinned.unserved.items():
            if self._unserved.get(policy) != why:
                self._host.say(f"policy {policy} was rolled back, and the capable tier answers for it: {why}")
        self._unserved = pinned.unserved
        return replace(settled, plan=pinned.plan)

    def _follow_pins(self) -> None:
        """Serve what the guard has rolled back to, or what the settings say where it no longer does."""
        compiled = self._with_pins(self._settled)
        if compiled.plan is self._compiled.plan or encode_plan(compiled.plan) == encode_plan(self._compiled.plan):
            return
        self._host.say("a policy was rolled back, or is no longer: new workers start")
        self._try_to_roll(self._settled)

    def _new_workers(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers.values() if worker.state == "ready"]

    def _refuse_roll(self, why: str) -> None:
        roll, self._roll = self._roll, None
        assert roll is not None
        for worker in self._workers.values():
            if worker.generation == roll.generation:
                worker.stop()
        self._look_at_pins = time.monotonic() + TRY_PINS_AGAIN_S
        if self._is_ready:
            self._refuse(why)
        elif roll.compiled.plan != roll.settled.plan:
            self._host.say(f"the version that was rolled back to cannot serve, so the capable tier answers: {why}")
            self._begin_roll(roll.settled, has_pins=False)
        else:
            self._host.say(f"cannot serve: {why}")
            self._status = 1
            self._stop()

    def _refuse(self, why: str) -> None:
        self._refused += 1
        self._host.say(f"reload refused, the old settings stay: {why}")

    def _reload(self, *, only_if_different: bool) -> None:
        self._day = self._host.today()
        try:
            compiled = self._host.compile()
        except UndertowError as error:
            self._refuse(" / ".join(str(error).splitlines()))
            return
        except Exception as error:  # noqa: BLE001 (whatever it is, what serves must go on serving)
            self._refuse(type(error).__name__)
            return
        if only_if_different and encode_plan(compiled.plan) == encode_plan(self._settled.plan):
            return
        if problem := self._begin_rollouts(compiled):
            self._refuse(problem)
            return
        self._try_to_roll(compiled)

    def _begin_rollouts(self, settled: Compiled) -> str:
        """Nobody is served by a new version before its rollout has begun; what stands in the way, or empty."""
        try:
            return " / ".join(self._host.begin(settled.plan))
        except Exception as error:  # noqa: BLE001 (what serves must go on serving, by the old version)
            return f"the rollout of the new version cannot begin ({type(error).__name__})"

    def _try_to_roll(self, settled: Compiled) -> None:
        try:
            self._begin_roll(settled)
        except OSError as error:
            self._roll = None
            self._refuse(f"the new workers cannot be started ({error.strerror})")

    # -- replacing this program

    def _upgrade(self) -> None:
        command = list(self._host.command)
        problem = handing.rehearse(command)
        if problem is None:
            try:
                handing.become(command, self._hand_over())
            except OSError as error:
                problem = error.strerror or type(error).__name__
        self._refused += 1
        self._host.say(f"the new version is refused, this one goes on: {problem}")

    def _hand_over(self) -> handing.Handover:
        return handing.Handover(
            listen_fd=self._listener.fileno(),
            runtime_dir=self._runtime_dir,
            generation=self._generation,
            workers=tuple(
                handing.HandedWorker(
                    pid=worker.pid,
                    number=worker.number,
                    generation=worker.generation,
                    control_fd=worker.control.fileno(),
                    state=worker.state,
                )
                for worker in self._workers.values()
            ),
            keeper_pid=self._keeping.pid,
            keeper_restarts=self._keeping.restarts,
            worker_deaths=self._deaths,
            reloads_refused=self._refused,
            sidecars=self._sidecars.hand_over(),
            dashboard_pid=self._dashboard.pid,
        )

    def _adopt(self, handed: handing.Handover) -> None:
        """Go on with the children of the supervisor before this one; the roll that `run` begins replaces them."""
        self._generation = handed.generation
        self._deaths = handed.worker_deaths
        self._refused = handed.reloads_refused
        self._is_ready = True
        self._keeping = Keeping(
            self._start_keeper, self._host.say, pid=handed.keeper_pid, restarts=handed.keeper_restarts
        )
        if handed.sidecars is not None:
            self._sidecars.adopt(handed.sidecars)
        if handed.dashboard_pid is not None:
            self._dashboard.adopt(handed.dashboard_pid)
        for one in handed.workers:
            control = socket.socket(fileno=one.control_fd)
            control.set_inheritable(False)
            control.setblocking(False)
            worker = WorkerProcess(one.pid, one.number, one.generation, control, "starting", time.monotonic())
            worker.state = "leaving" if one.state == "leaving" else "ready"
            self._workers[worker.pid] = worker
            self._selector.register(control, selectors.EVENT_READ, worker)
        self._last_generation = max([self._generation, *(worker.generation for worker in self._workers.values())])

    # -- stopping

    def _stop(self) -> None:
        if self._stop_deadline is None:
            self._stop_deadline = time.monotonic() + self._compiled.drain_timeout_s + KILL_AFTER_S
        self._roll = None
        self._respawn_at.clear()
        for worker in self._workers.values():
            worker.stop()
        self._listener.close()

    def _go_on_stopping(self, now: float) -> None:
        """Workers first, so that the keeper can file all that they wrote, and what they ask is answered."""
        assert self._stop_deadline is not None
        if self._workers:
            if now >= self._stop_deadline:
                for worker in self._workers.values():
                    worker.kill()
                self._stop_deadline = now + TICK_S
        elif self._keeper_deadline is None:
            self._keeping.stop()
            self._dashboard.stop()
            self._sidecars.keep(())
            self._keeper_deadline = now + KEEPER_STOP_S
        if self._keeper_deadline is not None and now >= self._keeper_deadline:
            self._keeping.kill()
            self._dashboard.kill()
            self._sidecars.kill()
            self._keeper_deadline = now + TICK_S

    def _is_over(self) -> bool:
        are_others_gone = not self._sidecars.is_any_alive and not self._dashboard.is_any_alive
        are_all_gone = not self._workers and self._keeping.pid is None and are_others_gone
        return self._stop_deadline is not None and are_all_gone

    def _note(self) -> None:
        state = Supervision(
            keeper_up=self._keeping.pid is not None,
            keeper_restarts=self._keeping.restarts,
            workers=len(self._new_workers()),
            worker_deaths=self._deaths,
            generation=self._generation,
            reloads_refused=self._refused,
            sidecars=self._sidecars.alive(self._generation),
            sidecars_missing=self._sidecars.missing(self._generation),
            sidecar_restarts=self._sidecars.restarts,
            pins_unserved=len(self._unserved),
        )
        if state != self._written:
            self._written = state
            write_supervision(self._runtime_dir, state)


def _noted(_number: int, _frame: object) -> None:
    """Python has a signal wake the main loop only if somebody handles it."""


def _again(delay_s: float) -> str:
    return f"another starts in {delay_s:g} s" if delay_s else "another starts"
