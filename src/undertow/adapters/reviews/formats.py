"""The exchange formats by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from undertow.adapters.reviews import argilla, csv, jsonl, langfuse
from undertow.records.review import Label, ReviewRules, Sheet


@dataclass(frozen=True, slots=True)
class Format:
    """One exchange format.

    Attributes:
        write: Sheets, rules and the time of the export (RFC 3339) -> content of a file.
        read: File, rules and the scale of numbers -> labels.
    """

    write: Callable[[Sequence[Sheet], ReviewRules, str], bytes]
    read: Callable[[Path, ReviewRules, tuple[float, float]], Iterator[Label]]


FORMATS: Mapping[str, Format] = {
    "jsonl": Format(jsonl.write_sheets, jsonl.read_labels),
    "csv": Format(csv.write_sheets, csv.read_labels),
    "argilla": Format(argilla.write_sheets, argilla.read_labels),
    "langfuse": Format(langfuse.write_sheets, langfuse.read_labels),
}
