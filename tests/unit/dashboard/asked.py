"""A request by hand: from any address, with any headers, repeated ones too."""

from starlette.requests import Request


def asked(*headers: tuple[str, str], peer: str | None = "127.0.0.1", host: str = "localhost:4040", scheme: str = "http") -> Request:  # fmt: skip
    """A request for the overview."""
    given = [("host", host), *headers]
    return Request({
        "type": "http", "method": "GET", "scheme": scheme, "path": "/ui/", "raw_path": b"/ui/", "query_string": b"", "root_path": "",
        "client": None if peer is None else (peer, 0), "server": ("127.0.0.1", 4040),
        "headers": [(name.encode(), value.encode("utf-8")) for name, value in given],
    })  # fmt: skip
