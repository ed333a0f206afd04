"""How much work a JSON Schema can make of a document, bounded before any of it is done.

Schemas come from callers, and documents from models that callers can steer. Eight references that each stand twice in the next
one are 256 checks of one value; forty are more than any gateway has time for. Nothing here is about what a schema means.

What is bounded is what happens on one path from the top of a document to one of its values: on it, every subschema counts
once for each way that leads to it, of `properties` only the dearest counts (a key has one name), and of all others the sum. The
number of values times that is at least the work of a validator which checks every subschema at every value that it applies to.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

from undertow.adapters.wire.body import nesting_depth, outside_strings

MAX_NODES = 2_000
"""Most subschemas. OpenAI allows 5,000 properties, and 100 levels of its own; schemas that people write have a few hundred."""
MAX_PATTERNS = 32
"""Most regular expressions: each may take 64 kB of memory."""
MAX_DEPTH = 32
"""Deepest document that is checked: validators call themselves, and a stack has an end."""
MAX_FRAMES = 500
"""Most subschemas inside one another at any place of a document; a thread with 128 kB of stack bears twice as many."""
MAX_WORK = 8_000_000
"""Steps of some 12 ns each: a tenth of a second, for the worst that was found."""

_CHARS_PER_STEP = 16
"""Of text that is compared, counted or hashed."""
_PATTERN_STEPS = 256
"""A character for a regular expression of 64 kB that takes linear time: 3 us at worst."""
_NUMBER_STEPS = 500
"""Comparing, dividing or looking up a number, which the validator does without rounding: 6 us at worst."""
_UNIQUE_STEPS = 8
_COMPOSITE_STEPS = 16
"""Comparing a list or an object of an `enum`; strings and numbers are looked up."""
_SCALARS_PER_STEP = 16

_IN_PLACE = ("not", "if", "then", "else")
_IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
_IN_PLACE_MAPS = ("dependentSchemas", "dependencies")
_EVERY = ("additionalProperties", "additionalItems", "contains", "propertyNames")
_DEFINITIONS = ("$defs", "definitions")
_NOT_BOUNDED = frozenset({"$dynamicRef", "$recursiveRef", "$vocabulary", "unevaluatedItems", "unevaluatedProperties"})
"""Keywords whose work depends on more than the place where they stand; schemas with them are not checked."""
_IDS = ("$id", "id")
_NUMERIC = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems")
_ODD_NUMBER = re.compile(rb"(?<![0-9.])[0-9]{18}|[0-9]{21}|[eE][+-]?[0-9]{3}")
"""What no 64-bit number needs. Thousands of digits take their time, and integers that round to one float share a hash."""
_NUMBER = re.compile(rb"[0-9][0-9.eE+-]*")


@dataclass(slots=True)
class _Node:
    """One subschema: its own steps, its patterns, and the numbers of its subschemas by what they apply to.

    Attributes:
        steps: Of its own keywords, at one value.
        patterns: Regular expressions among them.
        numbers: Numbers in its keywords, each of which a number in the document may be held against.
        in_place: Apply to the same value.
        named: Apply to one of the values inside, each to another one.
        every: Apply to any value inside.
    """

    steps: int
    patterns: int
    numbers: int
    in_place: list[int] = field(default_factory=list)
    named: list[int] = field(default_factory=list)
    every: list[int] = field(default_factory=list)


class _Bound(NamedTuple):
    """The most that a schema leads to on one path: steps, patterns, numbers, and subschemas inside one another."""

    steps: int
    patterns: int
    numbers: int
    frames: int


class SchemaCost:
    """What a schema costs, worked out for as deep documents as come.

    Examples:
        >>> twice = {"allOf": [{"$ref": "#/$defs/next"}, {"$ref": "#/$defs/next"}]}
        >>> schema_cost({"$defs": {"next": {"type": "string"}}, **twice}).allows(b'"text"')
        True
        >>> levels = {f"d{n}": {"allOf": 2 * [{"$ref": f"#/$defs/d{n + 1}"}]} for n in range(40)} | {"d40": True}
        >>> schema_cost({"$defs": levels, "$ref": "#/$defs/d0"}).allows(b'"text"')
        False
    """

    __slots__ = ("_inside", "_levels", "_lock", "_nodes", "_order")

    def __init__(self, nodes: list[_Node], order: list[int]) -> None:
        self._nodes = nodes
        self._order = order
        self._lock = Lock()
        self._levels: list[_Bound] = []
        self._inside = tuple([0] * len(nodes) for _ in _Bound._fields)

    def allows(self, document: bytes) -> bool:
        """Whether the most that checking this document can take is within the limits above."""
        depth, plain = nesting_depth(document), outside_strings(document)
        if depth > MAX_DEPTH or _ODD_NUMBER.search(plain):
            return False
        with self._lock:
            bound = self._bound(depth)
        values = 1 + plain.count(b",") + plain.count(b"[") + plain.count(b"{")
        numbers = len(_NUMBER.findall(plain))
        # Comparing, hashing and counting walk all that is inside a value, so each value counts once for each level it is in.
        walked = bound.steps * (values + len(document) // _CHARS_PER_STEP) + bound.numbers * _NUMBER_STEPS * numbers
        work = walked * (depth + 1) + bound.patterns * _PATTERN_STEPS * len(document)
        return work <= MAX_WORK and bound.frames <= MAX_FRAMES

    def _bound(self, depth: int) -> _Bound:
        levels = self._levels
        while len(levels) <= depth:
            if levels and (levels[-1].steps > MAX_WORK or levels[-1].frames > MAX_FRAMES):
                return levels[-1]
            self._go_deeper()
        return levels[depth]

    def _go_deeper(self) -> None:
        """From the bounds of what is inside to those of documents with one more level."""
        inner_steps, inner_patterns, inner_numbers, inner_frames = self._inside
        steps, patterns, numbers, frames = outer = tuple([0] * len(self._nodes) for _ in _Bound._fields)
        for at in self._order:
            node = self._nodes[at]
            of_steps, of_patterns, of_numbers, deepest = node.steps, node.patterns, node.numbers, 0
            for other in node.in_place:
                of_steps += steps[other]
                of_patterns += patterns[other]
                of_numbers += numbers[other]
                deepest = max(deepest, frames[other])
            for other in node.every:
                of_steps += inner_steps[other]
                of_patterns += inner_patterns[other]
                of_numbers += inner_numbers[other]
                deepest = max(deepest, inner_frames[other])
            if node.named:
                of_steps += max([inner_steps[other] for other in node.named])
                of_patterns += max([inner_patterns[other] for other in node.named])
                of_numbers += max([inner_numbers[other] for other in node.named])
                deepest = max(deepest, *[inner_frames[other] for other in node.named])
            steps[at], patterns[at], numbers[at], frames[at] = of_steps, of_patterns, of_numbers, deepest + 1
        self._inside = outer
        self._levels.append(_Bound(steps[0], patterns[0], numbers[0], frames[0]))


def has_odd_numbers(document: bytes) -> bool:
    """Whether a number in it, outside of strings, is none that a 64-bit float or an integer of 17 digits can hold.

    Examples:
        >>> has_odd_numbers(b'[1e300, "5"]'), has_odd_numbers(b'[0.30000000000000004, -7, "1e300"]')
        (True, False)
    """
    return _ODD_NUMBER.search(outside_strings(document)) is not None


def schema_cost(schema: Any) -> SchemaCost | None:
    """What a schema costs, or None where that cannot be told or there is no bound: it then must not be used.

    So are references to anything but its own parts (`#`, `#/...`), references that lead to themselves, identifiers inside
    of it (which change what references mean), and what is counted above.
    """
    if isinstance(schema, bool):
        return SchemaCost([_Node(1, 0, 0)], [0])
    if not isinstance(schema, dict):
        return None
    try:
        nodes = _nodes(schema)
        return SchemaCost(nodes, _inner_first(nodes))
    except _UnboundedError:
        return None


class _UnboundedError(ValueError):
    """The schema has something of which the cost is not known."""


def _nodes(root: dict[str, Any]) -> list[_Node]:
    numbers: dict[int, int] = {}  # by identity: the document stays as it is while this runs
    waiting: list[dict[str, Any]] = []
    nodes: list[_Node] = []

    def number_of(value: Any) -> Iterator[int]:
        if isinstance(value, dict):
            if id(value) not in numbers:
                if len(numbers) == MAX_NODES:
                    raise _UnboundedError
                numbers[id(value)] = len(numbers)
                waiting.append(value)
            yield numbers[id(value)]

    def numbers_of(values: Any) -> Iterator[int]:
        for value in values:
            yield from number_of(value)

    list(number_of(root))
    patterns = 0
    while len(nodes) < len(waiting):
        schema = waiting[len(nodes)]
        if not _NOT_BOUNDED.isdisjoint(schema) or (schema is not root and _has_id(schema)):
            raise _UnboundedError
        node = _Node(_own_steps(schema), _own_patterns(schema), _own_numbers(schema))
        patterns += node.patterns
        if patterns > MAX_PATTERNS:
            raise _UnboundedError
        if "$ref" in schema:
            node.in_place += number_of(_target(root, schema["$ref"]))
        for name in _IN_PLACE:
            node.in_place += number_of(schema.get(name))
        for name in _IN_PLACE_LISTS:
            node.in_place += numbers_of(_items(schema.get(name)))
        for name in _IN_PLACE_MAPS:
            node.in_place += numbers_of(_values(schema.get(name)))
        for name in _EVERY:
            node.every += number_of(schema.get(name))
        items = schema.get("items")
        node.every += number_of(items)
        node.every += numbers_of(_values(schema.get("patternProperties")))
        node.named += numbers_of(_items(items))
        node.named += numbers_of(_items(schema.get("prefixItems")))
        node.named += numbers_of(_values(schema.get("properties")))
        for name in _DEFINITIONS:
            list(numbers_of(_values(schema.get(name))))
        nodes.append(node)
    return nodes


def _inner_first(nodes: list[_Node]) -> list[int]:
    """The nodes in an order in which those that apply in place of another come before it.

    Raises:
        _UnboundedError: One applies in place of itself.
    """
    order: list[int] = []
    done, open_ = [False] * len(nodes), [False] * len(nodes)
    for start in range(len(nodes)):
        path = [(start, iter(nodes[start].in_place))] if not done[start] else []
        open_[start] = bool(path)
        while path:
            number, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                open_[number] = False
                if not done[number]:
                    done[number] = True
                    order.append(number)
            elif open_[following]:
                raise _UnboundedError
            elif not done[following]:
                open_[following] = True
                path.append((following, iter(nodes[following].in_place)))
    return order


def _target(root: dict[str, Any], reference: Any) -> Any:
    """What a reference within the schema points at."""
    if reference == "#":
        return root
    if not isinstance(reference, str) or not reference.startswith("#/") or "%" in reference:
        raise _UnboundedError
    place: Any = root
    for part in reference[2:].split("/"):
        if isinstance(place, dict):
            if place is not root and _has_id(place):
                raise _UnboundedError
            place = place.get(part.replace("~1", "/").replace("~0", "~"))
        elif isinstance(place, list) and part.isdecimal() and int(part) < len(place):
            place = place[int(part)]
        else:
            raise _UnboundedError
    return place


def _has_id(schema: dict[str, Any]) -> bool:
    return any(isinstance(schema.get(name), str) for name in _IDS)


def _own_steps(schema: dict[str, Any]) -> int:
    choices = _items(schema.get("enum"))
    composite = sum(isinstance(value, dict | list) for value in choices)
    steps = 1 + len(schema) + composite * _COMPOSITE_STEPS + len(choices) // _SCALARS_PER_STEP
    return steps + (_UNIQUE_STEPS if schema.get("uniqueItems") else 0)


def _own_patterns(schema: dict[str, Any]) -> int:
    return ("pattern" in schema) + len(_values(schema.get("patternProperties")))


def _own_numbers(schema: dict[str, Any]) -> int:
    numbers = sum(name in schema for name in _NUMERIC) + _numbers_in(schema.get("const"))
    return numbers + _numbers_in(schema.get("enum"))


def _numbers_in(value: Any) -> int:
    if isinstance(value, dict | list):
        return sum(map(_numbers_in, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int | float)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []
