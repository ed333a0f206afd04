"""Small logs with decisions and signals, for tests of what finds single ones."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.records.decision import Call, DecisionRecord
from undertow.records.serving import StorePlan
from undertow.records.signal import SignalRecord

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record(number: int, at: datetime, **values: object) -> DecisionRecord:
    known: dict[str, object] = {
        "decision_id": f"d{number:04d}", "event_time": text(at), "conversation_id": f"c{number // 2}", "user_id": f"u{number % 3}",
        "segment": {"intent": "billing" if number % 2 else "account"}, "policy": "auto", "policy_version": "v1", "origin": "live",
        "tier": "cheap" if number % 3 else "capable", "first_tier": "cheap", "escalated": number % 3 == 0,
        "reason": "confident" if number % 3 else "unsure", "arm": "treatment", "arm_probability": 0.95, "eligible": True,
        "confidence": 0.9 if number % 3 else 0.4, "threshold": 0.7, "cost_usd": 0.0021, "baseline_cost_usd": 0.01, "latency_ms": 420.0,
        "status": "ok", "calls": (Call(tier="cheap", model="small", input_tokens=20, output_tokens=5, cost_usd=0.0021, latency_ms=400.0),),
    }  # fmt: skip
    return DecisionRecord(**(known | values))  # type: ignore[arg-type]


def write_store(root: Path, *records: DecisionRecord, signals: tuple[dict[str, object], ...] = ()) -> Path:
    """A store as a gateway writes it: sealed segments of JSON lines."""
    plan = StorePlan(path=str(root))
    log = StoreDecisionLog(plan, "w0")
    for each in records:
        log.finish(each)
    log.close()
    if signals:
        write_signals(root, *signals)
    return root


def write_signals(root: Path, *signals: dict[str, object]) -> None:
    log = StoreSignalLog(StorePlan(path=str(root)), "w0")
    known = {"event_time": text(NOON), "kind": "review", "name": "accuracy"}
    log.add(tuple(SignalRecord(**({"signal_id": f"s{number}"} | known | each)) for number, each in enumerate(signals)))  # type: ignore[arg-type]
    log.close()


def some(count: int = 40, days: int = 4) -> list[DecisionRecord]:
    """Decisions spread evenly over the days up to noon, the newest first."""
    return [record(number, NOON - timedelta(days=days) * number / count) for number in range(count)]
