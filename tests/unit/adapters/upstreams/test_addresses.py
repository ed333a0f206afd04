import pytest

from undertow.adapters.upstreams.addresses import BadEndpointError, check_path, parse_base_url
from undertow.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "prefix"),
    [
        ("http://127.0.0.1:9001/v1", "127.0.0.1", 9001, "127.0.0.1:9001", "/v1"),
        ("https://api.example.com/v1/", "api.example.com", 443, "api.example.com", "/v1"),
        ("https://API.example.com:443", "api.example.com", 443, "api.example.com", ""),
        ("http://[::1]/v1", "::1", 80, "[::1]", "/v1"),
        ("http://[::1]:81/a/b", "::1", 81, "[::1]:81", "/a/b"),
    ],
)
def test_a_base_url_is_split(url, host, port, authority, prefix):
    address = parse_base_url(url)
    assert (address.host, address.port, address.authority, address.prefix) == (host, port, authority, prefix)
    assert address.is_tls is url.startswith("https")


@pytest.mark.parametrize(
    "url",
    [
        *("", "api.example.com/v1", "ftp://a/v1", "file:///etc/passwd", "http://", "http:///v1", "http://a:99999/v1"),
        *("http://a/v1?x=1", "http://a/v1#x", "http://a b/v1", "http://a/v1\r\nx: y", "http://a/\x00", "http://a/../b"),
        *("http://[::1/v1", "http://ä.example/v1"),
    ],
)
def test_what_is_no_plain_base_url_is_refused(url):
    with pytest.raises(BadEndpointError) as caught:
        parse_base_url(url)
    assert isinstance(caught.value, ConfigError)
    assert isinstance(caught.value, ValueError)


def test_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(BadEndpointError) as caught:
        parse_base_url("http://user:hunter2@a/v1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "path", ["/", "/models", "/files/f-1/content?limit=1&after=..", "/models/org%2Fname", "/a..b/...c"]
)
def test_paths_below_the_base_url(path):
    check_path(path)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "models",
            "http://elsewhere/",
            "//elsewhere/x",
            "/a b",
            "/a\r\nx: y",
            "/a\x00",
            "/a\x7f",
            "/ä",
            "/a#b",
            "/a\\..\\b",
        ),
        *(
            "/..",
            "/../x",
            "/a/../b",
            "/a/./b",
            "/%2e%2e/x",
            "/a/.%2E/b",
            "/a/..%2fb",
            "/a%2f..%2fb",
            "/%252e%252e/x",
            "/a%5c..%5cb",
        ),
        *("/a%0d%0ax", "/a%00", "*"),
    ],
)
def test_paths_that_could_reach_elsewhere_are_refused(path):
    with pytest.raises(ValueError):
        check_path(path)
