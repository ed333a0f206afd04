"""Bodies of `POST /v1/feedback` and `/v1/outcomes`."""

from datetime import UTC, datetime

from outside_bytes.target import Target, check_message, in_time, only
from undertow.services.collect import SignalsError, read_signals
from wire_samples import dumps

AT = datetime(2026, 3, 1, tzinfo=UTC)


def read(data: bytes) -> None:
    """Rows, rows with reasons, or one error."""
    with in_time():
        for kind in ("thumb", "outcome"):
            with only(SignalsError):
                found = read_signals(
                    data, default_kind=kind, at=AT, new_id=lambda: "s", idempotency_key="k", source="key:a"
                )
                for row in found.rejected:
                    check_message(row.reason, canary="")
                for signal in found.signals:
                    assert signal.kind
                    datetime.fromisoformat(signal.event_time)


SEEDS = (
    dumps({"decision_id": "d", "value": 1, "comment": "canary4711"}),
    dumps([{"conversation_id": "c", "kind": "outcome", "name": "refund", "value": 12.5, "event_time": "2026-02-28T10:00:00+01:00"}]),
    dumps({"user_id": "u", "kind": "label", "name": "correct", "value": 0.5, "selection": "random", "inclusion_probability": 0.1, "revision": 3}),
)  # fmt: skip
TARGET = Target("signals", read, SEEDS)
