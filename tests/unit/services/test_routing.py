import json

import pytest

from undertow.adapters.wire.chat import ChatDialect
from undertow.ports.upstream import UpstreamFailedError
from undertow.services.routing import REFUSALS, as_shown

HEADERS = {b"retry-after": b"7"}


def shown(failure, refusal="status"):
    return as_shown(REFUSALS[refusal], failure, ChatDialect())


def test_an_upstream_s_own_error_is_shown_as_it_is():
    body = b' {"error": {"message": "busy"}}'
    failure = UpstreamFailedError("status", status=429, body=body, headers=HEADERS)
    assert shown(failure) == (429, HEADERS, body)


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"", b'["error"]', b'{"detail": "busy"}'])
def test_what_is_no_error_of_the_format_becomes_one(body):
    status, _, made = shown(UpstreamFailedError("status", status=503, body=body))
    assert status == 503
    assert json.loads(made)["error"]["code"] == "http_503"
    assert b"busy" not in made


@pytest.mark.parametrize("status", [401, 403, 302])
def test_what_is_not_the_callers_affair_is_not_shown(status):
    failure = UpstreamFailedError("status", status=status, body=b'{"error": {"message": "key sk-1"}}', headers=HEADERS)
    shown_status, headers, body = shown(failure)
    assert (shown_status, dict(headers)) == (502, {})
    assert b"sk-1" not in body


@pytest.mark.parametrize("kind", ["timeout", "cut", "internal"])
def test_other_failures_have_their_own_words(kind):
    failure = None if kind == "internal" else UpstreamFailedError(kind)
    status, _, body = shown(failure, kind)
    assert status == REFUSALS[kind].status
    assert json.loads(body)["error"]["code"] == REFUSALS[kind].code
