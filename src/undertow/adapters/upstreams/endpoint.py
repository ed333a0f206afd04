"""One endpoint: its address, key, connections and breaker; one exchange at a time is sent, and its end reported to the breaker."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from undertow.adapters.upstreams.addresses import BadEndpointError, check_path, parse_base_url
from undertow.adapters.upstreams.breaker import Breaker
from undertow.adapters.upstreams.connection import Connection
from undertow.adapters.upstreams.exchange import Exchange
from undertow.adapters.upstreams.pool import Pool, PoolFullError
from undertow.adapters.upstreams.request_head import ANTHROPIC_VERSION, OWNED, auth_header, fixed_head, header_lines
from undertow.adapters.upstreams.tls import client_context
from undertow.ports.upstream import UpstreamFailedError, UpstreamRequest
from undertow.records.serving import EndpointPlan, LimitsPlan

_MAX_KNOWN_PATHS = 64
_JSON_HEAD = b"content-type: application/json\r\naccept: application/json\r\n"
_OWNED_JSON = OWNED | {b"content-type", b"accept"}
_TRIPS = frozenset({"connect", "timeout", "cut", "garbage"})
"""Failures that count against an endpoint; 5xx does too."""


class PoolBusyError(UpstreamFailedError):
    """No connection became free in time. Nothing is wrong with the endpoint as far as is known."""

    def __init__(self) -> None:
        super().__init__("connect")


class Endpoint:
    """An address of a tier.

    Args:
        plan: Address, wire format, names of key variable and authorities.
        limits: Deadlines, bounds, breaker.
        env: Environment variables, one of which holds its key. The key is never shown.
        now: Clock that never goes back, seconds.

    Raises:
        BadEndpointError: The base URL or key cannot be used, or the key's variable is unset.
        ConfigError: The file of authorities cannot.
    """

    __slots__ = ("_address", "_auth", "_fixed", "_key", "_limits", "_now", "breaker", "kind", "pool")

    def __init__(
        self, plan: EndpointPlan, limits: LimitsPlan, *, env: Mapping[str, str], now: Callable[[], float]
    ) -> None:
        self.kind = plan.kind
        self._address = parse_base_url(plan.base_url)
        key = env.get(plan.api_key_env) if plan.api_key_env is not None else None
        if plan.api_key_env is not None and key is None:
            raise BadEndpointError(f"environment variable {plan.api_key_env}, named by api_key_env, is not set")
        try:
            self._auth = auth_header(plan.kind, key)
        except ValueError as error:
            raise BadEndpointError(f"environment variable {plan.api_key_env}: {error}") from None
        self._key = (key or "").encode()
        self._limits = limits
        self._now = now
        self._fixed: dict[str, bytes] = {}
        self.breaker = Breaker(limits.breaker_failures, limits.breaker_open_s)
        self.pool = Pool(
            self._address.host,
            self._address.port,
            context=client_context(plan.ca_file) if self._address.is_tls else None,
            max_connections=limits.connections_per_upstream,
        )

    def __repr__(self) -> str:
        return f"<Endpoint {self._address.authority}{self._address.prefix} {self.breaker.state}>"

    def json_head(self, request: UpstreamRequest) -> bytes:
        """The head of a JSON request.

        Raises:
            ValueError: A path or header that would break it.
        """
        fixed = self._fixed.get(request.path)
        if fixed is None:
            check_path(request.path)
            fixed = (
                fixed_head("POST", self._address.prefix + request.path, self._address.authority, self._auth)
                + _JSON_HEAD
            )
            if len(self._fixed) < _MAX_KNOWN_PATHS:
                self._fixed[request.path] = fixed
        further = header_lines(request.headers, without=_OWNED_JSON) if request.headers else b""
        if self.kind == "anthropic" and b"anthropic-version: " not in further:
            further += b"anthropic-version: " + ANTHROPIC_VERSION + b"\r\n"
        return b"%b%bcontent-length: %d\r\n\r\n" % (fixed, further, len(request.body))

    def any_head(self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
        """The head of any request below the base URL.

        Raises:
            ValueError: A path or header that would break it.
        """
        check_path(path)
        further = header_lines(headers)
        if self.kind == "anthropic" and b"anthropic-version: " not in further:
            further += b"anthropic-version: " + ANTHROPIC_VERSION + b"\r\n"
        fixed = fixed_head(method, self._address.prefix + path, self._address.authority, self._auth)
        length = b"" if not body and method in {"GET", "HEAD"} else b"content-length: %d\r\n" % len(body)
        return fixed + further + length + b"\r\n"

    async def send(
        self, head: bytes, body: bytes, *, total_s: float, is_passthrough: bool = False, is_head_request: bool = False
    ) -> Exchange:
        """Send a request and wait for the head of its answer, whatever its status.

        A request that meets an idle connection which the peer has closed is sent again, once, on a new connection: nothing of
        an answer came, and the close was under way before it arrived.

        Args:
            head: Of `json_head` or `any_head`.
            body: Its body.
            total_s: Deadline of the answer's end, seconds from now.
            is_passthrough: The answer is passed on as it is, so a content encoding is allowed.
            is_head_request: The method is HEAD.

        Raises:
            UpstreamFailedError: `connect`, `timeout`, `cut` or `garbage`.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + total_s
        connection = self.pool.take_idle(loop)
        for is_last in (False, True):
            while connection is None or not connection.is_open:
                connection = await self._connect(min(self._limits.connect_timeout_s, until_s - loop.time()))
            exchange = Exchange(
                connection,
                max_body_bytes=self._limits.max_answer_bytes,
                on_end=self._ended,
                is_passthrough=is_passthrough,
                is_head_request=is_head_request,
            )
            connection.start(
                exchange, head, body, first_byte_s=self._limits.first_byte_timeout_s, total_s=until_s - loop.time()
            )
            try:
                await exchange.head()
            except UpstreamFailedError:
                if not exchange.is_stale:
                    raise
                if is_last:
                    self.breaker.abandoned()
                    raise
                connection = None
            else:
                return exchange
        raise AssertionError("the second try returns or raises")

    def without_key(self, text: bytes) -> bytes:
        """`text` with this endpoint's key blotted out, should the endpoint have repeated it in an error."""
        return text.replace(self._key, b"***") if self._key else text

    async def _connect(self, timeout_s: float) -> Connection:
        try:
            return await self.pool.connect(timeout_s)
        except PoolFullError as error:
            self.breaker.abandoned()
            raise PoolBusyError from error
        except (OSError, UnicodeError) as error:
            self.breaker.failed(self._now())
            raise UpstreamFailedError("connect") from error
        except BaseException:
            self.breaker.abandoned()
            raise

    def _ended(self, exchange: Exchange) -> None:
        if exchange.is_stale:
            return  # sent again on a new connection, and judged by that
        kind = exchange.failure
        if exchange.status >= 500 or (kind in _TRIPS and not exchange.was_slow_reader):
            self.breaker.failed(self._now())
        elif kind is None:
            self.breaker.succeeded()
        else:
            self.breaker.abandoned()
