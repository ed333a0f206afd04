"""Base URLs and paths: what is split, and what is refused, before a byte of it can reach a request line."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from undertow.errors import ConfigError

_VISIBLE = re.compile(r"[\x21-\x7e]+").fullmatch
_PATH = re.compile(r"/[\x21-\x7e]*").fullmatch
_DEFAULT_PORTS = {"http": 80, "https": 443}


class BadEndpointError(ConfigError, ValueError):
    """An endpoint that cannot be talked to as it is configured."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an endpoint is.

    Attributes:
        host: Name or IP address, without brackets.
        port: TCP port.
        is_tls: https.
        authority: What the host header says.
        prefix: Path of the base URL, without a slash at its end.
    """

    host: str
    port: int
    is_tls: bool
    authority: str
    prefix: str


def parse_base_url(url: str) -> Address:
    """Split a base URL.

    Raises:
        BadEndpointError: No http(s) URL of host, port and path alone.

    Examples:
        >>> parse_base_url("https://api.example.com/v1/")
        Address(host='api.example.com', port=443, is_tls=True, authority='api.example.com', prefix='/v1')
        >>> parse_base_url("http://[::1]:8000").authority
        '[::1]:8000'
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadEndpointError(f"base_url = {url!r} is no URL: {error}") from None
    host = parts.hostname
    if parts.username is not None or parts.password is not None:
        raise BadEndpointError("a base_url holds a user name or password; name the key's environment variable instead")
    if parts.scheme not in _DEFAULT_PORTS or not host or parts.query or parts.fragment or not _VISIBLE(url):
        raise BadEndpointError(f"base_url = {url!r}: expected http(s)://host[:port]/path and nothing else")
    prefix = parts.path.rstrip("/")
    try:
        check_path(prefix or "/")
    except ValueError as error:
        raise BadEndpointError(f"base_url = {url!r}: {error}") from None
    default = _DEFAULT_PORTS[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    return Address(
        host=host,
        port=port or default,
        is_tls=parts.scheme == "https",
        authority=shown if port in (None, default) else f"{shown}:{port}",
        prefix=prefix,
    )


def check_path(path: str) -> None:
    """Refuse a path, with or without a query, that could reach anything but a resource below the base URL.

    Raises:
        ValueError: It does not start with one slash, has a `..` or `.` segment (percent-encoded or not), a backslash, a
            fragment, or a character that is not visible ASCII.

    Examples:
        >>> check_path("/files/file-1?limit=2")
        >>> check_path("/files/%2e%2e/admin")
        Traceback (most recent call last):
        ValueError: the path leaves its base URL
    """
    if not _PATH(path):
        raise ValueError("the path must start with a slash and be visible ASCII")
    if path.startswith("//") or "#" in path:
        raise ValueError("the path must not start with // or hold a fragment")
    plain = path.partition("?")[0]
    for _ in range(3):  # an upstream may decode more than once
        if "\\" in plain or any(segment in {".", ".."} for segment in plain.split("/")):
            raise ValueError("the path leaves its base URL")
        plain = unquote(plain)
    if not plain.isprintable():
        raise ValueError("the path hides a control character")
