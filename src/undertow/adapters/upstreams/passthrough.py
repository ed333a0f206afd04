"""The upstream of paths that are not routed: one request, one answer of any status, streamed as it comes."""

import time
from collections.abc import Callable, Iterable, Mapping

from undertow.adapters.upstreams.endpoint import Endpoint
from undertow.adapters.upstreams.exchange import Exchange
from undertow.ports.upstream import UpstreamFailedError
from undertow.records.serving import EndpointPlan, LimitsPlan

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that are passed on."""
HOP_HEADERS = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-connection", b"te", b"trailer"),
        *(b"transfer-encoding", b"upgrade", b"alt-svc"),
    }
)
"""Response headers that belong to the connection to the upstream and must not be passed on to a caller."""


class PassthroughUpstream:
    """Passes requests on to one endpoint with its own key. No retries; the breaker is the endpoint's.

    Args:
        plan: The endpoint.
        limits: Deadlines and bounds.
        env: Environment variables, for the key.
        now: Clock that never goes back, seconds.

    Raises:
        ConfigError: The endpoint cannot be used as it is configured, or its key variable is unset.
    """

    def __init__(
        self, plan: EndpointPlan, limits: LimitsPlan, env: Mapping[str, str], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._now = now
        self._endpoint = Endpoint(plan, limits, env=env, now=now)

    def __repr__(self) -> str:
        return f"<PassthroughUpstream {self._endpoint}>"

    async def forward(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]] = (), body: bytes = b""
    ) -> Exchange:
        """Send a request and wait for the head of its answer: any status, redirects too, and any content encoding.

        Args:
            method: One of `METHODS`.
            path: Path below the base URL, with its query.
            headers: The caller's. Credentials, framing and per-connection headers among them are left out.
            body: Body as it is.

        Returns:
            The answer. Leave `HOP_HEADERS` out when passing its headers on.

        Raises:
            ValueError: The method, the path or a header cannot be sent.
            UpstreamFailedError: `connect`, `timeout`, `cut`, `garbage` or `breaker_open`.
        """
        if method not in METHODS:
            raise ValueError(f"the method is not passed on; expected one of {', '.join(sorted(METHODS))}")
        headers = list(headers)
        named = {
            token.strip().lower()
            for name, value in headers
            if name.lower() == b"connection"
            for token in value.split(b",")
        }
        kept = [(name, value) for name, value in headers if name.lower() not in named] if named else headers
        head = self._endpoint.any_head(method, path, kept, body)
        if not self._endpoint.breaker.admit(self._now()):
            raise UpstreamFailedError("breaker_open", tries=0)
        answer = await self._endpoint.send(
            head, body, total_s=self._limits.total_timeout_s, is_passthrough=True, is_head_request=method == "HEAD"
        )
        if self._endpoint.breaker.state == "half_open" and answer.status < 500:
            self._endpoint.breaker.succeeded()
        return answer

    def without_key(self, text: bytes) -> bytes:
        """`text` with the endpoint's key blotted out, should the endpoint have repeated it in an error."""
        return self._endpoint.without_key(text)

    async def aclose(self) -> None:
        """Close all connections; answers that are being read end as `aborted`."""
        await self._endpoint.pool.aclose()
