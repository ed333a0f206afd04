"""Calls to addresses that others run: checked before they are connected to, bounded in time and size, and never redirected.

A name is resolved once, each of its addresses is looked at, and the connection goes to one that was looked at: a name that is answered otherwise
the next moment changes nothing. TLS verifies the certificate and the name all the same. Of an answer only the head is read (at most 64 kB),
so no body can be large, slow, or a secret in a log.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from undertow.adapters.upstreams.addresses import BadEndpointError, check_path, parse_base_url
from undertow.adapters.upstreams.connection import Connection
from undertow.adapters.upstreams.exchange import Exchange
from undertow.adapters.upstreams.request_head import fixed_head, header_lines
from undertow.adapters.upstreams.tls import client_context
from undertow.alerting.internal import is_internal
from undertow.ports.alerts import Sent
from undertow.ports.upstream import UpstreamFailedError

TOTAL_S = 10.0
"""Longest time that one call takes, from the look-up of the name to the head of the answer, in seconds."""
ANY_LENGTH = 2**62

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port in; its IP addresses out. Raises OSError where there are none."""

_TRY_AGAIN = frozenset({408, 429})
_FAILURES = {
    "connect": "cannot be connected to",
    "timeout": f"no answer within {TOTAL_S:g} s",
    "cut": "closed the connection without an answer",
    "garbage": "answered something that is no HTTP",
}


async def resolve(host: str, port: int) -> Sequence[str]:
    """The IP addresses of a host, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class Caller:
    """Calls addresses.

    Args:
        allow_internal: Call those that are not of the public internet, too.
        resolve: Looks up names.
        context: TLS context; None: the system's authorities.
        total_s: Longest time of one call, in seconds.

    Attributes:
        refused: Calls that were refused for where they led: to an internal address, or on by a redirect.
    """

    def __init__(
        self,
        *,
        allow_internal: bool = False,
        resolve: Resolve = resolve,
        context: ssl.SSLContext | None = None,
        total_s: float = TOTAL_S,
    ) -> None:
        self._allow_internal, self._resolve, self._total_s = allow_internal, resolve, total_s
        self._context = context
        self.refused = 0

    async def call(self, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Sent:
        """POST a body, or GET where there is none.

        Args:
            url: Where to. Never shown, for it may hold a secret.
            body: JSON, or None.
            headers: Further ones.

        Returns:
            `delivered` for a 2xx; `refused` for a redirect and for a 4xx but 408 and 429, which would be answered so again; else `retry`.
        """
        try:
            base, _, query = url.partition("?")
            address = parse_base_url(base)
            target = (urlsplit(base).path or "/") + (f"?{query}" if query else "")
            check_path(target)
            further = header_lines([(name.encode(), value.encode()) for name, value in (headers or {}).items()])
        except (BadEndpointError, ValueError, UnicodeError):
            return Sent("refused", "the address or a header is none that can be called")
        head = fixed_head("GET" if body is None else "POST", target, address.authority, b"") + further
        if body is not None:
            head += b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        head += b"connection: close\r\n\r\n"
        context = (self._context or client_context(None)) if address.is_tls else None
        try:
            async with asyncio.timeout(self._total_s):
                ips = list(await self._resolve(address.host, address.port))
                if not self._allow_internal:
                    ips = [ip for ip in ips if not is_internal(ip)]
                    if not ips:
                        self.refused += 1
                        return Sent("retry", "leads to an internal address; alerts.allow_internal would let it")
                return await self._exchange(ips, address.host, address.port, context, head, body or b"")
        except TimeoutError:
            return Sent("retry", f"no answer within {self._total_s:g} s")
        except ssl.SSLCertVerificationError:
            return Sent("retry", "its TLS certificate is not trusted or for another name")
        except ssl.SSLError:
            return Sent("retry", "TLS failed")
        except (OSError, UnicodeError) as error:
            return Sent("retry", f"cannot be connected to ({type(error).__name__})")

    async def _exchange(
        self, ips: Sequence[str], host: str, port: int, context: ssl.SSLContext | None, head: bytes, body: bytes
    ) -> Sent:
        loop = asyncio.get_running_loop()
        connection = await self._connect(loop, ips, host, port, context)
        exchange = Exchange(connection, max_body_bytes=ANY_LENGTH, on_end=_nothing, is_passthrough=True)
        try:
            connection.start(exchange, head, body, first_byte_s=self._total_s, total_s=self._total_s)
            await exchange.head()
            return self._judged(exchange.status, exchange.headers)
        except UpstreamFailedError as failure:
            return Sent("retry", _FAILURES.get(failure.kind, "failed"))
        finally:
            connection.close()

    async def _connect(
        self,
        loop: asyncio.AbstractEventLoop,
        ips: Sequence[str],
        host: str,
        port: int,
        context: ssl.SSLContext | None,
    ) -> Connection:
        last: OSError = OSError("the name has no address")
        for ip in dict.fromkeys(ips):
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, Connection.close, _nothing),
                    ip,
                    port,
                    ssl=context,
                    server_hostname=host if context is not None else None,
                )
            except OSError as error:
                last = error
            else:
                return connection
        raise last

    def _judged(self, status: int, headers: Mapping[bytes, bytes]) -> Sent:
        said = f"status {status}"
        if 200 <= status < 300:
            return Sent("delivered", said)
        if 300 <= status < 400:
            self.refused += 1
            return Sent("refused", f"{said}: redirects are not followed; set the address that it leads to")
        if 400 <= status < 500 and status not in _TRY_AGAIN:
            return Sent("refused", said)
        return Sent("retry", said, retry_after_s(headers.get(b"retry-after"), datetime.now(UTC)))


def retry_after_s(value: bytes | None, now: datetime) -> float | None:
    """Seconds that a `retry-after` header asks for; None: none that can be understood.

    Examples:
        >>> retry_after_s(b"120", datetime(2026, 3, 1, tzinfo=UTC))
        120.0
        >>> retry_after_s(b"Sun, 01 Mar 2026 00:01:00 GMT", datetime(2026, 3, 1, tzinfo=UTC))
        60.0
        >>> retry_after_s(b"soon", datetime(2026, 3, 1, tzinfo=UTC))
    """
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):  # the last: numbers of many digits in a date
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _nothing(_: object) -> None:
    """Nobody waits for the end of an exchange whose head was all that was wanted."""
