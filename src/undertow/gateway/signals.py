"""`POST /v1/feedback` and `/v1/outcomes`: signals from outside, kept before the caller is told so."""

import asyncio
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from undertow.gateway.arrival import Arrival
from undertow.gateway.refusal import RefusedError
from undertow.records.serving import KeyPlan
from undertow.services.collect import SignalsError, read_signals

if TYPE_CHECKING:
    from undertow.gateway.app import GatewayApp

HANDOVER = "handover"


async def post_signals(
    app: "GatewayApp", path: str, body: bytes, arrival: Arrival, key: KeyPlan | None
) -> tuple[int, bytes]:
    """Read, keep and count signals.

    Returns:
        Status and JSON document: 202 with what became of each row, or 422 if none was accepted.

    Raises:
        RefusedError: 400 for a body without rows, 503 where they cannot be kept now.
    """
    try:
        read = read_signals(
            body,
            default_kind="outcome" if path == "/v1/outcomes" else "thumb",
            at=app.now(),
            new_id=lambda: uuid.uuid4().hex,
            idempotency_key=arrival.idempotency_key,
            pseudonym=app.engine.admission.pseudonym,
            source=f"key:{key.name}" if key is not None else None,
        )
    except SignalsError as error:
        raise RefusedError(400, str(error), code="invalid_signals") from None
    rejected = [{"index": row.index, "reason": row.reason} for row in read.rejected]
    kind = "outcome" if path == "/v1/outcomes" else "feedback"
    app.tallies.add_signals(kind, "rejected", len(rejected))
    if not read.signals:
        first = read.rejected[0]
        message = f"no signal was accepted; the first, at index {first.index}: {first.reason}"
        document = {
            "error": {"message": message, "type": "invalid_request_error", "param": None, "code": "no_signal_accepted"},
            "rejected": rejected,
        }
        return 422, msgspec.json.encode(document)
    try:
        # The disk is waited for beside the loop: these are few, and streams must not stand still for them.
        is_new = await asyncio.get_running_loop().run_in_executor(None, app.engine.signals.add, read.signals)
    except OSError:
        raise RefusedError(
            503, "the signals could not be kept; send them again", code="store_unwritable", type_="api_error",
            headers=((b"retry-after", b"5"),),
        ) from None  # fmt: skip
    for signal, fresh in zip(read.signals, is_new, strict=True):
        if fresh and signal.name == HANDOVER:
            at = datetime.fromisoformat(signal.event_time).timestamp()
            app.turns.take_handover(at, signal.decision_id, signal.conversation_id)
    accepted, duplicates = sum(is_new), len(is_new) - sum(is_new)
    app.tallies.add_signals(kind, "accepted", accepted)
    app.tallies.add_signals(kind, "duplicate", duplicates)
    answer: dict[str, object] = {"accepted": accepted, "duplicates": duplicates, "rejected": rejected}
    if read.unstored:
        answer["not_stored"] = read.unstored
    return 202, msgspec.json.encode(answer)
