"""The supervisor's sidecars: for each plan that is served one process for every artefact that needs the sentence encoder.

Each is kept alive as the keeper is (`undertow.gateway.keeping`). While one is not there its policies' requests are answered by the
capable tier. Those of an earlier plan stay for as long as workers of that plan do, since the two must have the same artefact.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from undertow.gateway.children import spawn
from undertow.gateway.keeping import Keeping
from undertow.records.serving import ServingPlan

SIDECAR_COMMAND = (sys.executable, "-P", "-m", "undertow.adapters.classifiers.sidecar")


class HandedSidecar(msgspec.Struct, frozen=True, kw_only=True):
    """One sidecar, as the next version of the supervisor is told of it.

    Attributes:
        pid: Its process, or None: it is dead and to be started again.
        generation: Which plan it belongs to.
        artefact: Its file.
        socket: Where it listens.
    """

    pid: int | None
    generation: int
    artefact: str
    socket: str


class HandedSidecars(msgspec.Struct, frozen=True, kw_only=True):
    """All of them.

    Attributes:
        lifeline: Both ends of the pipe whose closing ends them.
        restarts: As in `undertow.gateway.runtime.Supervision`.
        each: One by one.
    """

    lifeline: tuple[int, int]
    restarts: int = 0
    each: tuple[HandedSidecar, ...] = ()


def sidecar_sockets(plan: ServingPlan, runtime_dir: str, generation: int) -> dict[str, str]:
    """The socket of each policy's sidecar, by policy; those with the same artefact share one.

    Supervisor and workers find it on their own, from the plan and its generation.
    """
    found = _artefacts(plan)
    numbers = {artefact: number for number, artefact in enumerate(dict.fromkeys(found.values()))}
    return {policy: f"{runtime_dir}/enc-{generation}-{numbers[artefact]}.sock" for policy, artefact in found.items()}


def _artefacts(plan: ServingPlan) -> Mapping[str, str]:
    from undertow.bootstrap.gateway import sidecar_artefacts  # noqa: PLC0415 (the supervisor seldom needs all that it loads)

    return sidecar_artefacts(plan)


@dataclass(slots=True)
class _Sidecar:
    generation: int
    artefact: str
    socket: str
    keeping: Keeping
    is_leaving: bool = False


class Sidecars:
    """Keeps the sidecars of all plans that are in use.

    Args:
        runtime_dir: Where their sockets are.
        say: Tells the operator one line.
        command: Program and arguments before those of one sidecar.
    """

    def __init__(self, runtime_dir: str, say: Callable[[str], None], command: Sequence[str] = SIDECAR_COMMAND) -> None:
        self._runtime_dir = runtime_dir
        self._say = say
        self._command = tuple(command)
        self._all: list[_Sidecar] = []
        self._restarts_of_gone = 0
        # They end when its writing end is closed, which is when this process is gone, however it died.
        self._lifeline = os.pipe()

    # -- plans

    def begin(self, plan: ServingPlan, generation: int, now: float) -> None:
        """Start those of a plan."""
        sockets = sidecar_sockets(plan, self._runtime_dir, generation)
        artefacts = {sockets[policy]: artefact for policy, artefact in _artefacts(plan).items()} if sockets else {}
        for socket, artefact in artefacts.items():
            self._add(HandedSidecar(pid=None, generation=generation, artefact=artefact, socket=socket))
        self.tick(now)

    def are_ready(self, generation: int) -> bool:
        """Whether it is of no use to wait longer: each one of this plan listens, or has died already."""
        return all(
            one.keeping.restarts > 0 or Path(one.socket).exists() for one in self._all if one.generation == generation
        )

    def keep(self, generations: Collection[int]) -> None:
        """Have those of all other plans end."""
        for one in self._all:
            if one.generation not in generations and not one.is_leaving:
                one.is_leaving = True
                one.keeping.stop()
        self._forget_ended()

    # -- processes

    @property
    def due_at(self) -> list[float]:
        """Monotonic times at which some are to be started."""
        return [one.keeping.due_at for one in self._all if one.keeping.due_at is not None]

    @property
    def is_any_alive(self) -> bool:
        """Whether a process of them is left."""
        return any(one.keeping.pid is not None for one in self._all)

    @property
    def restarts(self) -> int:
        """Times that one had to be started again."""
        return self._restarts_of_gone + sum(one.keeping.restarts for one in self._all)

    def alive(self, generation: int) -> int:
        """How many of this plan live."""
        return sum(one.keeping.pid is not None for one in self._all if one.generation == generation)

    def missing(self, generation: int) -> int:
        """How many of this plan are dead."""
        return sum(one.keeping.pid is None for one in self._all if one.generation == generation)

    def tick(self, now: float) -> None:
        """Start those that are due."""
        for one in self._all:
            one.keeping.tick(now)

    def ended(self, pid: int, status: int, now: float) -> bool:
        """A child is dead; whether it was one of these."""
        for one in self._all:
            if one.keeping.pid == pid:
                one.keeping.ended(status, now)
                self._forget_ended()
                return True
        return False

    def kill(self) -> None:
        """End all of them now, for good."""
        for one in self._all:
            one.is_leaving = True
            one.keeping.kill()
        self._forget_ended()

    def close(self) -> None:
        """Let go of the pipe: whoever still lives ends."""
        for end in self._lifeline:
            with contextlib.suppress(OSError):
                os.close(end)

    # -- replacing the supervisor

    def hand_over(self) -> HandedSidecars:
        """What the next version of the supervisor has to know."""
        return HandedSidecars(
            lifeline=self._lifeline,
            restarts=self.restarts,
            each=tuple(
                HandedSidecar(pid=one.keeping.pid, generation=one.generation, artefact=one.artefact, socket=one.socket)
                for one in self._all
            ),
        )

    def adopt(self, handed: HandedSidecars) -> None:
        """Go on with those of the supervisor before this one."""
        self.close()
        self._lifeline = handed.lifeline
        for end in self._lifeline:
            os.set_inheritable(end, False)
        self._restarts_of_gone = handed.restarts
        for one in handed.each:
            self._add(one)

    def _add(self, one: HandedSidecar) -> None:
        def start() -> int:
            command = [*self._command, "--artefact", one.artefact, "--socket", one.socket, "--until-stdin-closes"]
            return spawn(command, os.environ, stdin=self._lifeline[0], is_quiet=True)

        keeping = Keeping(
            start,
            self._say,
            pid=one.pid,
            who=f"the encoder of {Path(one.artefact).name}",
            meanwhile="the capable tier answers meanwhile",
        )
        self._all.append(_Sidecar(one.generation, one.artefact, one.socket, keeping))

    def _forget_ended(self) -> None:
        for one in [one for one in self._all if one.is_leaving and one.keeping.pid is None]:
            self._restarts_of_gone += one.keeping.restarts
            self._all.remove(one)
