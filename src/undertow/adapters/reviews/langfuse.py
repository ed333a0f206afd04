"""Sheets as traces and items of a Langfuse annotation queue, and labels from its scores.

The traces that Langfuse may have of the requests show model and cost, so reviewers get traces of their own: `ingestion` is a body for
POST /api/public/ingestion, and each entry of `queue_items` one for POST /api/public/annotation-queues/QUEUE/items. Scores come back as
GET /api/public/v2/scores gives them, as pages or one a line. Shapes are those of Langfuse's own API definition.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from undertow.adapters.reviews.exchange import file_records, number_of, scaled, text_of
from undertow.records.review import Label, ReviewRules, Sheet

SCHEMA = "undertow.review-langfuse/1"
PEOPLE = "ANNOTATION"
"""Source of scores that people gave; the others are programs'."""


def write_sheets(sheets: Sequence[Sheet], rules: ReviewRules, at: str) -> bytes:
    """The document described above.

    Examples:
        >>> document = msgspec.json.decode(write_sheets([Sheet("i1", "Right?", "2 + 2?", ("4",))], ReviewRules(), "2026-03-01T12:00:00Z"))
        >>> document["queue_items"]
        [{'objectId': 'i1', 'objectType': 'TRACE', 'status': 'PENDING'}]
    """
    batch = [
        {
            "id": f"undertow-{sheet.item}",
            "type": "trace-create",
            "timestamp": at,
            "body": {
                "id": sheet.item,
                "name": f"review.{rules.name}",
                "input": sheet.prompt,
                "output": dict(zip("ab", sheet.answers, strict=False)) if sheet.is_side_by_side else sheet.answers[0],
                "metadata": {"rubric": sheet.rubric},
            },
        }
        for sheet in sheets
    ]
    items = [{"objectId": sheet.item, "objectType": "TRACE", "status": "PENDING"} for sheet in sheets]
    return msgspec.json.encode({"schema": SCHEMA, "ingestion": {"batch": batch}, "queue_items": items})


def read_labels(path: Path, rules: ReviewRules, scale: tuple[float, float]) -> Iterator[Label]:
    """Labels of scores by people with the signal's name; scores of programs and of other names are set aside.

    Raises:
        LogError: The file cannot be read at all.
    """
    for row, record in file_records(path):
        yield Label(row, "", None, None, reason=record) if isinstance(record, str) else _label(row, record, rules.name, scale)  # fmt: skip


def _label(row: int, score: Mapping[str, Any], name: str, scale: tuple[float, float]) -> Label:
    item = text_of(score, "traceId", "trace_id")
    rater = text_of(score, "authorUserId", "author_user_id")
    at = text_of(score, "timestamp", "createdAt", "created_at")
    if text_of(score, "name") != name:
        return Label(row, item or "", rater, None, reason="other_name")
    if text_of(score, "source") != PEOPLE:
        return Label(row, item or "", rater, None, reason="not_by_people")
    if item is None:
        return Label(row, "", rater, None, reason="no_item")
    word, number = text_of(score, "stringValue", "string_value"), number_of(score.get("value"))
    kind = text_of(score, "dataType", "data_type")
    if kind == "CATEGORICAL" and word is not None:
        return Label(row, item, rater, word, at=at)
    if number is None:
        return Label(row, item, rater, None, reason="out_of_range")
    return Label(row, item, rater, number if kind == "BOOLEAN" else scaled(number, scale), at=at)
