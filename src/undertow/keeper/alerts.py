"""The job that delivers messages, keeps open what would close by itself, and calls whoever notices when the calls stop."""

import asyncio
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.adapters.telemetry.json_logs import fields
from undertow.records.serving import AlertsPlan

if TYPE_CHECKING:
    from undertow.bootstrap.alerting import AlertParts
    from undertow.records.guard import TrailEntry
    from undertow.records.report import AuditReport

log = logging.getLogger("undertow.keeper")

POLICY = "auto"
"""Policy that the audit of a gateway's own log is about."""
HOLD_S = 60.0
"""Seconds between two times that open alerts are sent to channels that would close them."""
CALL_AGAIN_S = 30.0
"""After a call of the dead man's address that failed."""


class Alerts:
    """Delivers the messages of one store.

    Args:
        store: Its root folder.
        plan: Settings.
        env: Environment with the secrets.
        now: The time, aware.
        clock: Seconds that never go back.
        jitter: At random, in [0, 1).
    """

    def __init__(
        self,
        store: Path,
        plan: AlertsPlan,
        env: Mapping[str, str] = os.environ,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store, self._plan, self._env = store, plan, env
        self._now, self._clock, self._jitter = now, clock, jitter
        self._parts: AlertParts | None = None
        self._held_at: float | None = None
        self._call_at: float | None = None

    def looked(self, report: "AuditReport | None", trail: "Sequence[TrailEntry]" = ()) -> Mapping[str, int]:
        """A look has succeeded: tell of its episodes and of what was done, and call the dead man's address at the next run.

        Args:
            report: What it found, or None: there is nothing to audit yet.
            trail: The guard's audit trail, whole.

        Returns:
            What it counted.

        Raises:
            OSError: The store cannot be read or written.
        """
        from undertow.adapters.alerts.book import StoreAlertBook  # noqa: PLC0415
        from undertow.bootstrap.alerting import alert_rules, announce_look  # noqa: PLC0415
        from undertow.services.alerts import watching_stopped  # noqa: PLC0415

        now = self._now()
        announced = announce_look(self._store, self._plan, report, trail, POLICY, now)
        watching_stopped(None, now, StoreAlertBook(self._store), alert_rules(self._plan), now)
        # Last: where nobody can be told of what was seen, somebody must notice.
        if self._plan.dead_man_url_env is not None:
            self._call_at = self._clock()
        return {"alerts_announced": len(announced.messages), "alerts_silenced": announced.silenced}

    def run(self) -> Mapping[str, int]:
        """Run of the job `alerts`.

        Raises:
            OSError: The store cannot be read or written.
        """
        if not self._plan.is_anybody_told and self._plan.dead_man_url_env is None:
            return {}
        return asyncio.run(self._run())

    async def _run(self) -> Mapping[str, int]:
        from undertow.adapters.alerts.book import StoreAlertBook  # noqa: PLC0415
        from undertow.bootstrap.alerting import alert_rules  # noqa: PLC0415
        from undertow.services.alerts import deliver, hold  # noqa: PLC0415

        parts = self._built()
        refused = parts.caller.refused
        book = StoreAlertBook(self._store)
        counts: Counter[str] = Counter()
        await self._call(parts, counts)
        counts += await deliver(book, parts.channels, self._now, self._jitter)
        if parts.channels and (self._held_at is None or self._clock() - self._held_at >= HOLD_S):
            self._held_at = self._clock()
            for name, sent in (await hold(book, parts.channels, alert_rules(self._plan), self._now())).items():
                if sent.outcome != "delivered":
                    counts["alerts_hold_failed"] += 1
                    log.warning("alerts_hold_failed", extra=fields(channel=name, error=sent.said))
        if parts.caller.refused > refused:
            counts["alert_calls_refused"] += parts.caller.refused - refused
        if counts["alerts_failed"] or counts["alerts_given_up"]:
            log.warning("alerts_not_delivered", extra=fields(**counts))
        return dict(counts)

    def _built(self) -> "AlertParts":
        from undertow.bootstrap.alerting import build_alerts  # noqa: PLC0415

        if self._parts is None:
            self._parts = build_alerts(self._plan, self._env)
            for problem in self._parts.problems:
                log.error("alert_channel_unusable", extra=fields(problem=problem))
        return self._parts

    async def _call(self, parts: "AlertParts", counts: Counter[str]) -> None:
        if parts.dead_man_url is None or self._call_at is None or self._clock() < self._call_at:
            return
        sent = await parts.caller.call(parts.dead_man_url)
        if sent.outcome == "delivered":
            self._call_at = None
            counts["dead_man_calls"] += 1
        else:
            self._call_at = self._clock() + CALL_AGAIN_S
            counts["dead_man_calls_failed"] += 1
            log.warning("dead_man_call_failed", extra=fields(error=sent.said))
