"""Tells people that nobody watches: `python -m undertow.keeper.alarm --plan-file PLAN --trouble keeper_gone --since TIME`.

The supervisor starts it again and again while the keeper is gone or its looks are overdue. It needs nothing of the keeper: it puts the message into
the outbox (once, however often it is started) and delivers what waits there, whatever else that is, then ends.
"""

import argparse
import asyncio
import logging
import os
import random
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from undertow.adapters.alerts.book import StoreAlertBook
from undertow.adapters.telemetry.json_logs import configure_logging, fields
from undertow.alerting.messages import Trouble
from undertow.bootstrap.alerting import alert_rules, build_alerts
from undertow.bootstrap.keeper import read_keeper_plan
from undertow.errors import ConfigError
from undertow.records.serving import AlertsPlan
from undertow.services.alerts import deliver, hold, watching_stopped

log = logging.getLogger("undertow.keeper")


def main(arguments: list[str] | None = None) -> int:
    """Tell, and deliver; the exit status: 0 done or on its way, 1 the plan or the store cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m undertow.keeper.alarm", description="Undertow's alarm about itself."
    )
    parser.add_argument("--plan-file", type=Path, required=True, help="compiled serving plan")
    parser.add_argument("--trouble", choices=get_args(Trouble), required=True, help="what is wrong")
    parser.add_argument("--since", type=datetime.fromisoformat, required=True, help="since when, RFC 3339")
    given = parser.parse_args(arguments)
    configure_logging()
    try:
        plan = read_keeper_plan(given.plan_file)
        configure_logging(plan.telemetry.log_level, plan.telemetry.log_format)
        alerts = AlertsPlan() if plan.serving is None else plan.serving.alerts
        asyncio.run(tell(Path(plan.store.path), alerts, given.trouble, given.since))
    except (ConfigError, OSError):
        log.exception("alarm_cannot_be_told")
        return 1
    return 0


async def tell(store: Path, alerts: AlertsPlan, trouble: Trouble, since: datetime) -> None:
    """Put the message into the outbox, and deliver what waits there.

    Args:
        store: The store's root folder.
        alerts: Settings.
        trouble: What is wrong.
        since: Since when, aware.

    Raises:
        OSError: The store cannot be read or written.
    """
    book, rules, parts = StoreAlertBook(store), alert_rules(alerts), build_alerts(alerts, os.environ)
    message = watching_stopped(trouble, since, book, rules, datetime.now(UTC))
    if message is not None:
        log.error("watching_stopped", extra=fields(trouble=trouble, since=since.isoformat()))
    for problem in parts.problems:
        log.error("alert_channel_unusable", extra=fields(problem=problem))
    counts = await deliver(book, parts.channels, lambda: datetime.now(UTC), random.random)
    await hold(book, parts.channels, rules, datetime.now(UTC))
    if counts:
        log.info("alerts_delivered", extra=fields(**counts))


if __name__ == "__main__":
    sys.exit(main())
