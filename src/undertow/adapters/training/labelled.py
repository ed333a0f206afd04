"""Labelled tables: JSON lines, JSON, CSV or Parquet with a column of texts and a column of labels."""

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from undertow.adapters.importers.files import Undecodable, expand, records
from undertow.errors import LogError
from undertow.ports.audit_source import Progress, silent
from undertow.records.training import Example, LabelledTexts

WORDS = {"1": True, "true": True, "easy": True, "yes": True, "0": False, "false": False, "hard": False, "no": False}
"""Labels that are written as words, in any case."""

LABEL_COLUMNS = ("label", "easy")
"""Columns that are taken for the label where none is named."""

REPORT_EVERY = 5_000


def first_columns(paths: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of the first row; empty where there is none.

    Raises:
        LogError: Nothing that can be read is there.
    """
    for path in expand(tuple(paths)):
        for record in records(path, limit=1):
            return tuple(map(str, record)) if isinstance(record, dict) else ()
    return ()


def read_label(value: Any) -> bool | None:
    """Whether a label says easy; a number in [0, 1] does from 0.5 on. None: it is no label.

    Examples:
        >>> read_label("easy"), read_label(0.2), read_label("0.7"), read_label("maybe")
        (True, False, True, None)
    """
    if isinstance(value, str):
        word = value.strip().lower()
        if word in WORDS:
            return WORDS[word]
        try:
            value = float(word)
        except ValueError:
            return None
    if isinstance(value, bool | int | float) and 0 <= value <= 1:  # NaN is in no range
        return value >= 0.5
    return None


def read_labelled(
    paths: Sequence[str], text_column: str, label_column: str, progress: Progress = silent
) -> LabelledTexts:
    """The examples of labelled tables.

    Args:
        paths: Files, folders or globs.
        text_column: Column with the text.
        label_column: Column with the label: 1 or 0, true or false, easy or hard, or a quality in [0, 1].
        progress: Told how many rows were read.

    Raises:
        LogError: Nothing can be read, or a column is in no row.
    """
    reasons: Counter[str] = Counter()
    seen: set[str] = set()
    examples: list[Example] = []
    for number, record in enumerate(_rows(paths)):
        if number % REPORT_EVERY == 0:
            progress("reading labels", number, None)
        if isinstance(record, Undecodable):
            reasons[record.reason] += 1
            continue
        if not isinstance(record, Mapping):
            reasons["not_an_object"] += 1
            continue
        seen.update(record)
        text, is_easy = record.get(text_column), read_label(record.get(label_column))
        if not isinstance(text, str) or not text.strip():
            reasons["no_text"] += 1
        elif is_easy is None:
            reasons["no_label"] += 1
        else:
            examples.append(Example(text, is_easy))
    for name, option in ((text_column, "--text-column"), (label_column, "--label")):
        if name not in seen:
            raise LogError(_no_column(name, option, seen))
    return LabelledTexts(tuple(examples), f"column {label_column}", dict(sorted(reasons.items())))


def _rows(paths: Sequence[str]) -> Iterator[Any]:
    for path in expand(tuple(paths)):
        for record in records(path):
            if isinstance(record, list):  # a JSON file that is one array
                yield from record
            else:
                yield record


def _no_column(name: str, option: str, seen: set[str]) -> str:
    names = sorted(map(str, seen))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return (
        f"no column {name!r} ({option}){hint} Columns: {shown or 'none'}"
        if near
        else (f"no column {name!r} ({option}); columns: {shown or 'none'}")
    )
