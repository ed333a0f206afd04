import pytest

from undertow.adapters.upstreams.request_head import auth_header, fixed_head, header_lines


def test_the_key_travels_as_each_wire_format_wants_it():
    assert auth_header("openai", "k") == b"authorization: Bearer k\r\n"
    assert auth_header("anthropic", "k") == b"x-api-key: k\r\n"
    assert auth_header("openai", None) == b""


@pytest.mark.parametrize("key", ["", "a\nb", "secret\n", " secret", "secret\r\nx: y", "sécret", "a\x00"])
def test_a_key_that_would_break_the_head_is_refused_and_not_repeated(key):
    with pytest.raises(ValueError) as caught:
        auth_header("openai", key)
    assert "secret" not in repr(caught.value)


def test_a_head_asks_for_an_answer_without_encoding():
    assert fixed_head("POST", "/v1/x", "a:1", b"k: v\r\n").split(b"\r\n") == [
        *(b"POST /v1/x HTTP/1.1", b"host: a:1", b"user-agent: undertow", b"accept-encoding: identity", b"k: v", b"")
    ]


@pytest.mark.parametrize(
    "header",
    [
        *((b"x", b"a\r\nb: c"), (b"x", b"a\nb"), (b"x", b"a\rb"), (b"x", b"a\x00"), (b"x", b"a\x7f")),
        *((b"x: y\r\nz", b"a"), (b"x y", b"a"), (b"", b"a"), (b"x:", b"a"), ("ä".encode(), b"a")),
    ],
)
def test_injection_through_a_header_is_refused(header):
    with pytest.raises(ValueError):
        header_lines([header])


@pytest.mark.parametrize(
    "name", [b"Host", b"Content-Length", b"TRANSFER-ENCODING", b"Authorization", b"x-api-key", b"Connection"]
)
def test_framing_and_credentials_cannot_be_set_by_a_caller(name):
    assert header_lines([(name, b"1"), (b"anthropic-beta", b"b")]) == b"anthropic-beta: b\r\n"
