import json

from undertow.gateway.http_errors import SENTENCES, error_response, status_line


def test_a_refusal_is_a_whole_response_that_closes_the_connection():
    for why in SENTENCES:
        head, _, body = error_response(400, why, date=b"date: x\r\n", decision_id="d-1").partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[:2] == [b"HTTP/1.1 400 Bad Request", b"date: x"]
        assert b"connection: close" in lines
        assert b"x-undertow-decision-id: d-1" in lines
        assert b"content-length: %d" % len(body) in lines
        assert json.loads(body)["error"]["code"] == why


def test_only_what_is_worth_another_try_says_so():
    assert b"retry-after: 1" in error_response(503, "too_many_connections")
    assert b"retry-after" not in error_response(413, "body_too_large")
    assert b'"server_error"' in error_response(503, "too_many_connections")


def test_a_status_without_a_name_has_a_line_too():
    assert status_line(499) == b"HTTP/1.1 499 \r\n"
