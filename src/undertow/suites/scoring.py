"""Scores an answer against what was expected, where that needs neither a model nor code of the user's own.

exact, after normalisation of both sides:

- `text`: Unicode NFKC, case folded, white space runs as one space, quotes and closing punctuation around it off;
- `number`: the last number of the answer, thousands separators off, equal to the expected one;
- `none`: character for character.

regex: the pattern is found somewhere in the answer. json_schema: the answer, out of a code fence if it stands in one, is JSON that
fits the schema. An answer is untrusted text: it is bounded before it is looked at, and chooses no pattern.
"""

import math
import re
import unicodedata
from collections.abc import Callable

from undertow.records.suite import Check, Normalisation

MAX_ANSWER = 100_000
"""Characters of an answer that are looked at."""

_EDGES = " \t\n\"'`*_.,;:!?()[]{}«»„“”‘’"
_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
_FENCE = re.compile(r"\A```[a-zA-Z]{0,10}\n(.*)\n```\Z", re.DOTALL)


def normalised(text: str, how: Normalisation) -> str | float | None:
    """A text as it is compared; None where it has nothing to compare (no number in it).

    Examples:
        >>> normalised("  The  ANSWER: Paris. ", "text"), normalised("so it is 1,250.50 in all.", "number")
        ('the answer: paris', 1250.5)
    """
    text = text[:MAX_ANSWER]
    if how == "none":
        return text
    if how == "number":
        found = _NUMBER.findall(text)
        value = float(found[-1].replace(",", "")) if found else math.nan
        return value if math.isfinite(value) else None
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip(_EDGES)


def score_exact(answer: str, expected: tuple[str, ...], how: Normalisation) -> float:
    """1 where the answer is one of those expected, else 0.

    Examples:
        >>> score_exact("Paris.", ("paris", "Paris, France"), "text"), score_exact("42 apples", ("42.0",), "number")
        (1.0, 1.0)
    """
    given = normalised(answer, how)
    if given is None:
        return 0.0
    return float(any(_same(given, normalised(one, how)) for one in expected))


def _same(given: str | float, expected: str | float | None) -> bool:
    if isinstance(given, float) and isinstance(expected, float):
        return math.isclose(given, expected, rel_tol=1e-9, abs_tol=1e-12)
    return given == expected


def unfenced(answer: str) -> str:
    r"""An answer without the code fence that chat models put around JSON.

    Examples:
        >>> unfenced('```json\n{"a": 1}\n```')
        '{"a": 1}'
    """
    text = answer[:MAX_ANSWER].strip()
    match = _FENCE.match(text)
    return match[1] if match else text


def score_check(
    check: Check,
    answer: str,
    *,
    fits_schema: Callable[[bytes, str], bool | None],
    has_pattern: Callable[[str, str], bool | None],
) -> float | None:
    """Score of an answer in [0, 1] under a check of kind exact, regex or json_schema.

    Args:
        check: What is checked.
        answer: The answer's text.
        fits_schema: (schema, text) -> whether the text is JSON that fits; None: cannot be told.
        has_pattern: (pattern, text) -> whether the pattern is found; None: cannot be told.

    Returns:
        None where it cannot be told, which is a fault of the grader and none of the answer's.

    Examples:
        >>> cannot = lambda *_: None
        >>> score_check(Check(kind="exact", expected=("4",)), "4.", fits_schema=cannot, has_pattern=cannot)
        1.0
    """
    match check.kind:
        case "exact":
            return score_exact(answer, check.expected, check.normalise)
        case "regex":
            found = has_pattern(check.pattern, answer[:MAX_ANSWER])
        case "json_schema":
            found = fits_schema(check.schema, unfenced(answer))
        case "function" | "judge":
            raise AssertionError(f"a check of kind {check.kind} is scored elsewhere")
    return None if found is None else float(found)


def score_of(value: object) -> float | None:
    """What a user's function returned as a score; None where it is none.

    Examples:
        >>> score_of(True), score_of(0.5), score_of(7), score_of("good")
        (1.0, 0.5, None, None)
    """
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float) and 0.0 <= value <= 1.0:
        return float(value)
    return None
