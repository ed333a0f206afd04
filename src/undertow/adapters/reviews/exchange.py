"""What the exchange formats share: reading a file's records, and a label's fields as they come from foreign hands."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from undertow.adapters.importers.files import Undecodable, records
from undertow.records.review import Label

MAX_TEXT = 256
"""Characters of an id or name that is looked at."""


MAX_SECONDS = 86_400.0
"""Nobody looks at one item for longer: a greater number is something else."""


def file_records(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Records of a file with their numbers from 1: JSON lines, a JSON array, pages with a list `data`, CSV, or Parquet.

    A record that cannot be decoded comes as the reason.

    Raises:
        LogError: The file cannot be read at all.
    """
    number = 0
    for record in records(path):
        for one in _unpacked(record):
            number += 1
            if isinstance(one, Mapping):
                yield number, one
            else:
                yield number, one.reason if isinstance(one, Undecodable) else "not_an_object"


def _unpacked(record: Any) -> Iterator[Any]:
    if isinstance(record, list):
        yield from record
    elif isinstance(record, Mapping) and isinstance(record.get("data"), list):
        yield from record["data"]
    else:
        yield record


def text_of(record: Mapping[str, Any], *names: str) -> str | None:
    """The first of some fields that holds text (or a whole number, as ids may be), stripped and bounded; None: none does."""
    for name in names:
        value = record.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip():
            return value.strip()[:MAX_TEXT]
    return None


def number_of(value: Any) -> float | None:
    """A finite number, from a number or its text; None: it is none.

    Examples:
        >>> number_of("0.5"), number_of(True), number_of("nan"), number_of([])
        (0.5, 1.0, None, None)
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def scaled(number: float, scale: tuple[float, float]) -> float:
    """A number of a scale from worst to best as a quality; outside [0, 1] where it lies outside the scale.

    Examples:
        >>> scaled(4.0, (1.0, 5.0)), scaled(0.0, (1.0, 5.0))
        (0.75, -0.25)
    """
    worst, best = scale
    return (number - worst) / (best - worst)


def flat_label(row: int, record: Mapping[str, Any], scale: tuple[float, float]) -> Label:
    """A label from a flat record, as JSON lines and CSV have them.

    Fields: `item` (or `decision_id`), `rater`, and `verdict` (a word: y, n, 1 to 5, a, b, tie, neither) or `value` (a number on the scale,
    with `reference_value` for the other answer); `at` and `seconds` may be there.

    Examples:
        >>> flat_label(1, {"item": "i", "rater": "ann", "verdict": "y"}, (0.0, 1.0)).verdict
        'y'
        >>> flat_label(1, {"decision_id": "d", "rater": "ann", "value": "4"}, (1.0, 5.0)).verdict
        0.75
    """
    item = text_of(record, "item", "decision_id", "id")
    seconds = number_of(record.get("seconds"))
    seconds = seconds if seconds is not None and 0.0 <= seconds <= MAX_SECONDS else None
    rater, at = text_of(record, "rater"), text_of(record, "at")
    word, raw = text_of(record, "verdict"), record.get("value")
    if item is None:
        return Label(row, "", rater, None, reason="no_item")
    if word is not None or raw in (None, ""):
        return Label(row, item, rater, word, None, at, seconds)
    value, other = number_of(raw), record.get("reference_value")
    reference = None if other in (None, "") else number_of(other)
    if value is None or (other not in (None, "") and reference is None):
        return Label(row, item, rater, None, reason="out_of_range")
    return Label(
        row, item, rater, scaled(value, scale), None if reference is None else scaled(reference, scale), at, seconds
    )
