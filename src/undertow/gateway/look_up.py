"""`GET /v1/undertow/decisions/{id}`: one decision's record, from memory, the open segments, or the keeper for older ones."""

import asyncio
import re
from typing import Any

import msgspec

from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.lookup import find_record
from undertow.gateway.refusal import RefusedError
from undertow.records.serving import KeyPlan

KEEPER_TIMEOUT_S = 5.0
MAX_RECORD_BYTES = 16_000_000
_ID = re.compile(r"[0-9a-f]{32}")
_HIDDEN = ("prompt", "response")
"""Text that retention keeps is for reviewers, not for whoever holds a key."""


class Lookup:
    """Finds records.

    Args:
        decisions: This worker's log, which remembers its last records.
        store: The store's folder.
        keeper: Path of the keeper's look-up socket.
    """

    def __init__(self, decisions: StoreDecisionLog, store: str, keeper: str) -> None:
        self._decisions = decisions
        self._store = store
        self._keeper = keeper

    async def find(self, decision_id: str, key: KeyPlan | None) -> bytes:
        """The record as JSON. With keys set, a caller sees the decisions of its own key only.

        Raises:
            RefusedError: 404: there is none, or it is another key's.
        """
        line = None
        if _ID.fullmatch(decision_id):
            line = self._decisions.recent(decision_id)
            if line is None:
                loop = asyncio.get_running_loop()
                line = await loop.run_in_executor(None, find_record, self._store, decision_id)
            if line is None:
                line = await self._ask_keeper(decision_id)
        record: dict[str, Any] | None = msgspec.json.decode(line) if line else None
        if record is None or (key is not None and record.get("key_name") != key.name):
            raise RefusedError(404, "no such decision, or it was made with another key", code="decision_not_found")
        return msgspec.json.encode({name: value for name, value in record.items() if name not in _HIDDEN})

    async def _ask_keeper(self, decision_id: str) -> bytes | None:
        if not self._keeper or not hasattr(asyncio, "open_unix_connection"):
            return None
        try:
            async with asyncio.timeout(KEEPER_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(self._keeper, limit=MAX_RECORD_BYTES)
                try:
                    writer.write(decision_id.encode() + b"\n")
                    await writer.drain()
                    line = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):
            return None  # the keeper is away; what it alone knows can be asked for later
        return line.strip() or None
