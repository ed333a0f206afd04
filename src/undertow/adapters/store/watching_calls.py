"""What watching has cost, from the calls that a store keeps beside its log (`calls/`), summed by bucket and purpose."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

import msgspec
import numpy as np

from undertow.adapters.store.row_log import CALLS, row_lines
from undertow.records.cells import CALL_PURPOSES, WatchingCells
from undertow.records.unreadable import UNREADABLE
from undertow.records.watched import NOT_MADE


class _Call(msgspec.Struct):
    """As much of a `WatchingCall` as is summed."""

    at: str
    purpose: str
    cost_usd: float | None = None
    status: str = "ok"


@dataclass(frozen=True, slots=True)
class WatchingCost:
    """Calls of some stores.

    Attributes:
        cells: Their sums.
        broken: Lines that are no call.
    """

    cells: WatchingCells
    broken: int


def watching_cost(roots: Iterable[Path], bucket_s: int, until: datetime | None = None) -> WatchingCost:
    """Sum the calls of stores.

    Args:
        roots: Root folders; those without calls count nothing.
        bucket_s: Seconds in a bucket.
        until: Leave out calls that ended after this moment; None: none.

    Raises:
        OSError: A segment cannot be read.
    """
    decode = msgspec.json.Decoder(_Call).decode
    sums: dict[tuple[int, int], list[float]] = {}
    broken = 0
    for root in roots:
        for line in row_lines(root, CALLS):
            try:
                call = decode(line)
                at = datetime.fromisoformat(call.at)
                purpose = CALL_PURPOSES.index(call.purpose)
            except (ValueError, *UNREADABLE):
                broken += 1
                continue
            at = at.replace(tzinfo=at.tzinfo or UTC)
            if until is not None and at > until:
                continue
            found = sums.setdefault((int(at.timestamp() // bucket_s), purpose), [0, 0, 0.0, 0])
            if call.status in NOT_MADE:
                found[3] += 1
                continue
            found[0] += 1
            if call.cost_usd is not None and isfinite(call.cost_usd) and call.cost_usd >= 0:
                found[1] += 1
                found[2] += call.cost_usd
    places = sorted(sums)
    columns = np.array([sums[place] for place in places], dtype=np.float64).reshape(-1, 4).T
    codes = np.array(places, dtype=np.int64).reshape(-1, 2).T
    calls, cost_n, cost_usd, not_made = columns
    cells = WatchingCells(
        bucket=codes[0],
        purpose=codes[1],
        calls=calls.astype(np.int64),
        cost_n=cost_n.astype(np.int64),
        cost_usd=cost_usd,
        not_made=not_made.astype(np.int64),
    )
    return WatchingCost(cells, broken)


def store_roots(inputs: Iterable[str]) -> tuple[Path, ...]:
    """Those of some inputs of an audit that are the root folder of a store, each once."""
    folders = (Path(name).expanduser() for name in inputs)
    return tuple(dict.fromkeys(each.resolve() for each in folders if (each / "decisions").is_dir()))
