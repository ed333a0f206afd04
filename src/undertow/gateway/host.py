"""What a supervisor serves, and what it needs from around it: values and functions that the command line gives it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from undertow.bootstrap.versions import Pinned
from undertow.gateway.children import ALARM_COMMAND, KEEPER_COMMAND, WORKER_COMMAND
from undertow.gateway.lookout import PATIENCE, Patience
from undertow.gateway.sidecars import SIDECAR_COMMAND
from undertow.records.serving import ServingPlan


@dataclass(frozen=True, slots=True)
class Compiled:
    """The settings, as far as serving needs them.

    Attributes:
        plan: What workers are told.
        workers: How many.
        drain_timeout_s: Seconds that requests in flight may take when the gateway ends.
    """

    plan: ServingPlan
    workers: int = 1
    drain_timeout_s: float = 30.0


def _as_compiled(plan: ServingPlan) -> Pinned:
    return Pinned(plan, {})


@dataclass(frozen=True, slots=True)
class Host:
    """What a supervisor needs from around it.

    Attributes:
        compile: Reads the settings. Raises an `UndertowError` where they are wrong.
        say: Tells the operator one line.
        on_ready: Called once, when the first workers are ready.
        command: Command line of this process, for running a new version.
        worker_command: What starts a worker.
        keeper_command: What starts a keeper.
        sidecar_command: What starts a sidecar with an encoder.
        dashboard_command: What starts the dashboard; empty: there is none. Unlike the others it has no default, since it is of a layer above.
        alarm_command: What starts the process that tells people that nobody watches.
        patience: How long is waited before that.
        today: The day whose prices hold, UTC.
        pinned: Replaces policies of a plan that were rolled back; asked every few seconds.
        begin: Begins the rollouts of a plan's new versions before anybody is served by them; says what stands in the way.
        keep: Told of every plan that begins to serve, so that it can be served by again; says what could not be kept.
    """

    compile: Callable[[], Compiled]
    say: Callable[[str], None]
    on_ready: Callable[[], None] = lambda: None
    command: Sequence[str] = ()
    worker_command: Sequence[str] = WORKER_COMMAND
    keeper_command: Sequence[str] = KEEPER_COMMAND
    sidecar_command: Sequence[str] = SIDECAR_COMMAND
    dashboard_command: Sequence[str] = ()
    alarm_command: Sequence[str] = ALARM_COMMAND
    patience: Patience = PATIENCE
    today: Callable[[], date] = lambda: datetime.now(UTC).date()
    pinned: Callable[[ServingPlan], Pinned] = _as_compiled
    keep: Callable[[ServingPlan], Iterable[str]] = lambda _: ()
    begin: Callable[[ServingPlan], Iterable[str]] = lambda _: ()
