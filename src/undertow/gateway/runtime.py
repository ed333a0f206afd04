"""What a worker is told beside the plan: who it is, and where the processes of this gateway find each other.

The supervisor makes the runtime folder (0700, one a run), and writes there how its children fare, for `/metrics`.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from undertow.records.runtime_files import LOOKUP_SOCKET, SHADOW_SOCKET, SUPERVISION, TURNS_SOCKET, UI_SOCKET
from undertow.records.unreadable import UNREADABLE

METRICS_FOLDER = "metrics"
"""Folder below the runtime folder through which workers share their metrics."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The place of one worker.

    Attributes:
        runtime_dir: Folder of this gateway's sockets, metrics and plans; gone when the gateway ends.
        plan_file: Plan that this worker serves.
        worker_number: Its number, no other living worker of this gateway has it; numbers are used again.
        workers: How many workers serve at a time (in a roll, twice as many live).
        generation: Counts the plans that this gateway has served, from 1.
        keeper_turns_socket: Path of the datagram socket on which the keeper takes turns; it may not be there.
        keeper_lookup_socket: Path of the stream socket on which the keeper answers look-ups; it may not be there.
        keeper_shadow_socket: Path of the stream socket on which the keeper takes what is to be answered again; it may not be there.
        ui_socket: Path of the stream socket of the dashboard's process; it may not be there.
    """

    runtime_dir: str
    plan_file: str
    worker_number: int = 0
    workers: int = 1
    generation: int = 1
    keeper_turns_socket: str = ""
    keeper_lookup_socket: str = ""
    keeper_shadow_socket: str = ""
    ui_socket: str = ""

    @classmethod
    def within(cls, folder: str, plan_file: str, *, worker_number: int, workers: int, generation: int) -> "Runtime":
        """A worker's place in a runtime folder, with the sockets where the keeper puts them.

        Examples:
            >>> Runtime.within("/run/u", "/run/u/plan-1.json", worker_number=0, workers=2, generation=1).keeper_turns_socket
            '/run/u/turns.sock'
        """
        return cls(
            folder,
            plan_file,
            worker_number,
            workers,
            generation,
            keeper_turns_socket=f"{folder}/{TURNS_SOCKET}",
            keeper_lookup_socket=f"{folder}/{LOOKUP_SOCKET}",
            keeper_shadow_socket=f"{folder}/{SHADOW_SOCKET}",
            ui_socket=f"{folder}/{UI_SOCKET}",
        )

    @property
    def metrics_dir(self) -> str:
        """Folder through which workers share their metrics."""
        return f"{self.runtime_dir}/{METRICS_FOLDER}"


class Supervision(msgspec.Struct, frozen=True, kw_only=True):
    """How the supervisor's children fare.

    Attributes:
        keeper_up: The keeper's process lives. False is an alarm: requests are served, but nothing is monitored.
        keeper_restarts: Times it had to be started again.
        workers: Workers that accept requests.
        worker_deaths: Workers that died without having been told to.
        generation: Counts the plans served, from 1.
        reloads_refused: Reloads that were refused because the settings were wrong or the new workers did not start.
        sidecars: Sidecars of the plan that live.
        sidecars_missing: Sidecars of the plan that are dead. Above zero is an alarm: the capable tier answers for them.
        sidecar_restarts: Times one had to be started again.
        pins_unserved: Policies that were rolled back to a version that cannot be served. Above zero is an alarm: the capable tier answers for them.
    """

    keeper_up: bool = False
    keeper_restarts: int = 0
    workers: int = 0
    worker_deaths: int = 0
    generation: int = 1
    reloads_refused: int = 0
    sidecars: int = 0
    sidecars_missing: int = 0
    sidecar_restarts: int = 0
    pins_unserved: int = 0


def write_supervision(folder: str, state: Supervision) -> None:
    """Replace the file in one step, so that a reader never sees half of it. A full disk is no reason to stop serving."""
    target = Path(folder, SUPERVISION)
    half = target.with_suffix(".new")
    try:
        half.write_bytes(msgspec.json.encode(state))
        half.replace(target)
    except OSError:
        return


def read_supervision(folder: str) -> Supervision | None:
    """What the supervisor wrote last, or None where it has not."""
    try:
        return msgspec.json.decode(Path(folder, SUPERVISION).read_bytes(), type=Supervision)
    except (OSError, *UNREADABLE):
        return None
