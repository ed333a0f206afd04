import json
import subprocess
import sys

import pytest

from undertow.adapters.wire import schemas
from undertow.adapters.wire.schemas import MAX_DOCUMENT_BYTES, MAX_SCHEMA_BYTES, fits_schema
from wire_samples import dumps


@pytest.mark.parametrize(
    ("schema", "fitting", "other"),
    [
        ({"type": "integer"}, 1, "1"),
        ({"enum": ["a", 1, None]}, None, "b"),
        ({"$defs": {"n": {"minimum": 0}}, "items": {"$ref": "#/$defs/n"}}, [0, 1], [0, -1]),
        (
            {"properties": {"next": {"$ref": "#"}}, "additionalProperties": False},
            {"next": {"next": {}}},
            {"next": {"x": 1}},
        ),
        ({"pattern": "^[A-Z]{2}\\d+$"}, "AB12", "ab12"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://a.example/s", "const": 1}, 1, 2),
        (False, None, 1),
    ],
)
def test_documents_fit_or_do_not(schema, fitting, other):
    if schema is not False:
        assert fits_schema(dumps(schema), dumps(fitting)) is True
    assert fits_schema(dumps(schema), dumps(other)) is False


@pytest.mark.parametrize(
    "schema",
    [
        5,
        None,
        [],
        "x",
        {"type": "nonsense"},
        {"required": "a"},
        {"pattern": "["},
        {"pattern": "(?=lookahead)"},
        {"pattern": "(a)\\1"},
        {"pattern": "((a{100}){100}){100}"},
        {"$ref": "#/$defs/none"},
        {"$ref": "#anchor"},
        {"$ref": "https://example.org/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"$ref": "other.json"},
        {"$schema": "https://example.org/meta.json"},
        {"$id": 5},
        {"title": "x" * MAX_SCHEMA_BYTES},
        {"maximum": 1e300},
        {"const": 10**18},
    ],
)
def test_what_cannot_be_checked_is_not_known(schema):
    assert fits_schema(json.dumps(schema).encode(), b"1") is None


def test_no_schema_at_all_is_not_known():
    assert fits_schema(b"{", b"1") is None
    assert fits_schema(b"[" * 90_000, b"1") is None


@pytest.mark.parametrize(
    "document",
    [
        b"[" * 40 + b"]" * 40,
        b'"' + b"x" * MAX_DOCUMENT_BYTES + b'"',
        b"1" * 30,
        b"1e300",
    ],
    ids=["deep", "large", "digits", "exponent"],
)
def test_documents_that_cost_too_much_are_not_known(document):
    assert fits_schema(b"{}", document) is None


@pytest.mark.parametrize("document", [b"", b"{", b"nul", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_an_error(document):
    with pytest.raises(ValueError):
        fits_schema(b"{}", document)


def test_compiled_schemas_are_kept_and_few():
    schemas._compiled.cache_clear()
    for _ in range(3):
        fits_schema(b'{"minimum": 0}', b"1")
    assert schemas._compiled.cache_info().hits == 2
    for n in range(100):
        fits_schema(b'{"minimum": %d}' % n, b"1")
    assert schemas._compiled.cache_info().currsize == schemas.KEPT_SCHEMAS


def test_no_reference_opens_a_socket_or_a_file():
    code = """
import sys
from undertow.adapters.wire.schemas import fits_schema
fits_schema(b"{}", b"1")
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event.startswith("socket.") or event == "open" else None)
for uri in (b"http://127.0.0.1:9/x.json", b"https://localhost/x", b"file:///etc/hostname", b"//127.0.0.1/x", b"x.json"):
    for keyword in (b"$ref", b"$schema", b"$dynamicRef"):
        assert fits_schema(b'{"%b": "%b"}' % (keyword, uri), b"1") is None, (keyword, uri)
        fits_schema(b'{"$id": "%b", "$ref": "#/$defs/a", "$defs": {"a": {}}}' % uri, b"1")
print(seen)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_library_is_loaded_only_with_the_first_schema():
    code = """
import sys
from undertow.adapters.wire import dialects
chat = dialects()["/v1/chat/completions"]
def answer(**more):
    request = chat.read_request(b'{"model": "a", "messages": [{"role": "user", "content": "x"}], %b}' % more.get("raw", b'"n": 1'), max_nesting=9)
    chat.read_answer(request, b'{"choices": [{"message": {"content": "{}"}}]}')
    return "jsonschema_rs" in sys.modules
print(answer(), answer(raw=b'"response_format": {"type": "json_object"}'),
      answer(raw=b'"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}'))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True"]
