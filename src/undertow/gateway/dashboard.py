"""The supervisor's dashboard: one process beside the keeper, started anew for each plan that begins to serve.

It may fail as often as it likes: no request waits for it but those under /ui, which are told to come again.
"""

import os
from collections.abc import Callable, Sequence

from undertow.gateway.children import spawn
from undertow.gateway.keeping import Keeping

WHO, MEANWHILE = "the dashboard", "requests are served all the same, and /ui says that it is away"


class Dashboard:
    """Keeps the dashboard's process.

    Args:
        runtime_dir: Where its socket is.
        say: Tells the operator one line.
        command: Program and arguments before those of its own; empty: there is no dashboard.
    """

    def __init__(self, runtime_dir: str, say: Callable[[str], None], command: Sequence[str]) -> None:
        self._runtime_dir = runtime_dir
        self._say = say
        self._command = tuple(command)
        self._plan_file = ""
        self._keeping: Keeping | None = None
        self._leaving: list[Keeping] = []

    @property
    def pid(self) -> int | None:
        """Its process, or None: it is dead, or there is to be none."""
        return None if self._keeping is None else self._keeping.pid

    @property
    def due_at(self) -> float | None:
        """Monotonic time at which it is to be started, or None."""
        return None if self._keeping is None else self._keeping.due_at

    @property
    def is_any_alive(self) -> bool:
        """Whether a process of it is left."""
        return self.pid is not None or any(each.pid is not None for each in self._leaving)

    def begin(self, plan_file: str, now: float, *, is_wanted: bool) -> None:
        """A plan begins to be served.

        Args:
            plan_file: That plan.
            now: Monotonic seconds.
            is_wanted: It has a dashboard.
        """
        self._plan_file = plan_file
        if not is_wanted or not self._command:
            self.stop()
        elif self._keeping is None:
            self._keeping = self._new(None)
        else:
            self._keeping.renew(now)

    def tick(self, now: float) -> None:
        """Start it if that is due, and nothing is left of one before it."""
        if self._keeping is not None and not self._leaving:
            self._keeping.tick(now)

    def ended(self, pid: int, status: int, now: float) -> bool:
        """A child is dead; whether it was this one."""
        for each in (*self._leaving, *([] if self._keeping is None else [self._keeping])):
            if each.pid == pid:
                each.ended(status, now)
                self._leaving = [left for left in self._leaving if left.pid is not None]
                return True
        return False

    def stop(self) -> None:
        """Have it end well, for good; a later plan may begin another."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None and keeping.pid is not None:
            keeping.stop()
            self._leaving.append(keeping)

    def kill(self) -> None:
        """End it now."""
        self.stop()
        for each in self._leaving:
            each.kill()

    def adopt(self, pid: int) -> None:
        """Go on with that of the supervisor before this one."""
        self._keeping = self._new(pid)

    def _new(self, pid: int | None) -> Keeping:
        return Keeping(self._start, self._say, pid=pid, who=WHO, meanwhile=MEANWHILE)

    def _start(self) -> int:
        own = ("--plan-file", self._plan_file, "--runtime-dir", self._runtime_dir, "--supervisor", str(os.getpid()))
        return spawn([*self._command, *own], os.environ)
