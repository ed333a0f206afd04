"""What the keeper does after each look at the log: the guard decides, and what it does is told."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from undertow.actions.entries import NOTED
from undertow.adapters.telemetry.json_logs import fields
from undertow.alerting.places import shown, without_topic
from undertow.errors import UndertowError
from undertow.records.runtime_files import SUPERVISION
from undertow.records.serving import ServingPlan
from undertow.records.unreadable import UNREADABLE

if TYPE_CHECKING:
    from undertow.bootstrap.watching import Watched
    from undertow.records.guard import TrailEntry

UNSERVED = "the gateway cannot serve by the version that was rolled back to, so its capable tier answers; see the gateway's log"

log = logging.getLogger("undertow.keeper")


class _Supervision(msgspec.Struct):
    """What matters here of the supervisor's file."""

    pins_unserved: int = 0


def serving_fault(runtime_dir: Path | None) -> str:
    """Why this gateway does not apply what the guard holds in force, in words; empty: it does, as far as is known.

    Args:
        runtime_dir: Folder of its sockets, or None: there is no gateway here.
    """
    if runtime_dir is None:
        return ""
    try:
        found = msgspec.json.decode((runtime_dir / SUPERVISION).read_bytes(), type=_Supervision)
    except (OSError, *UNREADABLE):
        return ""
    return UNSERVED if found.pins_unserved else ""


class Guarding:
    """The guard of one store, after each look.

    Args:
        store: Its root folder.
        plan: What is served, and what the guard may do.
        runtime_dir: Folder of the gateway's sockets, or None: there is none.
        now: The time, aware.

    Attributes:
        trail: The whole audit trail, as the last look left it.
    """

    def __init__(
        self,
        store: Path,
        plan: ServingPlan,
        runtime_dir: Path | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._plan, self._runtime_dir, self._now = store, plan, runtime_dir, now
        self.trail: tuple[TrailEntry, ...] = ()

    def look(self, seen: "Watched") -> Mapping[str, int]:
        """Decide by what a look found; what was counted. Whatever stands in the way is logged: people are told of alarms all the same.

        Args:
            seen: What it found.
        """
        from undertow.bootstrap.guarding import Guarded, guard_store  # noqa: PLC0415 (only a keeper that looks)

        plan = self._plan
        guarded = Guarded(plan.guard, plan.rollout, plan.policies, is_serving=self._runtime_dir is not None)
        try:
            fault = serving_fault(self._runtime_dir)
            report = guard_store(self._store, guarded, seen.report, seen.cells, self._now(), fault)
        except (UndertowError, OSError) as error:
            log.exception("guard_failed", extra=fields(why=str(error)))
            return {"guard_failures": 1}
        except Exception as error:  # people are told of alarms all the same
            log.exception("guard_failed", extra=fields(why=type(error).__name__))
            return {"guard_failures": 1}
        self.trail = report.trail or self.trail
        if report.outcome == "busy":
            log.info("guard_busy", extra=fields(why=report.problem))
        elif report.outcome == "failed":
            log.error("guard_failed", extra=fields(why=report.problem))
        for entry in report.entries:
            self._tell(entry)
        done = [entry for entry in report.entries if entry.status == "done" and entry.kind not in NOTED]
        return {
            "guard_actions": len(done),
            "guard_suggestions": sum(entry.status == "suggested" for entry in report.entries),
            "guard_failures": max(int(report.outcome == "failed"), sum(e.status == "failed" for e in report.entries)),
        }

    def _tell(self, entry: "TrailEntry") -> None:
        level = {"failed": logging.ERROR, "done": logging.WARNING}.get(entry.status, logging.INFO)
        log.log(
            level,
            "guard_action",
            extra=fields(
                id=entry.id, kind=entry.kind, status=entry.status, policy=entry.policy, segment=shown(entry.segment),
                before=without_topic(entry.before, entry.segment), after=without_topic(entry.after, entry.segment),
                why=without_topic(entry.why, entry.segment),
            ),
        )  # fmt: skip
