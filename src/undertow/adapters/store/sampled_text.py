"""Finds the text of one decision that was drawn for review, for as long as the store keeps it."""

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from undertow.adapters.store.row_log import SAMPLED, row_lines
from undertow.records.unreadable import UNREADABLE
from undertow.records.watched import SampledText


def find_sampled_text(root: Path, decision_id: str, at: datetime) -> SampledText | None:
    """The text of a decision, redacted as the store's setting says, or None: it was not drawn, or its text is gone.

    Args:
        root: The store's root folder.
        decision_id: The decision.
        at: When its request arrived, aware.

    Raises:
        OSError: A segment cannot be read.
    """
    needle = msgspec.json.encode(decision_id)
    for line in row_lines(root, SAMPLED, at - timedelta(days=1)):
        if needle not in line:
            continue
        try:
            found = msgspec.json.decode(line, type=SampledText)
        except UNREADABLE:
            continue
        if found.decision_id == decision_id:
            return found
    return None
