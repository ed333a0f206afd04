"""Sheets as records of Argilla 2 (`dataset.records.from_json`), and labels from its export (`dataset.records(...).to_json`).

A record there has `id`, `fields`, `metadata`, `suggestions`, `responses` (by question, a list of `value` and `user_id`), `vectors`. The
question is named like the signal. Not verified against a running server; the shape is that of `Record.to_dict` in its Python SDK.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from undertow.adapters.reviews.exchange import file_records, scaled, text_of
from undertow.records.review import Label, ReviewRules, Sheet


def write_sheets(sheets: Sequence[Sheet], rules: ReviewRules, at: str) -> bytes:  # noqa: ARG001
    """A JSON array of records with the fields `prompt`, `answer_a` and, side by side, `answer_b`; the rubric is a field, too.

    Examples:
        >>> msgspec.json.decode(write_sheets([Sheet("i1", "Right?", "2 + 2?", ("4",))], ReviewRules(), "2026-03-01T12:00:00Z"))[0]["fields"]
        {'rubric': 'Right?', 'prompt': '2 + 2?', 'answer_a': '4'}
    """
    return msgspec.json.encode(
        [
            {
                "id": sheet.item,
                "fields": {
                    "rubric": sheet.rubric,
                    "prompt": sheet.prompt,
                    **dict(zip(("answer_a", "answer_b"), sheet.answers, strict=False)),
                },
                "metadata": {},
                "suggestions": {},
                "responses": {},
                "vectors": {},
            }
            for sheet in sheets
        ]
    )


def read_labels(path: Path, rules: ReviewRules, scale: tuple[float, float]) -> Iterator[Label]:
    """Labels of exported records: the responses to the question of the signal's name.

    Raises:
        LogError: The file cannot be read at all.
    """
    row = 0
    for _, record in file_records(path):
        for label in _labels(record, rules.name, scale):
            row += 1
            yield Label(row, label.item, label.rater, label.verdict, reason=label.reason)


def _labels(record: Mapping[str, Any] | str, name: str, scale: tuple[float, float]) -> Iterator[Label]:
    if isinstance(record, str):
        yield Label(0, "", None, None, reason=record)
        return
    item, responses = text_of(record, "id", "external_id"), record.get("responses")
    given = responses.get(name) if isinstance(responses, Mapping) else None
    if item is None:
        yield Label(0, "", None, None, reason="no_item")
        return
    for response in given if isinstance(given, list) else ():
        if not isinstance(response, Mapping):
            yield Label(0, item, None, None, reason="not_an_object")
            continue
        value, rater = response.get("value"), text_of(response, "user_id")
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield Label(0, item, rater, scaled(float(value), scale))
        elif isinstance(value, str):
            yield Label(0, item, rater, value)
        else:
            yield Label(0, item, rater, None, reason="out_of_range")
