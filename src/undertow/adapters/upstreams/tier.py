"""A tier's upstreams: which endpoint is asked, how long, and whether once more."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from undertow.adapters.upstreams import retry
from undertow.adapters.upstreams.endpoint import Endpoint, PoolBusyError
from undertow.adapters.upstreams.exchange import Exchange
from undertow.ports.upstream import UpstreamFailedError, UpstreamRequest
from undertow.records.serving import LimitsPlan, TierPlan

MAX_ERROR_BODY_BYTES = 65_536
"""As much of an error's body is kept."""
ERROR_BODY_S = 5.0
"""As long is waited for it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a tier takes from outside, so that tests can give it their own.

    Attributes:
        now: Clock that never goes back, seconds.
        wall: Wall clock, Unix seconds; for `retry-after` as a date.
        draw: Uniform draws from [0, 1).
        sleep: Waits that many seconds.
    """

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    draw: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


class TierUpstream:
    """The `undertow.ports.upstream.Upstream` of one tier. Used from one event loop at a time.

    Args:
        plan: Its endpoints.
        limits: Deadlines, bounds, retries, breakers.
        env: Environment variables, for the keys.
        surroundings: Clocks, randomness, sleep.

    Raises:
        ConfigError: An endpoint cannot be used as it is configured, or its key variable is unset.
    """

    def __init__(
        self, plan: TierPlan, limits: LimitsPlan, env: Mapping[str, str], surroundings: Surroundings | None = None
    ) -> None:
        self.name = plan.name
        self._limits = limits
        self._around = surroundings or Surroundings()
        self._budget = retry.RetryBudget(limits.retry_budget, self._around.now())
        self._endpoints = tuple(
            Endpoint(endpoint, limits, env=env, now=self._around.now) for endpoint in plan.endpoints
        )
        self._by_kind = {
            kind: tuple(endpoint for endpoint in self._endpoints if endpoint.kind == kind)
            for kind in ("openai", "anthropic")
        }

    def __repr__(self) -> str:
        return f"<TierUpstream {self.name} {list(self._endpoints)}>"

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Its endpoints, in the plan's order; their breakers and pools are there to be watched."""
        return self._endpoints

    def speaks(self, kind: Literal["openai", "anthropic"]) -> bool:
        """Whether any endpoint speaks this wire format."""
        return bool(self._by_kind[kind])

    async def ask(self, request: UpstreamRequest) -> Exchange:
        """Send a request and wait for the head of a 2xx answer.

        Raises:
            UpstreamFailedError: Connecting, sending or waiting failed, or the status is not 2xx, after all retries. Kind
                `garbage` with 0 tries: the request's own path or headers could not be sent.
        """
        candidates = self._by_kind[request.kind]
        if not candidates:
            raise UpstreamFailedError("no_endpoint", tries=0)
        now = self._around.now
        started_s = now()
        deadline_s = started_s + self._limits.total_timeout_s
        self._budget.deposit()
        endpoint = _admitted(candidates, started_s)
        if endpoint is None:
            raise UpstreamFailedError("breaker_open", tries=0)
        tried = []
        while True:
            tried.append(endpoint)
            try:
                answer = await self._try(endpoint, request, deadline_s - now())
            except UpstreamFailedError as failure:
                if failure.tries:
                    failure.tries = len(tried)
                    endpoint = await self._next(failure, candidates, tried, deadline_s)
                    if endpoint is not None:
                        continue
                raise
            answer.tries = len(tried)
            return answer

    async def aclose(self) -> None:
        """Close all connections; answers that are being read end as `aborted`. The tier can be used again afterwards."""
        for endpoint in self._endpoints:
            await endpoint.pool.aclose()

    async def _try(self, endpoint: Endpoint, request: UpstreamRequest, total_s: float) -> Exchange:
        """Ask an endpoint that its breaker has admitted."""
        try:
            head = endpoint.json_head(request)
        except ValueError as error:
            endpoint.breaker.abandoned()
            raise UpstreamFailedError("garbage", tries=0) from error
        answer = await endpoint.send(head, request.body, total_s=total_s)
        if not 200 <= answer.status < 300:
            body = await answer.read_at_most(MAX_ERROR_BODY_BYTES, ERROR_BODY_S)
            raise UpstreamFailedError(
                "status",
                status=answer.status,
                body=b""
                if answer.headers.get(b"content-encoding", b"identity") != b"identity"
                else endpoint.without_key(body),
                headers={name: endpoint.without_key(value) for name, value in answer.headers.items()},
            )
        if endpoint.breaker.state == "half_open":
            endpoint.breaker.succeeded()
        return answer

    async def _next(
        self, failure: UpstreamFailedError, candidates: Sequence[Endpoint], tried: list[Endpoint], deadline_s: float
    ) -> Endpoint | None:
        """The endpoint to ask next, after the wait before it; None: the failure is final."""
        around = self._around
        if len(tried) > self._limits.max_retries or not (failure.kind == "timeout" or retry.is_retryable(failure)):
            return None
        now_s = around.now()
        others = [endpoint for endpoint in candidates if endpoint not in tried and endpoint.breaker.admits(now_s)]
        if others:
            return _admitted(others, now_s) if now_s < deadline_s and self._budget.withdraw(now_s) else None
        # No other one is left: the same ones again after a wait, unless waiting longer cannot help.
        if failure.kind == "timeout" or isinstance(failure, PoolBusyError):
            return None
        asked_s = retry.parse_retry_after(failure.headers, around.wall())
        delay_s = retry.delay_s(len(tried) - 1, around.draw(), asked_s)
        if delay_s is None or now_s + delay_s >= deadline_s:
            return None
        if not any(endpoint.breaker.admits(now_s + delay_s) for endpoint in candidates):
            return None
        if not self._budget.withdraw(now_s):
            return None
        await around.sleep(delay_s)
        return _admitted(candidates, around.now())


def _admitted(endpoints: Sequence[Endpoint], now_s: float) -> Endpoint | None:
    """The endpoint that failed least recently among those that may be asked, closed breakers first; admitted."""
    if len(endpoints) == 1:
        endpoint = endpoints[0]
        return endpoint if endpoint.breaker.admit(now_s) else None
    willing = [endpoint for endpoint in endpoints if endpoint.breaker.admits(now_s)]
    if not willing:
        return None
    best = min(willing, key=lambda endpoint: (endpoint.breaker.state != "closed", endpoint.breaker.last_failed_s))
    best.breaker.admit(now_s)
    return best
