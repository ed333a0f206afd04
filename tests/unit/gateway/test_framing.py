import httptools
import pytest

from undertow.gateway.framing import body_parser, split_target
from undertow.gateway.http_errors import HttpError


class Taker:
    def __init__(self):
        self.body = b""
        self.is_complete = False

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.is_complete = True


@pytest.mark.parametrize(("length", "pieces"), [(5, [b"he", b"llo"]), (0, [b"5\r\nhel", b"lo\r\n0\r\n\r\n"])])
def test_a_body_is_read_without_its_head(length, pieces):
    taker = Taker()
    parser = body_parser(taker, length)
    for piece in pieces:
        assert not taker.is_complete
        parser.feed_data(piece)
    assert (taker.body, taker.is_complete) == (b"hello", True)
    with pytest.raises(httptools.HttpParserError):
        parser.feed_data(b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/", (b"/", b"")),
        (b"/a?b=c?d", (b"/a", b"b=c?d")),
        (b"//elsewhere/a", (b"//elsewhere/a", b"")),
        (b"http://elsewhere", (b"/", b"")),
        (b"https://elsewhere:8/a?b", (b"/a", b"b")),
        (b"*", (b"*", b"")),
    ],
)
def test_path_and_query_of_a_target(target, expected):
    assert split_target(target) == expected


def test_what_is_no_target_is_refused():
    with pytest.raises(HttpError):
        split_target(b"nonsense")
