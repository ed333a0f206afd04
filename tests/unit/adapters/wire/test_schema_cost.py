import json
import threading
import time

import jsonschema_rs
import pytest

from undertow.adapters.wire.schema_cost import MAX_NODES, MAX_PATTERNS, has_odd_numbers, schema_cost
from undertow.adapters.wire.schemas import fits_schema
from wire_samples import dumps


def doubling(levels, last=None):
    """Definitions each of which stands twice in the one before."""
    made = {f"d{n}": {"allOf": 2 * [{"$ref": f"#/$defs/d{n + 1}"}]} for n in range(levels)}
    return {"$defs": {**made, f"d{levels}": last or {"type": "integer"}}, "$ref": "#/$defs/d0"}


def nested(depth):
    return json.loads('{"x":' * depth + "1" + "}" * depth)


HOSTILE = {
    "references that double": (doubling(60), 1),
    "doubling with each level of the document": ({"properties": {"x": {"allOf": 3 * [{"$ref": "#"}]}}}, nested(30)),
    "doubling for each of many values": ({**doubling(12), "$ref": "#/$defs/all", "$defs": {**doubling(12)["$defs"], "all": {"items": {"$ref": "#/$defs/d0"}}}}, [1] * 5_000),
    "an enum of numbers for many numbers": ({"items": {"enum": [n + 1e9 for n in range(3_000)]}}, [1_000_002_999] * 1_000),
    "an enum of lists": ({"items": {"enum": [[n] for n in range(6_000)]}}, [[5_999]] * 10_000),
    "small divisors": ({"items": {"multipleOf": 7e-99}}, [7.3e-99] * 20_000),
    "a pattern that tries all": ({"pattern": "^(?:[ab ]*a[ab ]{640}c)"}, "ab a" * 60_000),
    "a long constant compared at each level": ({"const": [1.5] * 9_000, "items": {"$ref": "#"}}, [[1.5] * 9_000] * 4),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "document"), HOSTILE.values(), ids=HOSTILE)
def test_what_would_take_too_long_is_never_begun(schema, document):
    started = time.perf_counter()
    assert fits_schema(dumps(schema), dumps(document)) is None
    assert time.perf_counter() - started < 2  # some of these take minutes, some years


USUAL = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 200},
        "kind": {"enum": [f"kind {n}" for n in range(200)]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "at": {"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}$"},
        "tree": {"$ref": "#/$defs/node"},
        "rows": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/row"}, {"type": "null"}]}, "maxItems": 500},
    },
    "required": ["title", "kind", "rows"],
    "additionalProperties": False,
    "$defs": {
        "node": {"type": "object", "properties": {"label": {"type": "string"}, "children": {"items": {"$ref": "#/$defs/node"}}}},
        "row": {"type": "object", "properties": {"id": {"type": "integer"}, "text": {"type": "string"}}, "required": ["id"]},
    },
}  # fmt: skip


def test_usual_schemas_and_documents_are_checked():
    tree = {"label": "leaf"}
    for _ in range(6):
        tree = {"label": "branch", "children": [tree, {"label": "leaf"}]}
    document = {
        "title": "Ü" * 100, "kind": "kind 199", "score": 0.30000000000000004, "at": "2026-11-02", "tree": tree,
        "rows": [{"id": n, "text": "some words, and more " * 3} for n in range(60)] + [None],
    }  # fmt: skip
    assert fits_schema(dumps(USUAL), dumps(document)) is True
    assert fits_schema(dumps(USUAL), dumps({**document, "at": "yesterday"})) is False
    assert fits_schema(dumps({"items": USUAL}), dumps([document])) is None  # references that now lead nowhere


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"$ref": "#"}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}},
        {"unevaluatedProperties": False},
        {"$dynamicRef": "#"},
        {"properties": {"a": {"$id": "https://a.example/a", "$ref": "#/$defs/a"}}},
        {"$ref": "#/x/a", "x": {"$id": "https://a.example/x", "a": {}}},
        {"$ref": "#/%24defs/a", "$defs": {"a": {}}},
        {"$ref": 5},
        {"$ref": "#/a/b"},
        {"properties": {f"p{n}": {"title": "t"} for n in range(MAX_NODES)}},
        {"properties": {f"p{n}": {"pattern": "a"} for n in range(MAX_PATTERNS + 1)}},
        {"patternProperties": {f"p{n}": True for n in range(MAX_PATTERNS + 1)}},
        None,
        5,
        [],
    ],
)
def test_what_has_no_bound_or_is_beyond_it(schema):
    assert schema_cost(schema) is None


def test_words_of_the_language_are_also_names():
    properties = {"$id": {"type": "string"}, "$ref": {"type": "string"}, "pattern": {"type": "string"}}
    assert schema_cost({"properties": properties, "required": ["$ref"]}) is not None
    assert fits_schema(dumps({"properties": properties}), b'{"$ref": 5}') is False


def test_references_may_lead_through_lists_and_escaped_names():
    schema = {
        "$ref": "#/$defs/a~1b~0c",
        "$defs": {"a/b~c": {"$ref": "#/allOf/1"}},
        "allOf": [True, {"type": "integer"}],
    }
    assert fits_schema(dumps(schema), b"1") is True
    assert fits_schema(dumps(schema), b'"1"') is False


def test_a_long_chain_of_references_has_too_many_frames():
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(600)}
    assert not schema_cost({"$ref": "#/$defs/d0", "$defs": {**chain, "d600": {}}}).allows(b"1")
    assert schema_cost({"$ref": "#/$defs/d400", "$defs": {**chain, "d600": {}}}).allows(b"1")


def test_commas_and_digits_in_strings_cost_little():
    text = dumps(["1e999, 12345678901234567890123, " * 3_000])
    assert schema_cost({"items": {"type": "string"}}).allows(text)
    assert not has_odd_numbers(text)


@pytest.mark.parametrize(
    ("document", "odd"),
    [
        (b"0.1234567890123456", False),
        (b"0.00012345678901234567", False),
        (b"-1.5e-7", False),
        (b"99999999999999999", False),
        (b"999999999999999999", True),
        (b"1E100", True),
        (b"1e+100", True),
        (b"0." + b"1" * 21, True),
    ],
)
def test_odd_numbers(document, odd):
    assert has_odd_numbers(document) is odd


def test_threads_agree_on_the_bound():
    schema = json.loads(json.dumps(USUAL))
    document = dumps({"tree": nested(20)})
    expected = schema_cost(schema)
    alone = [expected.allows(document[:-1] + b"}"), expected._levels]
    shared, threads = schema_cost(schema), []
    for _ in range(8):
        threads.append(threading.Thread(target=shared.allows, args=(document,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert [shared.allows(document), shared._levels] == alone


def test_what_is_bounded_is_quick_in_a_thread_with_a_small_stack():
    schema = {"allOf": [{"anyOf": [{"properties": {"x": {"$ref": "#"}}, "additionalProperties": False}]}]}
    validator = jsonschema_rs.validator_for(schema, offline=True)
    found = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.append(validator.is_valid(nested(31))))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert found == [True]
    assert schema_cost(schema).allows(dumps(nested(31)))
