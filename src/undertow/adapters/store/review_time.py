"""The time that people took for their votes, from the votes that a store keeps (`votes/`), summed by bucket."""

from collections.abc import Iterable
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

import msgspec
import numpy as np

from undertow.adapters.store.row_log import VOTES, row_lines
from undertow.records.cells import ReviewTimeCells
from undertow.records.unreadable import UNREADABLE

MOST_SECONDS = 1_800.0
"""A vote that took longer was left open on a screen: it counts as half an hour."""


class _Vote(msgspec.Struct):
    """As much of a `Vote` as is summed."""

    at: str
    seconds: float | None = None


def review_time(roots: Iterable[Path], bucket_s: int, until: datetime | None = None) -> ReviewTimeCells:
    """Sum the votes of stores. Lines that are none are left out: reading votes counts them (`undertow review status`).

    Args:
        roots: Root folders; those without votes count nothing.
        bucket_s: Seconds in a bucket.
        until: Leave out votes after this moment; None: none.

    Raises:
        OSError: A segment cannot be read.
    """
    decode = msgspec.json.Decoder(_Vote).decode
    sums: dict[int, list[float]] = {}
    for root in roots:
        for line in row_lines(root, VOTES):
            try:
                vote = decode(line)
                at = datetime.fromisoformat(vote.at)
            except (ValueError, *UNREADABLE):
                continue
            at = at.replace(tzinfo=at.tzinfo or UTC)
            if until is not None and at > until:
                continue
            found = sums.setdefault(int(at.timestamp() // bucket_s), [0, 0, 0.0])
            found[0] += 1
            if vote.seconds is not None and isfinite(vote.seconds) and vote.seconds >= 0:
                found[1] += 1
                found[2] += min(vote.seconds, MOST_SECONDS)
    buckets = sorted(sums)
    votes, timed, seconds = np.array([sums[bucket] for bucket in buckets], dtype=np.float64).reshape(-1, 3).T
    return ReviewTimeCells(np.array(buckets, dtype=np.int64), votes.astype(np.int64), timed.astype(np.int64), seconds)
