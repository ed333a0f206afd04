"""One signal, as the store keeps it. Field names and order are those of `undertow.records.columns.SIGNAL_COLUMNS`."""

import msgspec


class SignalRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One row of the signals (docs/reference/signals.md). Times are RFC 3339 with milliseconds and `Z`."""

    signal_id: str
    event_time: str
    decision_id: str | None = None
    conversation_id: str | None = None
    user_id: str | None = None
    kind: str
    name: str
    value: float
    selection: str | None = None
    inclusion_probability: float | None = None
    received_at: str | None = None
    source: str | None = None
    reference_value: float | None = None
    stratum: str | None = None
    pair_probability: float | None = None
    revision: int | None = None
    deleted: bool | None = None
