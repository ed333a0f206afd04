"""Sheets as a CSV table for a spreadsheet, and labels from it.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a line end is a formula to a spreadsheet, and texts of users and models are not to be
trusted: such a cell gets an apostrophe in front, which is taken away again when it is read (OWASP, CSV injection). What acts on a terminal or
hides text is left out, since such a file is printed, too.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from undertow.adapters.reviews.exchange import file_records, flat_label
from undertow.judging.prompts import clean
from undertow.records.review import Label, ReviewRules, Sheet

COLUMNS = ("item", "rubric", "prompt", "answer", "answer_a", "answer_b", "rater", "verdict")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
BOM = "\ufeff"
"""Tells spreadsheets that the file is UTF-8."""


def guarded(text: str) -> str:
    """A cell that no spreadsheet takes for a formula.

    Examples:
        >>> guarded("=1+1"), guarded("fine"), guarded("'=quoted")
        ("'=1+1", 'fine', "''=quoted")
    """
    return f"'{text}" if text.lstrip("' ").startswith(FORMULA) else text


def unguarded(cell: str) -> str:
    """The text of a cell that `guarded` made.

    Examples:
        >>> [unguarded(guarded(text)) for text in ("=1+1", "fine", "'=quoted", "'tis")]
        ['=1+1', 'fine', "'=quoted", "'tis"]
    """
    return cell[1:] if cell.startswith("'") and guarded(cell[1:]) != cell[1:] else cell


def write_sheets(sheets: Sequence[Sheet], rules: ReviewRules, at: str) -> bytes:  # noqa: ARG001 (one signature for all formats)
    """A table with a row a sheet; `rater` and `verdict` are to be filled in."""
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(COLUMNS)
    for sheet in sheets:
        answers = ("", *sheet.answers) if sheet.is_side_by_side else (sheet.answers[0], "", "")
        table.writerow([*(guarded(clean(text)) for text in (sheet.item, sheet.rubric, sheet.prompt, *answers)), "", ""])
    return (BOM + out.getvalue()).encode("utf-8", "replace")


def read_labels(path: Path, rules: ReviewRules, scale: tuple[float, float]) -> Iterator[Label]:  # noqa: ARG001
    """Labels of a table with the columns `item` (or `decision_id`), `rater` and `verdict` or `value`.

    Raises:
        LogError: The file cannot be read at all.
    """
    for row, record in file_records(path):
        if isinstance(record, str):
            yield Label(row, "", None, None, reason=record)
            continue
        cells = {
            str(name).strip().lower(): unguarded(cell) if isinstance(cell, str) else cell
            for name, cell in record.items()
        }
        yield flat_label(row, cells, scale)
