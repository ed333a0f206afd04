"""What a supervisor serves, and what it needs from around it: values and functions that the command line gives it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from undertow.gateway.children import KEEPER_COMMAND, WORKER_COMMAND
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
        today: The day whose prices hold, UTC.
    """

    compile: Callable[[], Compiled]
    say: Callable[[str], None]
    on_ready: Callable[[], None] = lambda: None
    command: Sequence[str] = ()
    worker_command: Sequence[str] = WORKER_COMMAND
    keeper_command: Sequence[str] = KEEPER_COMMAND
    sidecar_command: Sequence[str] = SIDECAR_COMMAND
    today: Callable[[], date] = lambda: datetime.now(UTC).date()
