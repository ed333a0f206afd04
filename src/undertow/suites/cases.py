"""Reads a suite: JSON lines, one case a line.

    {"id": "refund-1", "prompt": "How long does a refund take?", "segment": {"intent": "billing"}, "expected": "5 days"}
    {"id": "refund-2", "messages": [...], "check": {"kind": "regex", "pattern": "(?i)5 (working )?days"}, "weight": 2, "tags": ["money"]}

Strict: a field that is not known, a check without what it needs or an id that comes twice is an error that names line and field. A
suite that is read wrongly would blame a tier for it.
"""

import difflib
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec

from undertow.errors import DataError
from undertow.records.suite import Check, CheckKind, Normalisation, Suite, SuiteCase
from undertow.records.unreadable import UNREADABLE

MAX_CASES = 20_000
MAX_LINE_BYTES = 1_000_000
MAX_ID = 200
MAX_LABELS = 32
MAX_LABEL = 512
MAX_EXPECTED = 100
MAX_TEXT = 20_000
"""Characters of one right answer, pattern or rubric."""
MAX_SCHEMA_BYTES = 65_536
MAX_WEIGHT = 1_000.0

FIELDS = ("id", "prompt", "messages", "segment", "expected", "check", "weight", "tags")
NEEDED: Mapping[CheckKind, tuple[str, ...]] = {
    "exact": ("expected",), "regex": ("pattern",), "json_schema": ("schema",), "function": ("function",), "judge": (),
}  # fmt: skip
ALLOWED: Mapping[CheckKind, tuple[str, ...]] = {
    "exact": ("expected", "normalise"), "regex": ("pattern",), "json_schema": ("schema",), "function": ("function",),
    "judge": ("rubric", "reference"),
}  # fmt: skip


class _Wrong(Exception):  # noqa: N818 (never leaves this module)
    """What is wrong with one line."""


def read_suite(
    name: str, content: bytes, *, schema_is_usable: Callable[[bytes], bool], pattern_is_usable: Callable[[str], bool]
) -> Suite:
    r"""A suite from its file's content.

    Args:
        name: Its name, for messages and signals.
        content: JSON lines; empty ones are left out.
        schema_is_usable: Whether answers can be held against a JSON Schema safely.
        pattern_is_usable: Whether answers can be searched for a pattern in bounded time.

    Raises:
        DataError: It is empty, or a line is no case; the message names line and field.

    Examples:
        >>> anything = lambda _: True
        >>> line = b'{"id": "a", "prompt": "2 + 2?", "expected": "4", "segment": {"topic": "sums"}}\n'
        >>> suite = read_suite("sums", line, schema_is_usable=anything, pattern_is_usable=anything)
        >>> suite.cases[0].check.kind, suite.cases[0].messages
        ('exact', ({'role': 'user', 'content': '2 + 2?'},))
        >>> read_suite("sums", line + line, schema_is_usable=anything, pattern_is_usable=anything)
        Traceback (most recent call last):
        undertow.errors.DataError: sums line 2: id: the same as on line 1; each case needs its own
    """
    cases: list[SuiteCase] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            case = _case(line, schema_is_usable, pattern_is_usable)
            _check_place(case, lines)
        except _Wrong as wrong:
            raise DataError(f"{name} line {number}: {wrong}") from None
        lines[case.case_id] = number
        cases.append(case)
    if not cases:
        raise DataError(f"{name}: no case in it; expected one JSON object a line")
    return Suite(name=name, cases=tuple(cases), digest=_digest([case.digest for case in cases]))


def _check_place(case: SuiteCase, lines: Mapping[str, int]) -> None:
    if case.case_id in lines:
        raise _Wrong(f"id: the same as on line {lines[case.case_id]}; each case needs its own")
    if len(lines) >= MAX_CASES:
        raise _Wrong(f"more than {MAX_CASES:,} cases; split the suite")


def _case(
    line: bytes, schema_is_usable: Callable[[bytes], bool], pattern_is_usable: Callable[[str], bool]
) -> SuiteCase:
    if len(line) > MAX_LINE_BYTES:
        raise _Wrong(f"longer than {MAX_LINE_BYTES:,} bytes")
    try:
        row = msgspec.json.decode(line)
    except UNREADABLE:
        raise _Wrong("this is no JSON; expected one object a line") from None
    if not isinstance(row, dict):
        raise _Wrong(f"expected a JSON object, got {_kind(row)}")
    _only("", row, FIELDS)
    if ("prompt" in row) == ("messages" in row):
        raise _Wrong("prompt: give either prompt or messages")
    check = _check(row, schema_is_usable, pattern_is_usable)
    messages, segment = _messages(row), _labels(row.get("segment", {}))
    weight = row.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0.0 < weight <= MAX_WEIGHT:
        raise _Wrong(f"weight: expected a number above 0 and at most {MAX_WEIGHT:,.0f}, got {_kind(weight)}")
    tags = row.get("tags", [])
    if not isinstance(tags, list) or len(tags) > MAX_LABELS:
        raise _Wrong(f"tags: expected at most {MAX_LABELS} texts, got {_kind(tags)}")
    return SuiteCase(
        case_id=_text("id", row.get("id"), MAX_ID),
        messages=messages,
        segment=segment,
        check=check,
        weight=float(weight),
        tags=tuple(_text("tags", tag, MAX_LABEL) for tag in tags),
        digest=_digest([messages, segment, check]),
    )


def _check(
    row: Mapping[str, Any], schema_is_usable: Callable[[bytes], bool], pattern_is_usable: Callable[[str], bool]
) -> Check:
    given = row.get("check")
    if given is None:
        if "expected" not in row:
            raise _Wrong("check: missing; give expected, or a check")
        return Check(kind="exact", expected=_expected("expected", row["expected"]))
    if not isinstance(given, dict):
        raise _Wrong(f"check: expected an object, got {_kind(given)}")
    said = given.get("kind")
    kind = next((one for one in NEEDED if one == said), None)
    if kind is None:
        near = difflib.get_close_matches(str(said)[:40], NEEDED, n=1)
        raise _Wrong(f"check.kind: expected one of {', '.join(NEEDED)}{f'; did you mean {near[0]}?' if near else ''}")
    _only("check.", {name: value for name, value in given.items() if name != "kind"}, ALLOWED[kind])
    if kind == "exact" and "expected" not in given and "expected" in row:
        given = {**given, "expected": row["expected"]}
    elif kind == "judge" and "expected" in row and "reference" not in given:
        given = {**given, "reference": row["expected"]}
    elif "expected" in row:
        raise _Wrong(f"expected: a check of kind {kind} does not read it here")
    missing = [name for name in NEEDED[kind] if name not in given]
    if missing:
        raise _Wrong(f"check.{missing[0]}: missing; a check of kind {kind} needs it")
    return _built(kind, given, schema_is_usable, pattern_is_usable)


def _built(
    kind: CheckKind,
    given: Mapping[str, Any],
    schema_is_usable: Callable[[bytes], bool],
    pattern_is_usable: Callable[[str], bool],
) -> Check:
    match kind:
        case "exact":
            normalise = given.get("normalise", "text")
            if normalise not in get_args(Normalisation):
                raise _Wrong(f"check.normalise: expected one of {', '.join(get_args(Normalisation))}")
            return Check(kind=kind, expected=_expected("check.expected", given["expected"]), normalise=normalise)
        case "regex":
            pattern = _text("check.pattern", given["pattern"], MAX_TEXT)
            if not pattern_is_usable(pattern):
                raise _Wrong(
                    "check.pattern: not usable; expected a regular expression without look-around and back-references, which is "
                    "searched for in linear time"
                )
            return Check(kind=kind, pattern=pattern)
        case "json_schema":
            if not isinstance(given["schema"], dict | bool):
                raise _Wrong(f"check.schema: expected a JSON Schema, got {_kind(given['schema'])}")
            schema = msgspec.json.encode(given["schema"])
            if len(schema) > MAX_SCHEMA_BYTES or not schema_is_usable(schema):
                raise _Wrong(
                    "check.schema: not usable; expected a JSON Schema of at most 64 kB without references beyond itself"
                )
            return Check(kind=kind, schema=schema)
        case "function":
            function = _text("check.function", given["function"], MAX_LABEL)
            module, colon, attribute = function.partition(":")
            if not (colon and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))):
                raise _Wrong("check.function: expected package.module:name")
            return Check(kind=kind, function=function)
        case "judge":
            rubric, reference = (
                None if given.get(name) is None else _text(f"check.{name}", given[name], MAX_TEXT)
                for name in ("rubric", "reference")
            )
            return Check(kind=kind, rubric=rubric, reference=reference)


def _messages(row: Mapping[str, Any]) -> tuple[dict[str, object], ...]:
    if "prompt" in row:
        return ({"role": "user", "content": _text("prompt", row["prompt"], MAX_LINE_BYTES)},)
    messages = row["messages"]
    if not isinstance(messages, list) or not messages:
        raise _Wrong(f"messages: expected a list with at least one message, got {_kind(messages)}")
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise _Wrong(f"messages[{place}]: expected an object with a role, got {_kind(message)}")
    return tuple(messages)


def _labels(given: object) -> dict[str, str]:
    if not isinstance(given, dict) or len(given) > MAX_LABELS:
        raise _Wrong(f"segment: expected an object with at most {MAX_LABELS} labels, got {_kind(given)}")
    return {_text("segment", key, MAX_LABEL): _text("segment", value, MAX_LABEL) for key, value in given.items()}


def _expected(field: str, given: object) -> tuple[str, ...]:
    answers = given if isinstance(given, list) else [given]
    if not 0 < len(answers) <= MAX_EXPECTED:
        raise _Wrong(f"{field}: expected one right answer or a list of at most {MAX_EXPECTED}")
    return tuple(_text(field, answer, MAX_TEXT) for answer in answers)


def _text(field: str, value: object, longest: int) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{field}: {'missing' if value is None else f'expected text, got {_kind(value)}'}")
    if not value.strip():
        raise _Wrong(f"{field}: empty; fill it in or remove the case")
    if len(value) > longest:
        raise _Wrong(f"{field}: expected at most {longest:,} characters, got {len(value):,}")
    return value


def _only(prefix: str, row: Mapping[str, object], known: tuple[str, ...]) -> None:
    for name in row:
        if name not in known:
            near = difflib.get_close_matches(name[:40], known, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(known)}"
            raise _Wrong(f"{prefix}{name[:40]!r} is no field of a case; {hint}")


def _kind(value: object) -> str:
    """What a value is, in JSON's words: messages never quote content."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return "text"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case _:
            return "null"


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]
