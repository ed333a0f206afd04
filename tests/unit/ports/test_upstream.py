import pytest

from undertow.ports.upstream import UpstreamFailedError


@pytest.mark.parametrize(
    ("failed", "status", "words"),
    [
        (UpstreamFailedError("status", status=503), "http_503", "upstream status 503"),
        (UpstreamFailedError("timeout", tries=3), "timeout", "upstream timeout"),
        (UpstreamFailedError("cut", status=200), "cut", "upstream cut 200"),
    ],
)
def test_a_failure_says_what_stands_in_the_record(failed, status, words):
    assert failed.call_status == status
    assert str(failed) == words


def test_a_failure_keeps_what_the_upstream_said_but_does_not_show_it():
    failed = UpstreamFailedError("status", status=400, body=b"SECRET PROMPT", headers={b"retry-after": b"2"}, tries=2)
    assert (failed.body, failed.headers, failed.tries) == (b"SECRET PROMPT", {b"retry-after": b"2"}, 2)
    assert "SECRET" not in f"{failed} {failed!r}"
    assert UpstreamFailedError("connect").headers == {}
