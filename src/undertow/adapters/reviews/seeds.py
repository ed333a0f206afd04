"""Known failures from a file: JSON lines, CSV or Parquet with prompt, answer and known value."""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from undertow.adapters.reviews.exchange import file_records, number_of
from undertow.records.review import SEED_PREFIX, SeededCase


@dataclass(frozen=True, slots=True)
class SeedFile:
    """Cases of a file, and rows that are none, by reason: `no_text`, `no_value`, or why a row cannot be decoded."""

    seeds: tuple[SeededCase, ...]
    set_aside: dict[str, int]


def read_seeds(path: Path) -> SeedFile:
    """Seeded cases of a file: `prompt`, `answer`, `value` (known quality in [0, 1]; absent: 0, a failure), `reference_answer`, `segment`.

    The same text is the same case, in whatever file it stands.

    Raises:
        LogError: The file cannot be read at all.
    """
    found: dict[str, SeededCase] = {}
    set_aside: Counter[str] = Counter()
    for _, row in file_records(path):
        if isinstance(row, str):
            set_aside[row] += 1
            continue
        prompt, answer, other = row.get("prompt"), row.get("answer"), row.get("reference_answer")
        if not isinstance(prompt, str) or not isinstance(answer, str) or not prompt.strip():
            set_aside["no_text"] += 1
            continue
        value = 0.0 if row.get("value") in (None, "") else number_of(row["value"])
        if value is None or not 0.0 <= value <= 1.0:
            set_aside["no_value"] += 1
            continue
        other = other if isinstance(other, str) and other else None
        case_id = SEED_PREFIX + sha256("\x1f".join((prompt, answer, other or "")).encode("utf-8", "replace")).hexdigest()[:24]  # fmt: skip
        found[case_id] = SeededCase(
            case_id=case_id, prompt=prompt, answer=answer, value=value, reference_answer=other, segment=_labels(row.get("segment"))
        )  # fmt: skip
    return SeedFile(tuple(found.values()), dict(set_aside))


def _labels(given: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
