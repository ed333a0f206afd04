"""The book of what watching costs: `state/watching-spend.json` of a store, the current UTC day only.

A file that is missing, damaged or dated ahead of the clock is made again from the calls of the day (`calls/`), so losing it opens no
budget anew. Calls in there whose cost nobody knows count as much as the mean of those of known cost.
"""

import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from undertow.adapters.one_writer import in_turn
from undertow.adapters.store.row_log import CALLS, read_rows
from undertow.ports.watching import Spent
from undertow.records.runtime_files import WATCHING_SPEND
from undertow.records.unreadable import UNREADABLE
from undertow.records.watched import NOT_MADE, WatchingCall

SPEND_SCHEMA = "undertow.watching-spend/1"
MAX_BYTES = 1_000_000
UNCHARGED = ("connect", "breaker_open", "no_endpoint")
"""Statuses of calls that no upstream can have charged for; nor can it for those that it refused with a status (`http_...`)."""


class PurposeSpend(msgspec.Struct, frozen=True, kw_only=True):
    """What one purpose has come to; see `undertow.ports.watching.Spent`."""

    usd: float = 0.0
    unpriced: int = 0


class SpendFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file.

    Attributes:
        schema: Version of this document.
        day: UTC day that it is about.
        purposes: By purpose.
    """

    schema: str = SPEND_SCHEMA
    day: str
    purposes: dict[str, PurposeSpend] = {}


class StoreSpendBook:
    """The book of one store.

    Args:
        root: The store's root folder.
        clock: Seconds since 1970.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     book = StoreSpendBook(Path(folder), clock=lambda: 0.0)
        ...     book.add("shadow", 0.25).usd, StoreSpendBook(Path(folder), clock=lambda: 0.0).read("shadow")
        (0.25, Spent(day='1970-01-01', usd=0.25, unpriced=0))
    """

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._root = root
        self._path = root / WATCHING_SPEND
        self._clock = clock

    def read(self, purpose: str) -> Spent:
        """See `undertow.ports.watching.SpendBook`."""
        with self._locked():
            return _spent(self._today(), purpose)

    def reserve(
        self, purpose: str, usd: float, limit_usd: float, *, day: str, unpriced: int = 0, most_unpriced: int = 0
    ) -> bool:
        """See `undertow.ports.watching.SpendBook`."""
        with self._locked():
            state = self._today()
            before = state.purposes.get(purpose, PurposeSpend())
            is_within = usd <= limit_usd - before.usd and unpriced <= max(0, most_unpriced - before.unpriced)
            if state.day != day or not is_within:
                return False
            self._add(state, purpose, usd, unpriced)
            return True

    def add(self, purpose: str, usd: float, *, unpriced: int = 0, day: str | None = None) -> Spent:
        """See `undertow.ports.watching.SpendBook`."""
        with self._locked():
            state = self._today()
            if day is not None and day != state.day:
                return _spent(state, purpose)
            return _spent(self._add(state, purpose, usd, unpriced), purpose)

    def _add(self, state: SpendFile, purpose: str, usd: float, unpriced: int) -> SpendFile:
        before = state.purposes.get(purpose, PurposeSpend())
        now = PurposeSpend(usd=max(0.0, before.usd + usd), unpriced=before.unpriced + unpriced)
        state = msgspec.structs.replace(state, purposes=state.purposes | {purpose: now})
        self._write(state)
        return state

    def _write(self, state: SpendFile) -> None:
        """Replace the file in one step. The disk need not confirm it: one that a loss of power has emptied is made again from the calls."""
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        fresh.write_bytes(msgspec.json.encode(state) + b"\n")
        fresh.replace(self._path)

    def _today(self) -> SpendFile:
        today = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        found = self._file()
        if found is None or found.day > today:
            return SpendFile(day=today, purposes=self._from_calls(today))
        return found if found.day == today else SpendFile(day=today)

    def _file(self) -> SpendFile | None:
        try:
            if self._path.stat().st_size > MAX_BYTES:
                return None
            found = msgspec.json.decode(self._path.read_bytes(), type=SpendFile)
        except FileNotFoundError:
            return None
        except UNREADABLE:
            return None
        sound = all(
            math.isfinite(each.usd) and each.usd >= 0 and each.unpriced >= 0 for each in found.purposes.values()
        )
        return found if found.schema == SPEND_SCHEMA and sound else None

    def _from_calls(self, today: str) -> dict[str, PurposeSpend]:
        """What the calls of a day have come to, by purpose."""
        since = datetime.fromisoformat(today).replace(tzinfo=UTC)
        known: dict[str, list[float]] = {}
        unknown: dict[str, int] = {}
        for call in read_rows(self._root, CALLS, WatchingCall, since).rows:
            if not call.at.startswith(today) or call.status in NOT_MADE:
                continue
            if call.cost_usd is not None:
                known.setdefault(call.purpose, []).append(max(0.0, call.cost_usd))
            elif call.status not in UNCHARGED and not call.status.startswith("http_"):
                unknown[call.purpose] = unknown.get(call.purpose, 0) + 1
        found = {}
        for purpose in known.keys() | unknown.keys():
            costs, missing = known.get(purpose, []), unknown.get(purpose, 0)
            mean = sum(costs) / len(costs) if costs else 0.0
            found[purpose] = PurposeSpend(usd=sum(costs) + missing * mean, unpriced=0 if costs else missing)
        return found

    def _locked(self) -> AbstractContextManager[None]:
        """Keep other processes and threads out; they hold it for a few milliseconds at most."""
        return in_turn(self._path.with_suffix(".lock"))


def _spent(state: SpendFile, purpose: str) -> Spent:
    found = state.purposes.get(purpose, PurposeSpend())
    return Spent(state.day, found.usd, found.unpriced)
