"""Small stores with decisions, and files of outcomes as other systems drop them."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.records.decision import DecisionRecord
from undertow.records.pseudonym import pseudonym
from undertow.records.serving import SourcePlan, StorePlan

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HEADER = "id,created_at,user_id,value\n"


def stamp(hours: float) -> str:
    """The time so many hours after the start."""
    return (START + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def decision(
    number: int, hours: float, *, user: str | None = None, key: bytes | None = None, **values: object
) -> DecisionRecord:
    """A decision as the gateway writes it."""
    given: dict[str, object] = {
        "decision_id": f"d{number}",
        "event_time": stamp(hours),
        "conversation_id": pseudonym(f"c{number}", key),
        "user_id": pseudonym(user or f"u{number}", key),
        "segment": {"intent": "billing"},
        "policy": "auto",
        "origin": "live",
        "mode": "route",
        "eligible": True,
        "arm": "treatment",
        "arm_probability": 0.9,
        "tier": "cheap",
        "escalated": False,
        "reason": "confident",
        "status": "ok",
        "cost_usd": 0.01,
        "baseline_cost_usd": 0.04,
    }
    return DecisionRecord(**(given | values))  # type: ignore[arg-type]


def write_decisions(store: Path, decisions: Iterable[DecisionRecord]) -> None:
    """A store with these decisions."""
    log = StoreDecisionLog(StorePlan(path=str(store)), "w0")
    for each in decisions:
        log.finish(each)
    log.close()


def write_signals(store: Path, *signals: object) -> None:
    """Add signals to a store."""
    log = StoreSignalLog(StorePlan(path=str(store)), "w0")
    log.add(signals)  # type: ignore[arg-type]
    log.close()


def drop(path: Path, text: str | bytes, *, age_s: float = 3600.0) -> Path:
    """A file that was written so long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    aged(path, age_s)
    return path


def aged(path: Path, age_s: float) -> None:
    """Have a file look as old as this."""
    at = datetime.now(UTC).timestamp() - age_s
    os.utime(path, (at, at))


def files_plan(path: Path | str, **values: object) -> SourcePlan:
    """A source of files, called crm."""
    return SourcePlan(**({"name": "crm", "path": str(path), "outcome": "ticket"} | values))  # type: ignore[arg-type]
