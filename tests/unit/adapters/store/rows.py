"""Small records for the tests of the store, and what a store holds."""

import json
from collections import Counter
from pathlib import Path

from undertow.records.decision import Call, DecisionRecord, Intent
from undertow.records.serving import StorePlan
from undertow.records.signal import SignalRecord

NOON = 1_772_366_400_000
"""2026-03-01T12:00:00Z in milliseconds since 1970."""


def decision_id(number: int, at_ms: int = NOON) -> str:
    return f"{at_ms:012x}{number:020x}"


def intent(number: int) -> Intent:
    return Intent(decision_id=decision_id(number), event_time="2026-03-01T12:00:00.000Z", user_id=f"u{number}")


def record(number: int, **values: object) -> DecisionRecord:
    known: dict[str, object] = {
        "decision_id": decision_id(number),
        "event_time": "2026-03-01T12:00:00.000Z",
        "user_id": f"u{number}",
        "segment": {"intent": "billing"},
        "origin": "live",
        "tier": "cheap",
        "status": "ok",
        "confidence": 0.9,
        "input_tokens": 100,
        "cost_usd": 1e-7,
        "calls": (Call(tier="cheap", model="m", input_tokens=100, cost_usd=1e-7),),
    }
    return DecisionRecord(**(known | values))  # type: ignore[arg-type]


def signal(number: int, **values: object) -> SignalRecord:
    known: dict[str, object] = {
        "signal_id": f"s{number}",
        "event_time": "2026-03-01T12:05:00.000Z",
        "decision_id": decision_id(number),
        "kind": "thumb",
        "name": "helpful",
        "value": 1.0,
    }
    return SignalRecord(**(known | values))  # type: ignore[arg-type]


def plan(root: Path, **values: object) -> StorePlan:
    return StorePlan(path=str(root), **values)  # type: ignore[arg-type]


def rows_of(root: Path, part: str = "decisions") -> list[dict[str, object]]:
    """Every row of the segments that are JSON lines."""
    files = sorted((root / part / "open").glob("*.jsonl*"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def ids_of(root: Path) -> Counter[str]:
    return Counter(str(row["decision_id"]) for row in rows_of(root))


def names(root: Path, folder: str) -> list[str]:
    """Endings of the files in a folder of the store, in order."""
    return sorted("." + path.name.split(".", 1)[1] for path in (root / folder).glob("*") if path.is_file())


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = NOON / 1000) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
