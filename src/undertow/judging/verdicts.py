"""What a judge's words mean: one JSON object with the verdict, or nothing. Nothing is ever guessed.

A judge that explains itself, contradicts itself or is cut short gave no verdict: to read one out of its prose would be to judge in its place,
with a bias nobody has measured. What cannot be read is counted, and shown as a share.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Literal

Choice = Literal["A", "B", "tie"]
ReadingStatus = Literal["ok", "refused", "unparsable"]

MAX_CHARS = 20_000
"""Longer words hold no verdict that was asked for."""

_OBJECT = re.compile(r"\{[^{}]*\}")
_REFUSAL = re.compile(
    r"\s*(?:i(?:'|\u2019)?m (?:very )?sorry|sorry|i apologi[sz]e|i (?:can ?not|can(?:'|\u2019)t|won(?:'|\u2019)t|will not|must decline)|i(?:'|\u2019)?m (?:not able|unable)"
    r"|i am (?:not able|unable|sorry)|as an ai)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class PairReading:
    """A comparison, as read.

    Attributes:
        status: Whether there is a verdict.
        choice: It, or None.
    """

    status: ReadingStatus
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class GradeReading:
    """A grade, as read.

    Attributes:
        status: Whether there is a grade.
        score: It, in [0, 1], or None.
    """

    status: ReadingStatus
    score: float | None = None


def read_choice(text: str) -> PairReading:
    r"""The verdict of a comparison: the text holds exactly one JSON object, `{"verdict": "A"}`, `"B"` or `"tie"`.

    Code fences and prose around that object are let pass; another brace anywhere, another key, or another spelling is not.

    Args:
        text: The judge's words.

    Examples:
        >>> read_choice('```json\n{"verdict": "B"}\n```').choice
        'B'
        >>> read_choice("Answer A is better.").status, read_choice("I'm sorry, I can't help with that.").status
        ('unparsable', 'refused')
        >>> read_choice('Not {"verdict": "A"} but {"verdict": "B"}').choice is None
        True
    """
    value = _only_value(text, "verdict")
    match value:
        case "A" | "B" | "tie":
            return PairReading("ok", value)
        case _:
            return PairReading(_without(text))


def read_score(text: str) -> GradeReading:
    """The grade: the text holds exactly one JSON object, `{"score": S}` with S a number in [0, 1]. See `read_choice`.

    Examples:
        >>> read_score('{"score": 0.75}').score
        0.75
        >>> read_score('{"score": 75}').status, read_score('{"score": true}').status
        ('unparsable', 'unparsable')
    """
    value = _only_value(text, "score")
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1:
        return GradeReading("ok", float(value))
    return GradeReading(_without(text))


def _without(text: str) -> Literal["refused", "unparsable"]:
    """Why there is no verdict; both kinds are counted and neither is a label."""
    return "refused" if _REFUSAL.match(text) else "unparsable"


def _only_value(text: str, key: str) -> object:
    """Value of the one key of the one object in the text; None where there is not exactly that."""
    if len(text) > MAX_CHARS or text.count("{") != 1 or text.count("}") != 1:
        return None
    found = _OBJECT.search(text)
    if found is None:
        return None
    try:
        pairs: list[tuple[str, object]] = json.loads(found[0], object_pairs_hook=list)
    except (ValueError, RecursionError):  # the latter: an array of arrays of arrays
        return None
    if len(pairs) != 1 or pairs[0][0] != key:
        return None
    return pairs[0][1]
