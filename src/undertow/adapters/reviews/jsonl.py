"""Sheets as JSON lines, and labels from them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from undertow.adapters.reviews.exchange import file_records, flat_label
from undertow.records.review import Label, ReviewRules, Sheet


def write_sheets(sheets: Sequence[Sheet], rules: ReviewRules, at: str) -> bytes:  # noqa: ARG001 (one signature for all formats)
    r"""One object a line; `verdict` and `rater` are to be filled in.

    Examples:
        >>> write_sheets([Sheet("i1", "Right?", "2 + 2?", ("4",))], ReviewRules(), "2026-03-01T12:00:00Z")
        b'{"item":"i1","rubric":"Right?","prompt":"2 + 2?","answer":"4","rater":null,"verdict":null,"name":"accuracy"}\n'
    """
    lines = []
    for sheet in sheets:
        answers = dict(zip(("answer_a", "answer_b"), sheet.answers, strict=False))
        if not sheet.is_side_by_side:
            answers = {"answer": sheet.answers[0]}
        row = {"item": sheet.item, "rubric": sheet.rubric, "prompt": sheet.prompt, **answers}
        lines.append(msgspec.json.encode({**row, "rater": None, "verdict": None, "name": rules.name}) + b"\n")
    return b"".join(lines)


def read_labels(path: Path, rules: ReviewRules, scale: tuple[float, float]) -> Iterator[Label]:
    """Labels of a file; see `undertow.adapters.reviews.exchange.flat_label`.

    Args:
        path: JSON lines, or a JSON array.
        rules: Labels of another `name` are set aside.
        scale: Worst and best of numbers in `value`.

    Raises:
        LogError: The file cannot be read at all.
    """
    for row, record in file_records(path):
        if isinstance(record, str):
            yield Label(row, "", None, None, reason=record)
        elif record.get("name") not in (None, rules.name):
            yield Label(row, "", None, None, reason="other_name")
        else:
            yield flat_label(row, record, scale)
