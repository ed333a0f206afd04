"""Decision logs and signals as files, read by the engine as an audit reads them. The first byte chooses kind and ending."""

from outside_bytes.target import Target, in_time, only, scratch, written
from undertow.adapters.duckdb.inputs import LogInputs
from undertow.adapters.duckdb.source import DuckDbAuditSource
from undertow.errors import UndertowError
from undertow.ports.audit_source import CellOptions
from wire_samples import dumps

_ENDINGS = ("jsonl", "jsonl", "json", "csv", "parquet", "jsonl.gz", "jsonl.zst")
ROW = {
    "decision_id": "d1", "event_time": "2026-03-01T10:00:00Z", "tier": "cheap", "model": "small", "policy": "auto", "arm": "treatment",
    "arm_probability": 0.9, "status": "ok", "cost_usd": 0.001, "confidence": 0.7, "segment": {"intent": "billing"}, "prompt": "canary4711",
    "conversation_id": "c", "user_id": "u", "latency_ms": 12.5, "input_tokens": 10, "output_tokens": 5,
}  # fmt: skip
SIGNAL = {"signal_id": "s1", "decision_id": "d1", "event_time": "2026-03-01T11:00:00Z", "kind": "label", "name": "correct", "value": 1, "selection": "random", "inclusion_probability": 0.5}  # fmt: skip
SECONDS = 12.0
"""An audit of one row takes a third of a second, most of it the engine's start."""


def read(data: bytes) -> None:
    """Sufficient statistics, or one error."""
    first, data = data[:1] or b"\0", data[1:]
    choice = first[0]
    path = str(written(f"log.{_ENDINGS[choice % len(_ENDINGS)]}", data))
    good = str(written("good.jsonl", _lines(*({**ROW, "decision_id": f"d{n}"} for n in range(3)))))
    inputs = LogInputs((good,), signals=(path,)) if choice >= 128 else LogInputs((path,))
    with in_time(SECONDS), only(UndertowError):
        source = DuckDbAuditSource(inputs, memory_limit="512MB", threads=1, temp_dir=str(scratch()))
        source.cells(CellOptions())


def _lines(*rows: object) -> bytes:
    return b"".join(dumps(row) + b"\n" for row in rows)


SEEDS = (
    b"\x00" + _lines(ROW, {**ROW, "decision_id": "d2", "tier": "capable", "arm": "holdout", "arm_probability": 0.1}),
    b"\x80" + _lines(SIGNAL, {**SIGNAL, "signal_id": "s2", "kind": "outcome", "value": None}),
    b"\x03decision_id,event_time,tier,segment\nd1,2026-03-01T10:00:00Z,cheap,\nd2,2026-03-01,capable,x\n",
)
TARGET = Target("log_files", read, SEEDS)
