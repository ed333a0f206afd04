"""Files of business outcomes as other systems drop them. The first byte chooses the ending and the kind of source."""

import os

from outside_bytes.importer_samples import OUTCOMES
from outside_bytes.target import Target, check_message, in_time, only, written
from undertow.adapters.outcomes.files import DroppedFiles
from undertow.errors import UndertowError
from undertow.records.serving import SourcePlan

_ENDINGS = ("csv", "jsonl", "json", "csv.gz", "jsonl.zst", "parquet")
LATER = 1_800_000_000.0
"""Now: files are read that have been left alone for a while."""
_KINDS = ("files", "zendesk", "intercom")


def read(data: bytes) -> None:
    """Rows, rows with reasons, or one error for the file."""
    first, data = data[:1] or b"\0", data[1:]
    path = written(f"outcomes.{_ENDINGS[first[0] % 6]}", data)
    os.utime(path, (LATER - 3_600, LATER - 3_600))
    plan = SourcePlan(name="tickets", kind=_KINDS[first[0] % 3], path=str(path), outcome="refund")
    with in_time(), only(UndertowError, canary=""):
        for place in DroppedFiles(plan, lambda: LATER).places(None):
            assert not isinstance(place, tuple)
            for batch in place.rows:
                for row in batch:
                    if row.reason:
                        check_message(row.reason)


SEEDS = tuple(bytes([choice]) + content for content in OUTCOMES for choice in (0, 1))
TARGET = Target("outcome_files", read, SEEDS)
