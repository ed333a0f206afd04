"""The gateway's OpenAPI document says what the gateway does: requests that Schemathesis makes from it, against a real gateway."""

import http.client
import json
import re
import subprocess

import pytest

from conftest import PROJECT, require
from gateway_fakes.upstream import FakeUpstream
from integration.gateway_process import ENV, running_gateway
from undertow.config.keys import new_key

SCHEMATHESIS = PROJECT / "build" / "contract" / "bin" / "schemathesis"
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance",
    "negative_data_rejection", "positive_data_acceptance", "unsupported_method", "ignored_auth",
)  # fmt: skip
TIERS = """
[tiers.cheap]
model = "small"
rank = 0
endpoints = [{{ base_url = "{url}" }}, {{ base_url = "{url}", kind = "anthropic" }}]
[tiers.capable]
model = "large"
rank = 1
endpoints = [{{ base_url = "{url}" }}, {{ base_url = "{url}", kind = "anthropic" }}]
[policy]
tiers = ["cheap", "capable"]
[holdout]
share = 0.0
[review]
per_day = 0
[shadow]
share = 0.0
[keys.team]
id = "{id}"
sha256 = "{sha256}"
"""
WITHOUT_RULES_BETWEEN_FIELDS = ("--exclude-path-regex", "/v1/(feedback|outcomes)$")
SIGNALS = ("--include-path-regex", "/v1/(feedback|outcomes)$", "--exclude-checks", "positive_data_acceptance")
"""A row of fields that are valid one by one may still not be meant: a sampled one without its probability, a time next week."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    key = new_key()
    with FakeUpstream() as upstream:
        settings = TIERS.format(url=upstream.base_url, id=key.key_id, sha256=key.sha256)
        with running_gateway(tmp_path_factory.mktemp("gateway"), settings, env=ENV, key=key.key) as running:
            yield running


def asked(gateway, method, path):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    try:
        connection.request(method, path, body=b"{}" if method == "POST" else None)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_document_is_served_to_anybody_and_names_the_models(gateway):
    status, content = asked(gateway, "GET", "/openapi.json")
    assert status == 200
    document = json.loads(content)
    body = document["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "auto" in body["properties"]["model"]["enum"]


def test_every_path_that_the_gateway_answers_is_in_it_and_no_other(gateway):
    document = json.loads(asked(gateway, "GET", "/openapi.json")[1])
    for path, operations in document["paths"].items():
        (method,) = operations
        status, _ = asked(gateway, method.upper(), path.replace("{id}", "0" * 32))
        assert status not in {404, 405}, path
        other, _ = asked(gateway, "POST" if method == "get" else "GET", path.replace("{id}", "0" * 32))
        assert other == 405, path


@pytest.mark.parametrize(
    ("which", "least"), [(WITHOUT_RULES_BETWEEN_FIELDS, 300), (SIGNALS, 100)], ids=["all", "signals"]
)
def test_requests_that_are_made_from_it_are_answered_as_it_says(gateway, tmp_path, which, least):
    require(SCHEMATHESIS.exists(), "Schemathesis is not installed: make build/contract/.synced")
    command = [
        SCHEMATHESIS, "run", f"http://127.0.0.1:{gateway.port}/openapi.json", "--header", f"Authorization: Bearer {gateway.key}",
        "--checks", ",".join(CHECKS), "--max-examples", "25", "--seed", "20261127", "--phases", "examples,coverage,fuzzing",
        "--continue-on-failure", "--no-color", "--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off",
        "--request-timeout", "10", *which,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    cases = re.search(r"([\d,]+) generated", done.stdout)
    assert cases is not None
    assert int(cases[1].replace(",", "")) > least
    assert not [line for line in gateway.log_lines if "Traceback" in line or "request_failed" in line]
