"""The OpenAPI document: what it must name. That it is true is tested against a gateway (`tests/integration/test_openapi.py`)."""

import json

import jsonschema
import pytest

from undertow.gateway.openapi import openapi_document
from undertow.records.columns import SELECTIONS, SIGNAL_COLUMNS, SIGNAL_KINDS
from wire_samples import DIALECTS, completion, message, response


@pytest.fixture(scope="module")
def document():
    return json.loads(openapi_document(("auto", "cheap"), "1.2.3"))


def resolved(document, schema):
    return {**schema, "components": document["components"]}


def test_it_is_of_this_version_and_names_each_wire_format(document):
    assert (document["openapi"], document["info"]["version"]) == ("3.1.0", "1.2.3")
    assert {dialect.path for dialect in DIALECTS.values()} <= {path.removeprefix("/v1") for path in document["paths"]}


def test_every_reference_leads_somewhere(document):
    def references(value):
        if isinstance(value, dict):
            yield from [value["$ref"]] if "$ref" in value else []
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = set(references(document))
    assert found
    for reference in found:
        place = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_a_signal_has_the_fields_of_the_log(document):
    signal = document["components"]["schemas"]["Signal"]
    columns = {column.name for column in SIGNAL_COLUMNS} - {"received_at"}  # which is the gateway's own
    assert set(signal["properties"]) == columns | {"comment"}
    assert signal["properties"]["kind"]["enum"] == [*SIGNAL_KINDS, None]
    assert signal["properties"]["selection"]["enum"] == [*SELECTIONS, None]


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/v1/chat/completions", completion()), ("/v1/messages", message()), ("/v1/responses", response())],
)
def test_real_answers_and_our_own_errors_are_as_it_says(document, path, answer):
    responses = document["paths"][path]["post"]["responses"]
    schema = responses["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator(resolved(document, schema)).validate(answer)
    (dialect,) = (dialect for dialect in DIALECTS.values() if f"/v1{dialect.path}" == path)
    error = json.loads(dialect.error_body("no", type_="invalid_request_error", code="x", param="model"))
    refused = responses["400"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator(resolved(document, refused)).validate(error)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(resolved(document, refused)).validate({"detail": "no"})
